"""The current state of a line: its last test, whether it is up, and what its daemon reports."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import pandas as pd

from speedtest.data import heartbeat, partitions, watch_state
from speedtest.data.heartbeat import Heartbeat
from speedtest.data.watch_state import WatchState
from speedtest.figures import calendar, slots, span
from speedtest.figures.rows import Rows
from speedtest.values.targets import SECOND_OPINIONS

_DAY = timedelta(days=1)
_LOOKED_BACK = timedelta(days=32)
"""So that it has the whole current month, also one of 31 days and an hour."""
_LATE_SECONDS = 300
"""A row is current for two intervals plus this time. A row without an interval is current for a day."""

_LONGEST_SKIP = timedelta(days=1)
"""A test tells the current state through skipped slots for this time, so that quiet hours are no unknown state."""

type Condition = Literal["up", "down", "test-failed", "late", "not-seen", "no-test"]
"""`up` and `down`: what the watch sees now, where a daemon watches the line. Where none does: `up`: the last test
succeeded. `down`: it failed as it does when the line is down. `test-failed`: it failed for another reason, which says
nothing about the line. `late`: the last test, or the newest row, is too old. `not-seen`: the
same, but RESULT_DIR belongs to a daemon that measures another line, so that newer rows may lie elsewhere until their
day is converted. `no-test`: there is no test."""


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
    duration_seconds: float | None
    """How long the program ran, or the outage lasted."""
    interval_seconds: float | None
    speedtest_address: str
    timezone: str | None
    slot: datetime | None
    attempt: int | None
    server_id: str | None
    server_name: str | None
    isp: str | None
    """The provider, as the program saw it."""
    external_ip: str | None
    vpn: bool | None
    """Whether the program saw a tunnel."""
    line: str | None
    """What the watch saw when the attempt began: `up` or `down`. Null if nobody watched."""
    watched_seconds: float | None
    """Since the slot before, in the first row of a slot, as are the next ones up to `router_latency_ms`."""
    down_seconds: float | None
    probes_sent: int | None
    probes_lost: int | None
    probe_latency_ms: float | None
    probe_latency_p95_ms: float | None
    router_latency_ms: float | None
    link: str | None
    link_mbps: float | None
    other_traffic_mbps: float | None
    """What moved over the interface in the five seconds before the test."""
    other_bytes: int | None
    """What moved over it during the test beyond `data_bytes`, with all headers."""
    cpu_percent: float | None
    memory_percent: float | None
    server_d: float | None
    """How far away the server is, in km, where the program says so."""


class DaemonState(msgspec.Struct, frozen=True, kw_only=True):
    """What the heartbeat in RESULT_DIR says."""

    location: str | None
    """The line that it measures. Null if an older version wrote the heartbeat."""
    next_due: datetime
    late: bool
    """Whether the next test is so overdue that the daemon must have stopped."""
    rows_waiting: int
    """Rows that wait in memory because the disk refused them."""
    files_waiting: int
    """Files of the lake that wait for delivery to a store."""
    files_waiting_since: date | None
    """The day of the oldest of them."""


class WatchNow(msgspec.Struct, frozen=True, kw_only=True):
    """What the watch saw last, not longer ago than `watch_state.FRESH_SECONDS` and an interval."""

    seen: datetime
    since: datetime | None
    """Since when the line is up or down, as far as it was watched."""
    place: str | None
    """Where it is broken, if it is down."""
    words: str | None
    latency_ms: float | None
    """Round trip to the nearest target in the last minute, median."""
    router_latency_ms: float | None
    loss_ratio: float | None
    down_seconds: float
    """Since the daemon started."""
    watched_seconds: float
    outages: int
    lost_families: list[str]
    silent_targets: list[str]


class LineState(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of one line."""

    location: str
    zone: str
    """The line's zone: that of its newest row, else of this machine."""
    condition: Condition
    """The one word that all views show."""
    up: bool | None
    """True if the condition is `up`, false if it is `down`, null if nobody knows."""
    watch: WatchNow | None
    """What the watch sees; null if no daemon watches this line, or not in this RESULT_DIR."""
    last: Result | None
    """The last test, successful or failed."""
    skipped: Result | None
    """The newest row, if its slot was skipped."""
    last_success: datetime | None
    """When the last successful test was made. Only the last month that has rows is searched."""
    failures_in_a_row: int | None
    """Slots that failed since the last successful test. A test without a slot counts as one. Null if there is no test.
    """
    down_in_a_row: int | None
    """Of these, the slots that failed as they do when the line is down, since a server last answered."""
    rows_without_status: int
    """Rows of the last month whose status is none of ok, failed and skipped: nobody knows what they say."""
    data_bytes_of_month: int
    """Bytes that tests moved in this calendar month, by the wall clock in each row's zone, like `bytes_by_month`."""


def of(rows: Rows, location: str, now: datetime) -> LineState:
    """Return the state of a location. Raises the errors of `Rows.of`."""
    return of_rows(newest(rows, location, now), location, now, rows.folders.result_dir)


def of_rows(frame: pd.DataFrame, location: str, now: datetime, result_dir: Path) -> LineState:
    """Return the state of a location, computed from its newest rows. RESULT_DIR tells whether it is measured there."""
    frame = frame[frame["status"] != "outage"]
    tests = _first_opinions(frame[frame["status"].isin(("ok", "failed"))])
    good = tests[tests["status"] == "ok"]
    last = next(iter(results(tests.tail(1))), None)
    known = frame[frame["status"].isin(slots.STATUSES)]
    latest = next(iter(results(known.tail(1))), None)
    last_success = next(iter(results(good.tail(1))), None)
    zone = calendar.zone_of(frame)
    is_of_month = calendar.months(frame) == calendar.month(now, zone)
    failures, down = slots.in_a_row(tests)
    line = LineState(
        location=location,
        zone=zone.key,
        condition="no-test",
        up=None,
        watch=None,
        last=last,
        skipped=latest if latest and latest.status == "skipped" else None,
        last_success=last_success.timestamp if last_success else None,
        failures_in_a_row=failures,
        down_in_a_row=down,
        rows_without_status=len(frame) - len(known),
        data_bytes_of_month=int(frame.loc[is_of_month, "data_bytes"].sum()),
    )
    return at(line, now, result_dir)


