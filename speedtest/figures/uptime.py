"""The current state of a line, and its uptime."""

from datetime import datetime, timedelta

import msgspec
import pandas as pd

from speedtest.figures import slots, state
from speedtest.figures.rows import Rows
from speedtest.figures.state import LineState

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


class LineUptime(LineState, frozen=True, kw_only=True):
    """The current state of one line, and its uptime."""

    uptime_percent: dict[str, float | None]
    """By span: slots with a successful test ÷ slots with any test. None if no slot has a test."""
    availability_percent: dict[str, float | None]
    """By span: 1 - down ÷ watched. None if nobody watched."""


def line(rows: Rows, location: str, now: datetime) -> LineUptime:
    """Return the state and the uptime of a line. Raises the errors of `Rows.of`."""
    frame = state.newest(rows, location, now)
    uptime = {name: _uptime(frame, now - span, now) for name, span in SPANS.items()}
    available = {name: _availability(frame, now - span, now) for name, span in SPANS.items()}
    found = state.of_rows(frame, location, now, rows.folders.result_dir)
    return LineUptime(**msgspec.structs.asdict(found), uptime_percent=uptime, availability_percent=available)


def _availability(frame: pd.DataFrame, since: datetime, until: datetime) -> float | None:
    within = frame[(frame["timestamp"] >= since) & (frame["timestamp"] < until)]
    watched, down = (float(within[name].astype(float).sum()) for name in ("watched_seconds", "down_seconds"))
    return 100 * (1 - min(down / watched, 1.0)) if watched else None


def _uptime(frame: pd.DataFrame, since: datetime, until: datetime) -> float | None:
    within = frame[(frame["timestamp"] >= since) & (frame["timestamp"] < until)]
    return slots.count(slots.by_slot(within), None, until).uptime_percent
