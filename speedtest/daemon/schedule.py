"""When a test may start, and what it costs: decisions from times and rows, without reading a clock or a file.

Local hours and months are those of the C library's time zone, which `TZ` sets. Each instant is converted on its own,
so quiet hours follow the wall clock when daylight saving changes: an hour that is left out is never quiet, an hour
that comes twice is quiet twice.
"""

import math
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from speedtest.environment import Settings
from speedtest.measurement import Measurement, SkipKind
from speedtest.speedtest import Slot
from speedtest.values.hours import MINUTES_PER_DAY
from speedtest.variables import SECONDS_PER_DAY

FIRST_PAUSE_SECONDS = 15 * 60.0
"""The first pause of a rate-limited engine. Ookla's refusals last 15 minutes to 2 hours."""
LONGEST_PAUSE_SECONDS = 2 * 3600.0
FIRST_DELAY_SECONDS = 15.0
BYTES_PER_GB = 10**9
DAYS_PER_MONTH = 30
COUNTED = "counted_bytes"
"""The field of a row that holds its bytes for the budget, if they are not all in `data_bytes`."""
RETRY_AFTER = "retry_after_seconds"
"""The field of a rate-limited row that says how long the service wants to be left alone, if it says so."""
_MONTHS_KEPT = 13


class Pause(msgspec.Struct, frozen=True):
    """When an engine's pause ends, and how long it lasts."""

    until: Annotated[datetime, msgspec.Meta(tz=True)]
    seconds: Annotated[float, msgspec.Meta(gt=0)]


class Typical(msgspec.Struct, frozen=True):
    """What a good test of an engine moved, and how long it took."""

    data_bytes: Annotated[int, msgspec.Meta(ge=0)]
    seconds: Annotated[float, msgspec.Meta(ge=0)]


class Memory(msgspec.Struct, kw_only=True):
    """What must survive a restart. It decides when a test starts; no row depends on it."""

    pauses: dict[str, Pause] = msgspec.field(default_factory=dict, name="rests")
    """By engine name. A pause that is over stays until a success, so that the next one is longer."""
    bytes_by_month: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    """Bytes that the daemon's tests used in each local calendar month, `YYYY-MM`."""
    by_hand: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    """The same of `speedsnake once`, which keeps it in a file of its own: this is what was read there last."""
    last_good: dict[str, Typical] = {}
    """The last good test by engine: what is assumed of one whose bytes nothing tells."""
    running: str | None = None
    """The engine that was started last, until its bytes are counted: after a crash they are assumed."""
    second_opinions: list[Annotated[datetime, msgspec.Meta(tz=True)]] = []
    """When the last public tests of `daemon.second_opinion` began."""
    second_opinion_due: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    slots_measured: int = 0
    """How many slots had an attempt. Pinned servers take turns by it."""


class Skip(msgspec.Struct, frozen=True):
    """Why no test may start now."""

    kind: SkipKind
    words: str
    engine: str | None = None


BUSY = Skip("busy", "the last test was still running")


def refusal(settings: Settings, engines: Sequence[str], memory: Memory, now: datetime) -> Skip | None:
    """Return why no engine may test now; None if one may. Checks quiet hours, then the data budget, then pauses."""
    if is_quiet(settings, now):
        return Skip("quiet-hours", f"{time.strftime('%H:%M', time.localtime(now.timestamp()))} is in QUIET_HOURS")
    budget = settings.data_budget_gb_per_month
    if budget is not None and (used := gigabytes(memory, now)) >= budget:
        return Skip("data-budget", f"tests in {month(now)} used {used:.3f} GB; the data budget is {budget:g} GB")
    if all(is_paused(memory, engine, now) for engine in engines):
        first = min(engines, key=lambda engine: memory.pauses[engine].until)
        until = memory.pauses[first].until
        return Skip("backing-off", f"{first} is paused until {until:%Y-%m-%d %H:%M:%S}Z: it was rate-limited", first)
    return None


def skipped(slot: Slot, why: Skip, settings: Settings) -> Measurement:
    """Return the row of a skipped slot. Its timestamp is the slot."""
    return Measurement(
        timestamp=slot.due,
        status="skipped",
        engine=why.engine,
        error_kind=why.kind,
        error=why.words,
        interval_seconds=settings.sleep_seconds,
        speedtest_address=settings.speedtest_location_uuid,
        commit_hash=settings.commit_hash,
        timezone=settings.tz,
        slot=slot.due,
    )


def is_quiet(settings: Settings, now: datetime) -> bool:
    """Return whether `QUIET_HOURS` covers the local time of this instant."""
    if not settings.quiet_hours:
        return False
    local = time.localtime(now.timestamp())
    return settings.quiet_hours.covers(local.tm_hour * 60 + local.tm_min)


def is_paused(memory: Memory, engine: str, now: datetime) -> bool:
    """Return whether an engine is paused. An impossibly long pause is ignored: the clock was set back after it."""
    pause = memory.pauses.get(engine)
    return pause is not None and timedelta(0) < pause.until - now <= timedelta(seconds=2 * LONGEST_PAUSE_SECONDS)


