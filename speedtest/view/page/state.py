"""How a line is now: its last test, whether it is up, and what its daemon says of itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from speedtest.data import heartbeat
from speedtest.data.results import days as days_of
from speedtest.view.rows import Rows

_DAY = timedelta(days=1)
_LOOKED_BACK = timedelta(days=31)
_LATE_SECONDS = 300
"""A result counts as the present one for two intervals and so long; a row without an interval for a day."""
_GRACE_SECONDS = 30


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One row: Mbit/s (10^6 bit/s), ms, percent. What was not measured is null; a failed test has no speeds."""

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


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """What the heartbeat in RESULT_DIR says."""

    next_due: datetime
    late: bool
    """The next test should have begun long ago: the loop has stopped."""
    rows_waiting: int
    """Rows that the disk refused."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One line, now."""

    location: str
    up: bool | None
    """Whether the last test was good; null if there is none, or its successor is long overdue."""
    last: Result | None
    """The last test, good or failed."""
    skipped: Result | None
    """The newest row, if it is a slot that was skipped after the last test."""
    last_success: datetime | None
    """Of the last month that has rows."""
    failures_in_a_row: int
    """Slots that failed since then; a test without a slot counts as one."""
    data_bytes_of_month: int
    """Bytes that tests moved in the calendar month, UTC."""


def of(rows: Rows, location: str, now: datetime) -> State:
    """Return the state of a location. Raises what `Rows.of` raises."""
    frame = _newest(rows, location, now)
    tests = frame[frame["status"].isin(("ok", "failed"))]
    good = tests[tests["status"] == "ok"]
    last = next(iter(results(tests.tail(1))), None)
    newest = next(iter(results(frame.tail(1))), None)
    last_success = next(iter(results(good.tail(1))), None)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return State(
        location=location,
        up=last.status == "ok" if last and newest and _is_current(newest, now) else None,
        last=last,
        skipped=newest if newest and newest.status == "skipped" else None,
        last_success=last_success.timestamp if last_success else None,
        failures_in_a_row=_failures(tests),
        data_bytes_of_month=int(frame.loc[frame["timestamp"] >= month, "data_bytes"].sum()),
    )


def daemon(result_dir: Path, now: datetime) -> Daemon | None:
    """Return what the daemon of this folder said last, None if nothing that can be read is there."""
    try:
        said = heartbeat.read(result_dir)
    except (OSError, msgspec.MsgspecError):
        return None
    overdue = (now - said.next_due).total_seconds()
    return Daemon(
        next_due=said.next_due,
        late=overdue > said.timeout_seconds + _GRACE_SECONDS,
        rows_waiting=said.rows_waiting,
    )


def results(rows: pd.DataFrame) -> list[Result]:
    """Return rows of `Rows.of`."""
    columns = [_plain(rows[name]) for name in Result.__struct_fields__]
    return [Result(**dict(zip(Result.__struct_fields__, row, strict=True))) for row in zip(*columns, strict=True)]


def _newest(rows: Rows, location: str, now: datetime) -> pd.DataFrame:
    """Return the rows of the last month, or, of a line that is not measured any more, those of its own last month."""
    frame = rows.of(now - _LOOKED_BACK, now + _DAY, location)
    if frame.empty and (end := _end(rows, location)):
        frame = rows.of(end - _LOOKED_BACK, end, location)
    return frame


def _end(rows: Rows, location: str) -> datetime | None:
    """Return the end of the last day that has Parquet files of a location."""
    days = [day for day, _ in days_of(rows.folders.uploads / f"location={location}")]
    return datetime(days[-1].year, days[-1].month, days[-1].day, tzinfo=UTC) + _DAY if days else None


def _failures(tests: pd.DataFrame) -> int:
    """Count the latest slots without a good test."""
    latest = tests[(tests["status"] == "ok")[::-1].cumsum()[::-1] == 0]
    failed = latest[~latest["slot"].isin(tests.loc[tests["status"] == "ok", "slot"].dropna())]
    return failed["slot"].nunique() + int(failed["slot"].isna().sum())


def _is_current(newest: Result, now: datetime) -> bool:
    age = (now - newest.timestamp).total_seconds()
    return age <= (2 * newest.interval_seconds + _LATE_SECONDS if newest.interval_seconds else _DAY.total_seconds())


def _plain(column: pd.Series) -> list[Any]:
    """Return values of Python's own, None for nothing."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if value is pd.NaT else value.to_pydatetime().astimezone(UTC) for value in column]
    return column.astype(object).where(column.notna(), None).tolist()
