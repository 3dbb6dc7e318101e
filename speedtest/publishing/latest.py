"""The last test and the last outage of a line, for receivers that show the present.

They are found in the newest CSV files, held ones too. When those have become Parquet, what was found before stands:
`RESULT_DIR/publishing/KEY.latest.json`. That file decides nothing else, and may be lost.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from speedtest.data import files, watch_state
from speedtest.data.partitions import day_folder, days, held_folder, row_files
from speedtest.data.watch_state import WatchState
from speedtest.publishing import rows
from speedtest.publishing.ledger import FOLDER
from speedtest.publishing.rows import PublishedRow
from speedtest.values.targets import SECOND_OPINIONS

_LOOKED_AT = 200
"""How many of the newest files are searched for a test: skipped slots have a row too."""
_NEWEST_DAYS = 2
_AHEAD = timedelta(hours=1)
"""What is dated further ahead came from a clock that was wrong."""


class LastTest(msgspec.Struct, kw_only=True):
    """The last test, successful or failed."""

    timestamp: datetime
    status: str
    engine: str | None = None
    server_name: str | None = None
    download_mbps: float | None = None
    upload_mbps: float | None = None
    latency_ms: float | None = None
    jitter_ms: float | None = None
    packet_loss_percent: float | None = None
    error_kind: str | None = None
    error: str | None = None


class LastOutage(msgspec.Struct, kw_only=True):
    """The last outage. While it lasts, `duration_seconds` is how long it has lasted when it was written down."""

    timestamp: datetime
    duration_seconds: float | None = None
    error_kind: str | None = None
    """Where it was."""


class Latest(msgspec.Struct, kw_only=True):
    """What is known last of a line."""

    test: LastTest | None = None
    outage: LastOutage | None = None


def find(result_dir: Path, location: str, key: str, seen: WatchState | None) -> Latest:
    """Return the last test and the last outage of a line, and remember them. Raises OSError if the disk refuses."""
    remembered = recall(result_dir, key)
    test = _first(_newest(result_dir, location, ""), "ok", "failed")
    outage = _first(_newest(result_dir, location, "_outage-"), "outage")
    latest = datetime.now(UTC) + _AHEAD
    tests = [each for each in (remembered.test, _as(LastTest, test)) if each and each.timestamp < latest]
    outages = [each for each in (remembered.outage, _as(LastOutage, outage)) if each and each.timestamp < latest]
    outages += _of_watch(seen)
    found = Latest(
        test=max(tests, key=lambda each: each.timestamp, default=None),
        outage=max(outages, key=lambda each: each.timestamp, default=None),
    )
    if found != remembered:
        path = _path(result_dir, key)
        files.make_folder(path.parent, base=result_dir)
        files.replace(path, msgspec.json.encode(found) + b"\n")
    return found


def recall(result_dir: Path, key: str) -> Latest:
    """Return what was found before; nothing if that cannot be read."""
    try:
        return msgspec.json.decode(_path(result_dir, key).read_bytes(), type=Latest)
    except (OSError, msgspec.MsgspecError):
        return Latest()


def watch(result_dir: Path, location: str, now: datetime) -> WatchState | None:
    """Return what the daemon's watch over this line sees now; None if there is none."""
    try:
        seen = watch_state.read(result_dir)
    except (OSError, msgspec.MsgspecError):
        return None
    return seen if seen.is_fresh(now) and seen.location == location else None


def _first(found: Iterator[PublishedRow], *statuses: str) -> PublishedRow | None:
    return next((row for row in found if row.values.get("status") in statuses and not _is_second(row)), None)


def _is_second(row: PublishedRow) -> bool:
    """Return whether a row is a second opinion, with one stream: that is not how the line does."""
    return row.values.get("engine") in SECOND_OPINIONS and row.values.get("slot") is None


def _newest(result_dir: Path, location: str, part: str) -> Iterator[PublishedRow]:
    """Yield the rows of this line in the newest CSV files whose names have this part, newest first."""
    bases = (result_dir, held_folder(result_dir))
    filed = sorted({day for base in bases for day, _ in days(base)})[-_NEWEST_DAYS:]
    for day in reversed(filed):
        folders = [day_folder(base, day) for base in bases]
        named = [(name, folder) for folder in folders for name in _names(folder) if part in name]
        for name, folder in sorted(named, reverse=True)[:_LOOKED_AT]:
            found = rows.of_csv(folder, name, day, location) or ()
            yield from (row for row in reversed(found) if row.location == location)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in row_files(folder)]
    except FileNotFoundError:
        return []


def _as[Kind: LastTest | LastOutage](kind: type[Kind], row: PublishedRow | None) -> Kind | None:
    return None if row is None else kind(**{name: row.values.get(name) for name in kind.__struct_fields__})


def _of_watch(seen: WatchState | None) -> list[LastOutage]:
    outages = [*seen.recent, *seen.ended, *seen.open] if seen else []
    return [
        LastOutage(timestamp=outage.started_at, duration_seconds=round(outage.seconds, 1), error_kind=outage.place)
        for outage in outages
    ]


def _path(result_dir: Path, key: str) -> Path:
    return result_dir / FOLDER / f"{key}.latest.json"
