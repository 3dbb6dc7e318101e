"""How it stands now: the last test of each line, how often it was there, and what lies on the disk."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pandas as pd

from speedtest.figures import slots, state
from speedtest.figures.rows import Rows
from speedtest.figures.state import LineState

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


class LineUptime(LineState, frozen=True, kw_only=True):
    """One location."""

    uptime_percent: dict[str, float | None]
    """By span: the share of slots with a good test, of those in which a test was made; None: in none."""


class Disk(msgspec.Struct, kw_only=True):
    """A folder of rows."""

    folder: str
    bytes_used: int
    bytes_free: int | None
    """On its file system, for this user; None where there is no such folder."""


def line(rows: Rows, location: str, now: datetime) -> LineUptime:
    """Return how a line stands. Raises what `Rows.of` raises."""
    frame = state.newest(rows, location, now)
    uptime = {name: _uptime(frame, now - span, now) for name, span in SPANS.items()}
    return LineUptime(**msgspec.structs.asdict(state.of_rows(frame, location, now)), uptime_percent=uptime)


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
