"""Make one attempt: run a speed-test program within limits and return one Measurement, good or failed."""

import itertools
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from speedtest import programs
from speedtest.engines import asked_for
from speedtest.engines.engine import Engine, Target
from speedtest.engines.output import total_bytes
from speedtest.engines.steps import Steps, Stopped
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import ERROR_WORDS_LIMIT, Failure, Measurement
from speedtest.process import Finished, Sieve, Stop
from speedtest.programs import Program
from speedtest.values.hosts import version_of

events = Events(__name__)

ARGUMENTS = "arguments"
"""The field of a row that holds the user's own arguments for the program."""

_UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate signed by unknown authority|certificate verify failed")

_REFUSED = "connection refused"
"""What C, Python and Go say for ECONNREFUSED."""

STEP_TRIES = 3
STEP_PAUSE_SECONDS = 0.5

TRIED = "servers_tried"
"""The field of a row that says which servers were asked before, and why they did not measure."""


class Slot(msgspec.Struct, frozen=True):
    """When a test is due, and the number of the attempt for it, from 1."""

    due: datetime
    attempt: int = 1
    ends: float = math.inf
    """When the next slot is due, by the monotonic clock."""
    campaign: str | None = None
    """The measuring campaign that it belongs to."""
    patience: float = 0.0
    """Of a campaign: how long the test may wait for a quiet line, in seconds."""


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
        ip_version=settings.speedtest_ip_version,
        arguments=settings.speedtest_arguments.get(engine.name, ()),
        ca_file=str(settings.speedtest_ca_file) if settings.speedtest_ca_file else None,
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
    around = programs.child_environment(environment, settings.speedtest_ca_file, ours=program.engine.ours)
    steps = Steps(program.path, settings.speedtest_timeout_seconds, stop, around, sieve)
    try:
        measurement = _in_utc(_attempt(program.engine, where, steps))
    except Stopped:
        return None
    except OSError as error:
        words = f"could not start {program.path}: {error.strerror}"
        measurement = _failed(started_at, Failure("not-found", words))
    except Failure as failure:
        measurement = _failed(started_at, _advised(_told_apart(failure), settings))
    if where.arguments:
        measurement.raw = measurement.raw | {ARGUMENTS: shlex.join(where.arguments)}
    return msgspec.structs.replace(
        measurement,
        started_at=started_at,
        engine=program.engine.name,
        engine_version=program.version,
        exit_code=_exit_code(measurement, steps),
        duration_seconds=round(steps.seconds, 3) if steps.ended else None,
        interval_seconds=settings.sleep_seconds,
        ip_version=measurement.ip_version or where.ip_version or version_of(where.interface),
        speedtest_address=settings.speedtest_location_uuid,
        commit_hash=settings.commit_hash,
        timezone=settings.tz,
        slot=slot.due,
        attempt=slot.attempt,
    )


def _exit_code(measurement: Measurement, steps: Steps) -> int | None:
    """Return how the last step exited. A good result has 0, whatever became of a step that it did not need."""
    if not steps.ended:
        return None
    return 0 if measurement.status == "ok" else steps.ended[-1].exit_code


def _attempt(engine: Engine, where: Target, steps: Steps) -> Measurement:
    """Measure at the first of the engine's servers that can. Raises the last failure, `server-busy` before others."""
    if where.excluded_id and engine.listing:
        listed = engine.listing.read(steps.run(engine.listing.arguments(where)))
        where = msgspec.structs.replace(
            where, server_id=next((server for server in listed if server != where.excluded_id), None)
        )
    failures: dict[str, Failure] = {}
    for place in engine.places(where):
        try:
            return _after(failures, _test(engine, place, steps))
        except Failure as failure:
            failures[place.server or ""] = failure
            if not engine.passes_on(failure) or not steps.left:
                break
    *_, last = failures.values()
    worst = next((failure for failure in failures.values() if failure.kind == "server-busy"), last)
    worst.data_bytes = total_bytes(failure.data_bytes for failure in failures.values())
    if len(failures) > 1:
        worst.raw = worst.raw | {TRIED: _told(failures)}
    raise worst