def _first_opinions(tests: pd.DataFrame) -> pd.DataFrame:
    """Leave out the tests with one stream that came after another: they are no state of the line."""
    is_second = tests["engine"].isin(SECOND_OPINIONS) & tests["slot"].isna()
    return tests[~is_second]


def at(line: LineState, now: datetime, result_dir: Path) -> LineState:
    """Return a state as it is now if no row has come since.

    The watch decides, where there is one; else the last test, until the next row is overdue.
    """
    condition = _condition(line.last, line.skipped or line.last, now)
    if condition == "late" and _is_of_another(result_dir, line.location):
        condition = "not-seen"
    seen = _watch(result_dir, line.location, now)
    if seen and seen.state != "unknown":
        condition = seen.state
    return msgspec.structs.replace(
        line, condition=condition, up={"up": True, "down": False}.get(condition), watch=_watch_now(seen, now)
    )


def daemon(result_dir: Path, now: datetime) -> DaemonState | None:
    """Return what the heartbeat in this folder says, None if there is none or it cannot be read."""
    said = _heartbeat(result_dir)
    if said is None:
        return None
    return DaemonState(
        location=said.location,
        next_due=said.next_due,
        late=said.is_late(now, time.monotonic()),
        rows_waiting=said.rows_waiting,
        files_waiting=said.files_waiting,
        files_waiting_since=said.files_waiting_since,
    )


def results(rows: pd.DataFrame) -> list[Result]:
    """Return the rows of a table from `Rows.of`."""
    columns = [_plain(rows[name]) for name in Result.__struct_fields__]
    return [Result(**dict(zip(Result.__struct_fields__, row, strict=True))) for row in zip(*columns, strict=True)]


def newest(rows: Rows, location: str, now: datetime) -> pd.DataFrame:
    """Return the rows of the last 32 days.

    If the line is no longer measured, return the last 32 days in which it was.
    """
    frame = rows.of(now - _LOOKED_BACK, now + _DAY, location)
    for end in _ends(rows, location) if frame.empty else ():
        frame = rows.of(end - _LOOKED_BACK, end, location)
        if len(frame):
            break
    return frame


def _ends(rows: Rows, location: str) -> Iterator[datetime]:
    """Yield the ends of the last day with CSV files (any location) and with Parquet files (this one), newest first."""
    places = (*rows.folders.csv, partitions.location_folder(rows.folders.upload_dir, location))
    last = {days[-1] for place in places if (days := span.near([day for day, _ in partitions.days(place)]))}
    for day in sorted(last, reverse=True):
        yield datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY


def _is_of_another(result_dir: Path, location: str) -> bool:
    """Return whether the daemon of a RESULT_DIR measures another line."""
    said = _heartbeat(result_dir)
    return said is not None and said.location not in (None, location)


def _watch(result_dir: Path, location: str, now: datetime) -> WatchState | None:
    """Return what a watch over this line sees now, None if there is none."""
    try:
        is_now = (result_dir / watch_state.FILE_NAME).stat()
        seen = _watch_file(result_dir, (is_now.st_ino, is_now.st_mtime_ns))
    except (OSError, msgspec.MsgspecError):
        return None
    return seen if seen.location == location and seen.is_fresh(now) else None


@lru_cache(maxsize=1)
def _watch_file(result_dir: Path, _version: tuple[int, int]) -> WatchState:
    """Return what the file says. Thousands of lines ask for the same one."""
    return watch_state.read(result_dir)


def _watch_now(seen: WatchState | None, now: datetime) -> WatchNow | None:
    """Return what the watch sees. While the line stays down, its seconds run on after the file was written."""
    if seen is None:
        return None
    found = WatchNow(**{name: getattr(seen, name) for name in WatchNow.__struct_fields__})
    if seen.state != "down":
        return found
    more = max((now - seen.seen).total_seconds(), 0.0)
    return msgspec.structs.replace(
        found, down_seconds=found.down_seconds + more, watched_seconds=found.watched_seconds + more
    )


def _heartbeat(result_dir: Path) -> Heartbeat | None:
    try:
        return heartbeat.read(result_dir)
    except (OSError, msgspec.MsgspecError):
        return None


def _condition(last: Result | None, latest: Result | None, now: datetime) -> Condition:
    if not last or not latest:
        return "no-test"
    if not _is_current(latest, now) or now - last.timestamp > _LONGEST_SKIP + _current_for(latest):
        return "late"
    if last.status == "ok":
        return "up"
    if last.line:
        return "down" if last.line == "down" else "test-failed"
    return "down" if slots.is_of_a_dead_line(last.error_kind) else "test-failed"


def _is_current(latest: Result, now: datetime) -> bool:
    return now - latest.timestamp <= _current_for(latest)


def _current_for(row: Result) -> timedelta:
    return timedelta(seconds=2 * row.interval_seconds + _LATE_SECONDS) if row.interval_seconds else _DAY


def _plain(column: pd.Series) -> list[Any]:
    """Return the values as plain Python objects, None for missing ones."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if value is pd.NaT else value.to_pydatetime().astimezone(UTC) for value in column]
    return [None if value is pd.NA or value != value else value for value in column.tolist()]  # noqa: PLR0124 (NaN)
