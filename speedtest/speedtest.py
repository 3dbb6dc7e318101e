"""Start the chosen speed-test program, bounded, and return one Measurement, good or failed."""

import logging
import os
import re
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from speedtest.engines import ENGINES
from speedtest.engines.output import Engine, last_words
from speedtest.environment import Settings
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished, Stop, run as run_program

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


def find(settings: Settings, environment: Mapping[str, str], stop: Stop) -> Program | None:
    """Return the program that `SPEEDTEST_ENGINE` asks for, None if it is not on PATH or does not answer as itself.

    A name is not trusted: `speedtest` may be Ookla's or Python's program, so each is asked for its version.
    """
    wanted = list(ENGINES.values())
    if settings.speedtest_engine != "auto":
        wanted = [ENGINES[settings.speedtest_engine]]
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


def run(
    program: Program, settings: Settings, slot: Slot, environment: Mapping[str, str], stop: Stop
) -> Measurement | None:
    """Make one attempt and return its row; None if it was ended by a requested stop.

    Whatever the program does becomes a row: it is ended with its whole group after `SPEEDTEST_TIMEOUT_SECONDS`, and an
    answer that is no result is a failed row with the program's own words.
    """
    if stop.requested:
        return None
    started_at = datetime.now(UTC)
    arguments = [str(program.path), *program.engine.arguments(settings.speedtest_server_id)]
    logger.debug("started %s", " ".join(arguments))
    finished: Finished | None = None
    try:
        finished = run_program(
            arguments,
            seconds=settings.speedtest_timeout_seconds,
            stop=stop,
            environment=child_environment(environment),
        )
        if finished.ended == "stopped":
            return None
        measurement = _read(program.engine, finished, settings.speedtest_timeout_seconds)
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
        exit_code=finished.exit_code if finished else None,
        duration_seconds=round(finished.seconds, 3) if finished else None,
        interval_seconds=settings.sleep_seconds,
        speedtest_address=settings.speedtest_location_uuid,
        commit_hash=settings.commit_hash,
        timezone=settings.tz,
        slot=slot.due,
        attempt=slot.attempt,
    )


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables a speed-test program gets: no secrets, no Python paths of ours, and a HOME in any case.

    Ookla's CLI aborts without HOME; Python's imports this package in place of itself where PYTHONPATH leads here.
    """
    passed = {name: value for name, value in environment.items() if name not in _PYTHON and not _SECRET.search(name)}
    passed["HOME"] = passed.get("HOME") or passed.get("TMPDIR") or "/tmp"  # noqa: S108 (for its settings file, no secret)
    return passed


def _read(engine: Engine, finished: Finished, limit: float) -> Measurement:
    if finished.ended == "timeout":
        words = last_words(finished.stderr, finished.stdout)
        raise Failure("timeout", f"ended after {limit:g} s{': ' if words else ''}{words}")
    if finished.exit_code < 0:
        words = last_words(finished.stderr, finished.stdout)
        raise Failure("signal", f"ended by {_signal_name(-finished.exit_code)}{': ' if words else ''}{words}")
    try:
        return engine.read(finished)
    except Failure:
        raise
    except Exception as error:
        logger.exception("the answer of %s could not be read; please report this", engine.name)
        raise Failure("malformed", f"SpeedSnake could not read the answer: {error!r}") from error


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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
