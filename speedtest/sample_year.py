"""Make up a year of plausible rows of two lines, to show what SpeedSnake can show before it has measured for a year.

A cable line at home, measured every ten minutes: slow in the evenings, one slow month, an outage of hours and many
short ones, two days without a daemon, days over Wi-Fi, sometimes lost packets (see `sample_watch`). A fibre line in an
office, measured every half hour: slower on working days, quiet hours at night. The same seed and the same time give the
same rows. Their `engine` is `demo`, a name that no real engine has.
"""

import itertools
import math
import random
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from speedtest import sample_watch
from speedtest.data import partitions, results
from speedtest.measurement import ErrorKind, Measurement, SkipKind
from speedtest.sample_watch import SampleOutage

ENGINE = "demo"
DAYS = 365
_SEED = 7
_VERSION = "1.0"
_SPEED_OF_TEST = 11.0
"""Seconds that a test loads each direction."""

_AWAY, _SLOW = (118, 120), (205, 235)
"""Periods of the home line, in days ago: no daemon ran, every test was slow."""
_SLOW_SHARE, _STALLED_SHARE, _WEEKEND_DIP = 0.52, 0.4, 0.2
_FAILED, _BUSY, _STALLED, _LOSSY = 0.004, 0.001, 0.003, 0.02
"""How often a test fails, a slot is skipped, a download stalls and packets are lost."""
_SECOND_SERVER = 0.3
_SATURDAY = 5

FAILURES: tuple[tuple[ErrorKind, str, int | None], ...] = (
    ("exit", "Cannot open socket", 2),
    ("exit", "Cannot read: ", 2),
    ("timeout", "ended after 120 s", -15),
    ("no-output", "the program printed nothing", 0),
    ("malformed", "the result is not valid JSON: Input data was truncated", 0),
    ("rate-limited", "Limit reached: Too many requests received", 173),
)
_DOWN: tuple[ErrorKind, str, int | None] = ("exit", "Configuration - Could not resolve host name", 2)


class SampleServer(msgspec.Struct, frozen=True):
    """A server, and the latency that its distance adds."""

    id: str | None
    name: str | None
    location: str | None
    extra_ms: float


NOBODY = SampleServer(None, None, None, 0.0)
"""The server of a failed test: empty, so that all rows have the same columns."""
SERVERS = (SampleServer("1001", "Demo Carrier", "Bern", 0.0), SampleServer("1002", "Demo University", "Basel", 4.5))


class SampleLine(msgspec.Struct, frozen=True, kw_only=True):
    """The usual values of a line."""

    location: str
    zone: str
    minutes: int
    offset: timedelta
    """Added to all slots, so that no two lines are measured in the same second."""
    download_mbps: float
    upload_mbps: float
    latency_ms: float
    bloat_ms: float
    dip: float
    """The share of the speed that is lost in the busiest hour."""
    busiest: float
    """The busiest hour of the day, local time."""
    working_days: bool
    quiet_hour: int | None = None


LINES = (
    SampleLine(
        location="demo-home",
        zone="Europe/Zurich",
        minutes=10,
        offset=timedelta(),
        download_mbps=262.0,
        upload_mbps=41.0,
        latency_ms=14.0,
        bloat_ms=55.0,
        dip=0.38,
        busiest=21.0,
        working_days=False,
    ),
    SampleLine(
        location="demo-office",
        zone="Europe/Zurich",
        minutes=30,
        offset=timedelta(minutes=5),
        download_mbps=940.0,
        upload_mbps=910.0,
        latency_ms=3.2,
        bloat_ms=7.0,
        dip=0.16,
        busiest=14.5,
        working_days=True,
        quiet_hour=3,
    ),
)


def write(result_dir: Path, now: datetime) -> int:
    """Write both lines' rows up to `now` and return how many.

    Today's rows have a file each, as the daemon writes them. A complete day has one file for each line. Nothing is
    synced to the disk, because everything can be made again.
    """
    count = 0
    today = now.astimezone(UTC).date()
    for line in LINES:
        for day, measured in itertools.groupby(map(results.encode, rows(line, now)), lambda row: row.timestamp.date()):
            folder = partitions.day_folder(result_dir, day)
            folder.mkdir(parents=True, exist_ok=True)
            members = list(measured)
            count += len(members)
            for file in [[row] for row in members] if day == today else [members]:
                header, _, _ = file[0].data.partition(b"\n")
                path = folder / f"speedtest_{file[0].timestamp:%H-%M-%S}.csv"
                path.write_bytes(
                    b"\n".join([header, *(row.data.partition(b"\n")[2].rstrip(b"\n") for row in file), b""])
                )
    return count