def note(memory: Memory, measurement: Measurement, now: datetime) -> None:
    """Note a row for later tests: a pause starts, doubles or is forgotten; bytes are added to the month."""
    engine = measurement.engine
    if engine and measurement.error_kind == "rate-limited":
        before = memory.pauses.get(engine)
        seconds = min(before.seconds * 2, LONGEST_PAUSE_SECONDS) if before else FIRST_PAUSE_SECONDS
        until = now + timedelta(seconds=max(seconds, min(_asked_for(measurement), LONGEST_PAUSE_SECONDS)))
        memory.pauses[engine] = Pause(until, seconds)
    elif engine and measurement.status == "ok":
        memory.pauses.pop(engine, None)
    count(memory.bytes_by_month, counted(measurement), now)
    if engine and measurement.status == "ok" and measurement.data_bytes:
        memory.last_good[engine] = Typical(measurement.data_bytes, measurement.duration_seconds or 0.0)


def _asked_for(measurement: Measurement) -> float:
    """Return for how many seconds the service wants to be left alone; 0 if it does not say."""
    text = measurement.raw.get(RETRY_AFTER) or ""
    return float(text) if text.isascii() and text.isdigit() else 0.0


def count(bytes_by_month: dict[str, int], moved: int, now: datetime) -> None:
    """Add bytes to the month."""
    if moved:
        this = month(now)
        bytes_by_month[this] = bytes_by_month.get(this, 0) + moved
        for old in sorted(bytes_by_month)[:-_MONTHS_KEPT]:
            del bytes_by_month[old]


def counted(measurement: Measurement) -> int:
    """Return the bytes of a row that count towards the data budget."""
    return int(measurement.raw.get(COUNTED) or measurement.data_bytes or 0)


def with_count(measurement: Measurement, by_interface: int | None, memory: Memory) -> Measurement:
    """Return the row with the bytes that count towards the budget, if the program did not tell them all.

    Those are what the network interface moved meanwhile, else what the engine's last good test moved in that time; at
    least what the program told. A program that was not started moved nothing.
    """
    if measurement.duration_seconds is None or (measurement.status == "ok" and measurement.data_bytes is not None):
        return measurement
    if by_interface is None:
        by_interface = assumed(memory, measurement.engine, measurement.duration_seconds)
    moved = max(by_interface, measurement.data_bytes or 0)
    return msgspec.structs.replace(measurement, raw=measurement.raw | {COUNTED: str(moved)})


def assumed(memory: Memory, engine: str | None, seconds: float = math.inf) -> int:
    """Return the bytes of the engine's last good test, or as much of them as fits into so many seconds."""
    last = memory.last_good.get(engine or "")
    if last is None:
        return 0
    return last.data_bytes if seconds >= last.seconds else round(last.data_bytes * seconds / last.seconds)


def month(now: datetime) -> str:
    """Return the local calendar month, `YYYY-MM`."""
    return time.strftime("%Y-%m", time.localtime(now.timestamp()))


def gigabytes(memory: Memory, now: datetime) -> float:
    """Return the data that this month's tests have used, in GB of 10^9 bytes."""
    this = month(now)
    return (memory.bytes_by_month.get(this, 0) + memory.by_hand.get(this, 0)) / BYTES_PER_GB


def is_below(settings: Settings, measurement: Measurement) -> bool:
    """Return whether a result is so low that it needs a confirmation."""
    limits = settings.speedtest_confirm_below_mbps
    found = (measurement.download_mbps, measurement.upload_mbps)
    return limits is not None and any(
        mbps is not None and mbps < limit for mbps, limit in zip(found, limits, strict=True)
    )


def retry_delay(settings: Settings, due: datetime, retry: int) -> float:
    """Return the seconds to wait before a retry: 15, 30, 60 and so on, plus up to half. Retries count from 1."""
    spread = _chance(settings.speedtest_location_uuid, due.isoformat(), retry)
    return FIRST_DELAY_SECONDS * 2 ** (retry - 1) * (1 + spread / 2)


def jitter(settings: Settings, tick: int) -> float:
    """Return the seconds from a tick to its slot. They depend only on the location and the tick."""
    if not settings.sleep_jitter_seconds:
        return 0.0
    return settings.sleep_jitter_seconds * _chance(settings.speedtest_location_uuid, tick)


def _chance(*seed: str | int) -> float:
    """Return a number from 0 to 1 that depends only on the seed."""
    import random  # noqa: PLC0415 (a daemon without jitter or failures never needs it)

    return random.Random(" ".join(map(str, seed))).random()  # noqa: S311 (spreads load, protects no secret)


def slots_per_day(settings: Settings) -> float:
    """Return how many tests a day the interval gives outside quiet hours."""
    quiet = settings.quiet_hours.minutes if settings.quiet_hours else 0
    return SECONDS_PER_DAY / settings.sleep_seconds * (1 - quiet / MINUTES_PER_DAY)
