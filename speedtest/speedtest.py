"""Start the chosen speed-test program, bounded, and return one Measurement, good or failed."""

import logging
import math
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from speedtest.daemon.schedule import Skip
from speedtest.engines import asked_for
from speedtest.engines.output import Engine, Target
from speedtest.engines.steps import Steps, Stopped
from speedtest.environment import Settings
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished, Sieve, Stop, run as run_program

logger = logging.getLogger(__name__)

VERSION_SECONDS = 15.0
"""How long a program may take to tell its version; Python's takes a second on a slow machine."""

_SECRET = re.compile(r"^AWS_|(^|_)TOKEN$|(^|_)SECRET|(^|_)PASSWORD", re.IGNORECASE)
_PYTHON = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"})


class Program(msgspec.Struct, frozen=True):
    """A speed-test program on this machine: which engine reads it, where it lies, which version it says it is."""

    engine: Engine
    path: Path
    version: str
    identity: tuple[int, int, int]

    def is_unchanged(self) -> bool:
        """Say whether the same file still lies there, so that its version need not be asked for again."""
        try:
            return _identity(self.path) == self.identity
        except OSError:
            return False


class Slot(msgspec.Struct, frozen=True):
    """The instant a test was due, and which try for that instant it is, from 1."""

    due: datetime
    attempt: int = 1
    ends: float = math.inf
    """When the next one is due, by the monotonic clock."""


def find(settings: Settings, environment: Mapping[str, str], stop: Stop) -> Program | None:
    """Return the first program of those that `SPEEDTEST_ENGINE` asks for, None if there is none."""
    return next(iter(find_all(settings, environment, stop).values()), None)


def find_all(settings: Settings, environment: Mapping[str, str], stop: Stop) -> dict[str, Program]:
    """Return the programs that `SPEEDTEST_ENGINE` asks for, by its items, without those that are not on PATH."""
    found: dict[str, Program] = {}
    for item in settings.speedtest_engine:
        program = find_one(item, environment, stop)
        if program:
            found[item] = program
        elif len(settings.speedtest_engine) > 1:
            logger.warning("no program found for the engine %s: the others of SPEEDTEST_ENGINE have to do", item)
    return found


def find_one(item: str, environment: Mapping[str, str], stop: Stop) -> Program | None:
    """Return the program for one item of `SPEEDTEST_ENGINE`, None if there is none.

    A name is not trusted: `speedtest` may be Ookla's or Python's program, so each is asked for its version.
    """
    wanted = asked_for(item)
    for name in dict.fromkeys(name for engine in wanted for name in engine.programs):
        for path in _on_path(name, environment):
            printed = _version_answer(path, environment, stop)
            if stop.requested:
                return None
            for engine in wanted:
                if name in engine.programs and (version := engine.version(printed)):
                    return Program(engine, path, version, _identity(path))
            logger.warning("passed over %s: it does not say that it is %s", path, " or ".join(e.name for e in wanted))
    return None


def target(engine: Engine, settings: Settings, turn: int) -> Target:
    """Return where this engine shall measure by the settings; `turn` counts tests, for servers that take turns.

    The numbers of `SPEEDTEST_SERVER_ID` are from the list of the engine asked for first; others have other numbers.
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
    """Return the same target with any server but the one that was measured, where the program can leave one out."""
    measured = measurement.raw.get("server_id") or target.server_id
    return msgspec.structs.replace(target, server_id=None, excluded_id=measured)


def anywhere(target: Target) -> Target:
    """Return the same target with the program's own choice of a server."""
    return msgspec.structs.replace(target, server_id=None)


def has_vanished(engine: Engine, target: Target, measurement: Measurement) -> bool:
    """Say whether an attempt failed because the server that was asked for by number is not there any more."""
    pinned = target.server_id is not None and measurement.status == "failed"
    return pinned and engine.vanished(measurement.error or "")


def run(  # noqa: PLR0913 (what, where, when and in what surroundings)
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
    """Make one attempt and return its row; None if it was ended by a requested stop.

    Whatever the program does becomes a row: it is ended with its whole group after `SPEEDTEST_TIMEOUT_SECONDS`, and an
    answer that is no result is a failed row with the program's own words. Without `where`, pinned servers take turns
    from slot to slot. A `sieve` hears what the program prints while it runs, which is then asked to tell of it.
    """
    if stop.requested:
        return None
    started_at = started_at or datetime.now(UTC)
    where = where or target(program.engine, settings, round(slot.due.timestamp() / settings.sleep_seconds))
    where = msgspec.structs.replace(where, live=sieve is not None)
    steps = Steps(program.path, settings.speedtest_timeout_seconds, stop, child_environment(environment), sieve)
    try:
        measurement = _in_utc(_attempt(program.engine, where, steps))
    except Stopped:
        return None
    except OSError as error:
        words = f"{program.path} could not be started: {error.strerror}"
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


def skipped(slot: Slot, why: Skip, settings: Settings) -> Measurement:
    """Return the row of a slot that passes without an attempt; it is dated by the slot."""
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
        logger.exception("the answer of %s could not be read; please report this", engine.name)
        raise Failure("malformed", f"SpeedSnake could not read the answer: {error!r}") from error


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables a speed-test program gets: no secrets, no Python paths of ours, and a HOME in any case.

    Ookla's CLI aborts without HOME; Python's imports this package in place of itself where PYTHONPATH leads here.
    """
    passed = {name: value for name, value in environment.items() if name not in _PYTHON and not _SECRET.search(name)}
    passed["HOME"] = passed.get("HOME") or passed.get("TMPDIR") or "/tmp"  # noqa: S108 (for its settings file, no secret)
    return passed


def _in_utc(measurement: Measurement) -> Measurement:
    """Date it in UTC; the first and the last day of the calendar may have no such date."""
    try:
        timestamp = measurement.timestamp.astimezone(UTC)
    except OverflowError:
        words = f"its timestamp {measurement.timestamp.isoformat()} is beyond the calendar in UTC"
        raise Failure("rejected", words, measurement.raw) from None
    return msgspec.structs.replace(measurement, timestamp=timestamp)


def _failed(started_at: datetime, failure: Failure) -> Measurement:
    return Measurement(
        timestamp=started_at, status="failed", error_kind=failure.kind, error=failure.words, raw=failure.raw
    )


def _on_path(name: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield every executable of this name on PATH, absolute, each once."""
    folders = dict.fromkeys(environment.get("PATH", os.defpath).split(os.pathsep))
    for folder in folders:
        path = Path(folder or ".", name).absolute()
        if os.access(path, os.X_OK) and path.is_file():  # in this order: is_file raises where it may not look
            yield path


def _version_answer(path: Path, environment: Mapping[str, str], stop: Stop) -> str:
    """Return what the program prints when asked for its version; nothing if it cannot be asked."""
    try:
        finished = run_program(
            [str(path), "--version"], seconds=VERSION_SECONDS, stop=stop, environment=child_environment(environment)
        )
    except OSError as error:
        logger.warning("%s could not be started: %s", path, error.strerror)
        return ""
    return finished.stdout.decode("utf-8", "replace")


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