def rows(line: SampleLine, now: datetime) -> Iterator[Measurement]:
    """Yield a line's rows of the year before `now`, oldest first."""
    chance = random.Random(f"{_SEED} {line.location}")  # noqa: S311 (plausible, not secret)
    zone = ZoneInfo(line.zone)
    step = timedelta(minutes=line.minutes)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    slot = midnight - timedelta(days=DAYS) + line.offset
    outages = deque(sample_watch.outages(_seed(line), now, DAYS, is_home=not line.working_days))
    probes = random.Random(f"{_seed(line)} probes")  # noqa: S311 (the same)
    begun: list[SampleOutage] = []
    while slot < now - timedelta(minutes=1):
        begun = [each for each in begun if each.end > slot - step]
        new = [outages.popleft() for _ in itertools.takewhile(lambda each: each.start < slot, list(outages))]  # noqa: B023 (used at once)
        begun += new
        is_down = any(slot < each.end for each in begun)
        ago = (now - slot) / timedelta(days=1)
        row = _row(line, slot, slot.astimezone(zone), chance, ago=ago, is_down=is_down)
        if row:
            yield from (sample_watch.row(outage, _common(line, slot)) for outage in new)
            yield msgspec.structs.replace(row, **sample_watch.seen(begun, slot, step, line.latency_ms, probes))
        slot += step


def _seed(line: SampleLine) -> str:
    return f"{_SEED} {line.location}"


def _row(  # noqa: PLR0913 (a slot and how long ago it was, and what its row is made from)
    line: SampleLine, slot: datetime, local: datetime, chance: random.Random, *, ago: float, is_down: bool
) -> Measurement | None:
    """Return the row of a slot, `ago` days ago; None while no daemon ran."""
    is_home = not line.working_days
    if is_home and _AWAY[0] < ago < _AWAY[1]:
        return None
    if local.hour == line.quiet_hour:
        return _skipped(line, slot, "quiet-hours", f"{local:%H:%M} is in QUIET_HOURS")
    if is_down:
        return _failed(line, slot, _DOWN)
    if chance.random() < _FAILED:
        return _failed(line, slot, chance.choice(FAILURES))
    if chance.random() < _BUSY:
        return _skipped(line, slot, "busy", "the last test was still running")
    slow = _SLOW_SHARE if is_home and _SLOW[0] < ago < _SLOW[1] else 1.0
    return _measured(line, slot, slow * _share(line, local), chance, ago)


def _share(line: SampleLine, local: datetime) -> float:
    """Return the share of the line's speed that is left at this local hour."""
    hour = local.hour + local.minute / 60
    apart = min(abs(hour - line.busiest), 24 - abs(hour - line.busiest))
    resting = line.working_days and local.weekday() >= _SATURDAY
    return 1 - line.dip * math.exp(-((apart / 2.6) ** 2)) * (_WEEKEND_DIP if resting else 1)


def _measured(line: SampleLine, slot: datetime, share: float, chance: random.Random, ago: float) -> Measurement:
    server = SERVERS[chance.random() < _SECOND_SERVER]
    download = line.download_mbps * share * chance.gauss(1, 0.03)
    download *= _STALLED_SHARE if chance.random() < _STALLED else 1
    upload = line.upload_mbps * (0.4 + 0.6 * share) * chance.gauss(1, 0.03)
    moved = (download + upload) * 1e6 / 8 * _SPEED_OF_TEST
    around = sample_watch.around(ago, moved, chance, is_home=not line.working_days)
    idle = line.latency_ms + server.extra_ms + chance.expovariate(1.2)
    busy = line.bloat_ms * (2 - share)
    seconds = round(chance.uniform(24, 31), 3)
    loss = round(chance.expovariate(1.4), 2) if chance.random() < _LOSSY else 0.0
    return Measurement(
        timestamp=(slot + timedelta(seconds=seconds)).replace(microsecond=0),
        status="ok",
        engine_version=_VERSION,
        download_mbps=round(download * around.share, 3),
        upload_mbps=round(upload * around.share, 3),
        latency_ms=round(idle, 3),
        jitter_ms=round(chance.expovariate(1.5), 3),
        packet_loss_percent=loss,
        download_latency_ms=round(idle + busy * chance.uniform(0.6, 1.4), 3),
        upload_latency_ms=round(idle + busy * chance.uniform(0.9, 2.1), 3),
        data_bytes=int(moved * around.share),
        duration_seconds=seconds,
        exit_code=0,
        **around.columns,
        **_common(line, slot, server),
    )


def _failed(line: SampleLine, slot: datetime, failure: tuple[ErrorKind, str, int | None]) -> Measurement:
    kind, words, exit_code = failure
    return Measurement(
        timestamp=slot,
        status="failed",
        engine_version=_VERSION,
        error_kind=kind,
        error=words,
        exit_code=exit_code,
        duration_seconds=120.0 if kind == "timeout" else 4.2,
        **_common(line, slot),
    )


def _skipped(line: SampleLine, slot: datetime, kind: SkipKind, words: str) -> Measurement:
    common = _common(line, slot) | {"started_at": None, "attempt": None}
    return Measurement(timestamp=slot, status="skipped", error_kind=kind, error=words, **common)


def _common(line: SampleLine, slot: datetime, server: SampleServer = NOBODY) -> dict[str, Any]:
    return {
        "raw": {"server_id": server.id, "server_name": server.name, "server_location": server.location},
        "engine": ENGINE,
        "started_at": slot,
        "interval_seconds": line.minutes * 60.0,
        "speedtest_address": line.location,
        "timezone": line.zone,
        "slot": slot,
        "attempt": 1,
    }
