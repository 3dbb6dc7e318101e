"""Make one attempt: run a speed-test program within limits and return one Measurement, good or failed."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from speedtest import programs
from speedtest.engines import asked_for
from speedtest.engines.engine import Engine, Target
from speedtest.engines.steps import Steps, Stopped
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished, Sieve, Stop
from speedtest.programs import Program

events = Events(__name__)


class Slot(msgspec.Struct, frozen=True):
    """When a test is due, and the number of the attempt for it, from 1."""

    due: datetime
    attempt: int = 1
    ends: float = math.inf
    """When the next slot is due, by the monotonic clock."""


def target(engine: Engine, settings: Settings, turn: int) -> Target:
    """Return where this engine should measure. `turn` counts slots: pinned servers take turns by it.

    The numbers in `SPEEDTEST_SERVER_ID` are from the server list of the first engine in `SPEEDTEST_ENGINE`. They apply
    only to engines with the same list.
    """
    ids = settings.speedtest_server_id
    counted = engine.numbers and engine.numbers == asked_for(settings.speedtest_engine[0])[0].numbers
    return Target(
        server_id=ids[turn % len(ids)] if ids and counted else None,
        server=settings.speedtest_server.get(engine.name),
        interface=settings.speedtest_interface,
        seconds=settings.speedtest_seconds_per_direction,
        udp_mbps=settings.speedtest_udp_mbps,
    )


def elsewhere(target: Target, measurement: Measurement) -> Target:
    """Return the same target on any server but the measured one, if the program can exclude a server."""
    measured = measurement.raw.get("server_id") or target.server_id
    return msgspec.structs.replace(target, server_id=None, excluded_id=measured)


def anywhere(target: Target) -> Target:
    """Return the same target without a pinned server: the program chooses one."""
    return msgspec.structs.replace(target, server_id=None)


def has_vanished(engine: Engine, target: Target, measurement: Measurement) -> bool:
    """Return whether an attempt failed because the pinned server does not exist any more."""
    pinned = target.server_id is not None and measurement.status == "failed"
    return pinned and engine.vanished(measurement.error or "")


def run(  # noqa: PLR0913 (what to run, where, when and in which environment)
    program: Program,
    settings: Settings,
    slot: Slot,
    environment: Mapping[str, str],
    stop: Stop,
    *,
    where: Target | None = None,
    started_at: datetime | None = None,
    sieve: Sieve | None = None,
) -> Measurement | None:
    """Make one attempt and return its row; None if a requested stop ended it.

    Whatever the program does becomes a row. After `SPEEDTEST_TIMEOUT_SECONDS` it is ended with its whole process group.
    Output without a result makes a failed row with the program's own words. Without `where`, pinned servers take turns
    from slot to slot. A `sieve` receives the output while the program runs; the program is then asked to report its
    progress.
    """
    if stop.requested:
        return None
    started_at = started_at or datetime.now(UTC)
    where = where or target(program.engine, settings, round(slot.due.timestamp() / settings.sleep_seconds))
    where = msgspec.structs.replace(where, live=sieve is not None)
    steps = Steps(
        program.path, settings.speedtest_timeout_seconds, stop, programs.child_environment(environment), sieve
    )
    try:
        measurement = _in_utc(_attempt(program.engine, where, steps))
    except Stopped:
        return None
    except OSError as error:
        words = f"could not start {program.path}: {error.strerror}"
        measurement = _failed(started_at, Failure("not-found", words))
    except Failure as failure:
        measurement = _failed(started_at, failure)
    return msgspec.structs.replace(
        measurement,
        started_at=started_at,
        engine=program.engine.name,
        engine_version=program.version,
        exit_code=steps.ended[-1].exit_code if steps.ended else None,
        duration_seconds=round(steps.seconds, 3) if steps.ended else None,
        interval_seconds=settings.sleep_seconds,
        speedtest_address=settings.speedtest_location_uuid,
        commit_hash=settings.commit_hash,
        timezone=settings.tz,
        slot=slot.due,
        attempt=slot.attempt,
    )


def _attempt(engine: Engine, where: Target, steps: Steps) -> Measurement:
    if where.excluded_id and engine.listing:
        listed = engine.listing.read(steps.run(engine.listing.arguments(where)))
        where = msgspec.structs.replace(
            where, server_id=next((server for server in listed if server != where.excluded_id), None)
        )
    finished: list[Finished] = []
    for arguments in engine.arguments(where):
        finished.append(steps.run(arguments))
        if engine.step_failed(finished[-1]):
            break
    try:
        return engine.read(finished)
    except Failure:
        raise
    except Exception as error:
        events.bug("could not read the output of %s; please report this", engine.name)
        raise Failure("malformed", f"SpeedSnake could not read the output: {error!r}; please report this") from error


def _in_utc(measurement: Measurement) -> Measurement:
    """Convert the timestamp to UTC. This can fail on the first and the last day of the calendar."""
    try:
        timestamp = measurement.timestamp.astimezone(UTC)
    except OverflowError:
        words = f"the timestamp {measurement.timestamp.isoformat()} is outside the calendar in UTC"
        raise Failure("rejected", words, measurement.raw) from None
    return msgspec.structs.replace(measurement, timestamp=timestamp)


def _failed(started_at: datetime, failure: Failure) -> Measurement:
    return Measurement(
        timestamp=started_at, status="failed", error_kind=failure.kind, error=failure.words, raw=failure.raw
    )
