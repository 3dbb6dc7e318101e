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


def line(rows: Rows, location: str, now: datetime) -> LineUptime:
    """Return the state and the uptime of a line. Raises the errors of `Rows.of`."""
    frame = state.newest(rows, location, now)
    uptime = {name: _uptime(frame, now - span, now) for name, span in SPANS.items()}
    return LineUptime(
        **msgspec.structs.asdict(state.of_rows(frame, location, now, rows.folders.result_dir)), uptime_percent=uptime
    )


def _uptime(frame: pd.DataFrame, since: datetime, until: datetime) -> float | None:
    within = frame[(frame["timestamp"] >= since) & (frame["timestamp"] < until)]
    return slots.count(slots.by_slot(within), None, until).uptime_percent
