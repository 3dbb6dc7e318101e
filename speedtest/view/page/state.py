"""How a line is now: its last test, whether it is up, and what its daemon says of itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pandas as pd

from speedtest.data import heartbeat, results
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
    last: Result | None
    """The last test, good or failed."""
    current: bool
    """Whether that is the present: its successor is not long overdue."""
    skipped: Result | None
    """The newest row, if it is a slot that was skipped after the last test."""
    last_success: datetime | None
    """Of the last month that has rows."""
    failures_in_a_row: int
    """Slots that failed since then; a test without a slot counts as one."""
    data_bytes_of_month: int
    """Bytes that tests moved in the calendar month, UTC."""

    @property
    def up(self) -> bool | None:
        """Whether the line is up; None if nobody knows."""
        return self.last.status == "ok" if self.last and self.current else None


def of(rows: Rows, location: str, now: datetime) -> State:
    """Return the state of a location. Raises what `Rows.of` raises."""
    frame = _newest(rows, location, now)
    tests = frame[frame["status"].isin(("ok", "failed"))]
    good = tests[tests["status"] == "ok"]
    last = result(tests.iloc[-1]) if len(tests) else None
    newest = result(frame.iloc[-1]) if len(frame) else None
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return State(
        location=location,
        last=last,
        current=last is not None and _is_current(newest or last, now),
        skipped=newest if newest and newest.status == "skipped" else None,
        last_success=_instant(good["timestamp"].iloc[-1]) if len(good) else None,
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


def result(row: pd.Series) -> Result:
    """Return one row of `Rows.of`."""
    return msgspec.convert({name: _plain(value) for name, value in row.items()}, Result, strict=False)


def _newest(rows: Rows, location: str, now: datetime) -> pd.DataFrame:
    """Return the rows of the last month, or, of a line that is not measured any more, those of its own last month."""
    frame = rows.of(now - _LOOKED_BACK, now + _DAY, location)
    if frame.empty and (end := _end(rows, location)):
        frame = rows.of(end - _LOOKED_BACK, end, location)
    return frame


def _end(rows: Rows, location: str) -> datetime | None:
    """Return the end of the last day that has Parquet files of a location."""
    days = [day for day, _ in results.days(rows.folders.uploads / f"location={location}")]
    return datetime(days[-1].year, days[-1].month, days[-1].day, tzinfo=UTC) + _DAY if days else None


def _failures(tests: pd.DataFrame) -> int:
    """Count the latest slots without a good test."""
    latest = tests[(tests["status"] == "ok")[::-1].cumsum()[::-1] == 0]
    failed = latest[~latest["slot"].isin(tests.loc[tests["status"] == "ok", "slot"].dropna())]
    return failed["slot"].nunique() + int(failed["slot"].isna().sum())


def _is_current(newest: Result, now: datetime) -> bool:
    age = (now - newest.timestamp).total_seconds()
    return age <= (2 * newest.interval_seconds + _LATE_SECONDS if newest.interval_seconds else _DAY.total_seconds())


def _plain(value: object) -> object:
    """Return what msgspec knows: None for nothing, numbers and instants of Python's own."""
    if value is None or pd.isna(value):  # pyrefly: ignore[no-matching-overload]
        return None
    return _instant(value) if isinstance(value, pd.Timestamp) else value.item() if hasattr(value, "item") else value


def _instant(value: pd.Timestamp) -> datetime:
    return value.to_pydatetime().astimezone(UTC)
