"""How it stands now: the last test of each line, how often it was there, and what lies on the disk."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from speedtest.measurement import COMMON_COLUMNS
from speedtest.view import slots
from speedtest.view.rows import Rows

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_FURTHER = (timedelta(days=31), timedelta(days=366), timedelta(days=3660), timedelta(days=36600))
_SHOWN = (*(name for name in COMMON_COLUMNS if name != "commit_hash"), "server_id", "server_name")


class Line(msgspec.Struct, kw_only=True):
    """One location."""

    location: str
    last: dict[str, Any] | None
    """The columns of the last test, good or failed, that it filled; None where it is long ago."""
    failures_in_a_row: int
    """Of its latest tests, at most those of a month."""
    uptime_percent: dict[str, float | None]
    """By span: the share of slots with a good test, of those in which a test was made; None: in none."""
    bytes_this_month: int
    """What its tests say that they moved, in the local calendar month."""


class Disk(msgspec.Struct, kw_only=True):
    """A folder of rows."""

    folder: str
    bytes_used: int
    bytes_free: int | None
    """On its file system, for this user; None where there is no such folder."""


def line(rows: Rows, location: str, now: datetime) -> Line:
    """Return how a line stands. Raises what `Rows.of` raises."""
    month = datetime(*now.astimezone().timetuple()[:2], 1).astimezone()
    frame = _recent(rows, location, now)
    tests = frame[frame["status"].isin(("ok", "failed"))]
    this_month = frame[frame["timestamp"] >= month]
    return Line(
        location=location,
        last=_row(tests.iloc[-1]) if len(tests) else None,
        failures_in_a_row=_failures_in_a_row(tests),
        uptime_percent={name: _uptime(frame, now - span, now) for name, span in SPANS.items()},
        bytes_this_month=int(this_month["data_bytes"].sum()),
    )


def _recent(rows: Rows, location: str, now: datetime) -> pd.DataFrame:
    """Return the rows of a month and a day; where there are none, of as long as it takes to find some."""
    frame = rows.of(now - _FURTHER[0], now + timedelta(days=1), location)
    for further in _FURTHER[1:]:
        if len(frame):
            break
        frame = rows.of(now - further, now + timedelta(days=1), location)
    return frame


def _row(row: "pd.Series[Any]") -> dict[str, Any]:
    there = {name: row[name] for name in _SHOWN if name in row.index and not pd.isna(row[name])}
    return {name: _plain(value) for name, value in there.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 (whatever a column holds)
    """Return a value of pandas or numpy as Python's own."""
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else getattr(value, "item", lambda: value)()


def _failures_in_a_row(tests: pd.DataFrame) -> int:
    failed = (tests["status"] == "failed").to_numpy()[::-1]
    return len(failed) if failed.all() else int(failed.argmin())


def _uptime(frame: pd.DataFrame, since: datetime, until: datetime) -> float | None:
    within = frame[(frame["timestamp"] >= since) & (frame["timestamp"] < until)]
    return slots.count(slots.by_slot(within), None, until).availability


def disk(folder: Path) -> Disk:
    """Return what a folder and all below it takes; a file that goes meanwhile, or cannot be seen, counts nothing."""
    used = 0
    for parent, _, names in folder.walk():
        used += sum(map(_size, (parent / name for name in names)))
    free = shutil.disk_usage(folder).free if folder.is_dir() else None
    return Disk(folder=str(folder.absolute()), bytes_used=used, bytes_free=free)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def quarantined(result_dir: Path) -> int:
    """Return how many files of rows could not be read and were put aside."""
    return sum(1 for _ in (result_dir / "quarantine").rglob("*.csv"))
