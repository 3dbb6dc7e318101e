"""The current state of a line: its last test, whether it is up, and what its daemon reports."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from speedtest.data import heartbeat, partitions
from speedtest.figures.rows import Rows

_DAY = timedelta(days=1)
_LOOKED_BACK = timedelta(days=31)
_LATE_SECONDS = 300
"""A row is current for two intervals plus this time. A row without an interval is current for a day."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One row: Mbit/s (10^6 bit/s), ms, percent. What was not measured is null: a failed test has no speeds."""

    timestamp: datetime
    started_at: datetime | None
    status: str
    engine: str | None
    engine_version: str | None
    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None
    jitter_ms: float | None
    packet_loss_percent: float | None
    download_latency_ms: float | None
    upload_latency_ms: float | None
    data_bytes: int | None
    error_kind: str | None
    error: str | None
    interval_seconds: float | None
    speedtest_address: str
    timezone: str | None
    slot: datetime | None
    attempt: int | None
    server_id: str | None
    server_name: str | None


class DaemonState(msgspec.Struct, frozen=True, kw_only=True):
    """What the heartbeat in RESULT_DIR says."""

    next_due: datetime
    late: bool
    """Whether the next test is so overdue that the daemon must have stopped."""
    rows_waiting: int
    """Rows that wait in memory because the disk refused them."""


class LineState(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of one line."""

    location: str
    up: bool | None
    """Whether the last test was successful. Null if there is no test, or if the newest row is not current."""
    last: Result | None
    """The last test, successful or failed."""
    skipped: Result | None
    """The newest row, if its slot was skipped."""
    last_success: datetime | None
    """When the last successful test was made. Only the last month that has rows is searched."""
    failures_in_a_row: int
    """Slots that failed since the last successful test. A test without a slot counts as one."""
    data_bytes_of_month: int
    """Bytes that tests moved in this calendar month of `TZ`, as DATA_BUDGET_GB_PER_MONTH counts them."""


def of(rows: Rows, location: str, now: datetime) -> LineState:
    """Return the state of a location. Raises the errors of `Rows.of`."""
    return of_rows(newest(rows, location, now), location, now)


def of_rows(frame: pd.DataFrame, location: str, now: datetime) -> LineState:
    """Return the state of a location, computed from its newest rows."""
    tests = frame[frame["status"].isin(("ok", "failed"))]
    good = tests[tests["status"] == "ok"]
    last = next(iter(results(tests.tail(1))), None)
    latest = next(iter(results(frame.tail(1))), None)
    last_success = next(iter(results(good.tail(1))), None)
    month = datetime(*now.astimezone().timetuple()[:2], 1).astimezone()
    return LineState(
        location=location,
        up=last.status == "ok" if last and latest and _is_current(latest, now) else None,
        last=last,
        skipped=latest if latest and latest.status == "skipped" else None,
        last_success=last_success.timestamp if last_success else None,
        failures_in_a_row=_failures(tests),
        data_bytes_of_month=int(frame.loc[frame["timestamp"] >= month, "data_bytes"].sum()),
    )


def at(line: LineState, now: datetime) -> LineState:
    """Return a state as it is now if no row has come since: nobody knows how a line is whose next row is overdue."""
    latest = line.skipped or line.last
    is_overdue = line.up is not None and latest and not _is_current(latest, now)
    return msgspec.structs.replace(line, up=None) if is_overdue else line


def daemon(result_dir: Path, now: datetime) -> DaemonState | None:
    """Return what the heartbeat in this folder says, None if there is none or it cannot be read."""
    try:
        said = heartbeat.read(result_dir)
    except (OSError, msgspec.MsgspecError):
        return None
    return DaemonState(
        next_due=said.next_due,
        late=said.is_late(now, time.monotonic()),
        rows_waiting=said.rows_waiting,
    )


def results(rows: pd.DataFrame) -> list[Result]:
    """Return the rows of a table from `Rows.of`."""
    columns = [_plain(rows[name]) for name in Result.__struct_fields__]
    return [Result(**dict(zip(Result.__struct_fields__, row, strict=True))) for row in zip(*columns, strict=True)]


def newest(rows: Rows, location: str, now: datetime) -> pd.DataFrame:
    """Return the rows of the last 31 days.

    If the line is no longer measured, return the last 31 days in which it was.
    """
    frame = rows.of(now - _LOOKED_BACK, now + _DAY, location)
    for end in _ends(rows, location) if frame.empty else ():
        frame = rows.of(end - _LOOKED_BACK, end, location)
        if len(frame):
            break
    return frame


def _ends(rows: Rows, location: str) -> Iterator[datetime]:
    """Yield the ends of the last day with CSV files (any location) and with Parquet files (this one), newest first."""
    places = (rows.folders.result_dir, partitions.location_folder(rows.folders.upload_dir, location))
    last = {days[-1] for place in places if (days := [day for day, _ in partitions.days(place)])}
    for day in sorted(last, reverse=True):
        yield datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY


def _failures(tests: pd.DataFrame) -> int:
    """Count the slots that failed since the last successful test."""
    latest = tests[(tests["status"] == "ok")[::-1].cumsum()[::-1] == 0]
    failed = latest[~latest["slot"].isin(tests.loc[tests["status"] == "ok", "slot"].dropna())]
    return failed["slot"].nunique() + int(failed["slot"].isna().sum())


def _is_current(latest: Result, now: datetime) -> bool:
    age = (now - latest.timestamp).total_seconds()
    return age <= (2 * latest.interval_seconds + _LATE_SECONDS if latest.interval_seconds else _DAY.total_seconds())


def _plain(column: pd.Series) -> list[Any]:
    """Return the values as plain Python objects, None for missing ones."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if value is pd.NaT else value.to_pydatetime().astimezone(UTC) for value in column]
    return column.astype(object).where(column.notna(), None).tolist()
