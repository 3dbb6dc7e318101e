"""Find speed-test programs on this machine, and which version each is."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from speedtest.engines import asked_for
from speedtest.engines.engine import Engine
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.process import Stop, run

events = Events(__name__)

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
            events.warning(
                "program_missing", "no program found for the engine %s: the others of SPEEDTEST_ENGINE measure", item
            )
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
                if name in engine.programs and (version := engine.version_in(printed)):
                    return Program(engine, path, version, _identity(path))
            events.warning(
                "program_ignored", "ignored %s: it is not %s", path, " or ".join(engine.name for engine in wanted)
            )
    return None


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables a speed-test program gets: no secrets, no Python paths of ours, and a HOME in any case.

    Ookla's CLI aborts without HOME; Python's imports this package in place of itself where PYTHONPATH leads here.
    """
    passed = {name: value for name, value in environment.items() if name not in _PYTHON and not _SECRET.search(name)}
    passed["HOME"] = passed.get("HOME") or passed.get("TMPDIR") or "/tmp"  # noqa: S108 (for its settings file, no secret)
    return passed


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
        finished = run(
            [str(path), "--version"], seconds=VERSION_SECONDS, stop=stop, environment=child_environment(environment)
        )
    except OSError as error:
        events.warning("program_ignored", "could not start %s: %s", path, error.strerror)
        return ""
    return finished.stdout.decode("utf-8", "replace")


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