def _test(engine: Engine, where: Target, steps: Steps) -> Measurement:
    """Run the steps of a test at one server. Raises Failure with what is known of a test that failed."""
    finished: list[Finished] = []
    try:
        _run_steps(engine, where, steps, finished)
        return engine.read(finished)
    except Failure as failure:
        kept = engine.kept(finished)
        failure.raw = failure.raw or kept.raw
        failure.data_bytes = failure.data_bytes if kept.data_bytes is None else kept.data_bytes
        raise
    except (Stopped, OSError):
        raise
    except Exception as error:
        events.bug("could not read the output of %s; please report this", engine.name)
        raise Failure("malformed", f"SpeedSnake could not read the output: {error!r}; please report this") from error


def _run_steps(engine: Engine, where: Target, steps: Steps, finished: list[Finished]) -> None:
    """Run the steps up to the first needed one that fails. Appends each one that ran, also one that was ended."""
    arguments = engine.arguments(where)
    needed = len(arguments) if engine.needed is None else engine.needed
    limits = itertools.chain(engine.seconds(where), itertools.repeat(math.inf))
    for number, (step, seconds) in enumerate(zip(arguments, limits, strict=False), 1):
        if number > needed and not steps.left:
            return
        before = len(steps.ended)
        try:
            _run_step(engine, steps, step, seconds, tries=STEP_TRIES if number > 1 else 1)
        except (Failure, OSError) as error:
            if number <= needed:
                raise
            if isinstance(error, OSError):
                return
        finally:
            finished += steps.ended[before:][-1:]
        if number <= needed and engine.step_failed(finished[-1]):
            return


def _run_step(engine: Engine, steps: Steps, step: Sequence[str], seconds: float, *, tries: int) -> None:
    """Run a step, again after a moment if the server was not ready for it: it may still be busy with the last one."""
    while engine.is_busy(steps.run(step, seconds)) and (tries := tries - 1) and steps.left > STEP_PAUSE_SECONDS:
        steps.wait(STEP_PAUSE_SECONDS)


def _after(failures: Mapping[str, Failure], measurement: Measurement) -> Measurement:
    """Add what failed at other servers before to the measurement."""
    if not failures:
        return measurement
    moved = total_bytes([measurement.data_bytes, *(failure.data_bytes for failure in failures.values())])
    return msgspec.structs.replace(measurement, data_bytes=moved, raw=measurement.raw | {TRIED: _told(failures)})


def _told(failures: Mapping[str, Failure]) -> str:
    return "; ".join(f"{server}: {failure.words}" for server, failure in failures.items())


def _in_utc(measurement: Measurement) -> Measurement:
    """Convert the timestamp to UTC. This can fail on the first and the last day of the calendar."""
    try:
        timestamp = measurement.timestamp.astimezone(UTC)
    except OverflowError:
        words = f"the timestamp {measurement.timestamp.isoformat()} is outside the calendar in UTC"
        raise Failure("rejected", words, measurement.raw, data_bytes=measurement.data_bytes) from None
    return msgspec.structs.replace(measurement, timestamp=timestamp)


def _told_apart(failure: Failure) -> Failure:
    """Return the failure, as `refused` if a host answered that nothing listens at the server's port."""
    if failure.kind in ("exit", "no-output") and _REFUSED in failure.words.lower():
        return Failure("refused", failure.words, failure.raw, data_bytes=failure.data_bytes)
    return failure


def _advised(failure: Failure, settings: Settings) -> Failure:
    """Add what to do if the program does not trust the server's certificate."""
    if not _UNTRUSTED.search(failure.words):
        return failure
    ca_file = settings.speedtest_ca_file
    advice = (
        f"SPEEDTEST_CA_FILE={ca_file} does not have its authority"
        if ca_file
        else "if it is a server of your own, set SPEEDTEST_CA_FILE to its authority's certificate"
    )
    advice = f"the server's certificate is not trusted: {advice}"
    words = f"{failure.words[: ERROR_WORDS_LIMIT - len(advice) - 2]}; {advice}"
    return Failure(failure.kind, words, failure.raw, data_bytes=failure.data_bytes)


def _failed(started_at: datetime, failure: Failure) -> Measurement:
    return Measurement(
        timestamp=started_at,
        status="failed",
        data_bytes=failure.data_bytes,
        error_kind=failure.kind,
        error=failure.words,
        raw=failure.raw,
    )
