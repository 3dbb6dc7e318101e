"""Find the speed-test programs on this machine, and their versions."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from speedtest.engines import asked_for, items
from speedtest.engines.engine import Engine
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.process import Stop, run
from speedtest.version import VERSION

events = Events(__name__)

VERSION_SECONDS = 15.0
"""How long a program may take to print its version. The Python program takes a second on a slow machine."""

_SECRET = re.compile(r"^(AWS|AZURE|GOOGLE|DELIVER)_|(^|_)TOKEN$|(^|_)SECRET|(^|_)PASSWORD", re.IGNORECASE)
_PYTHON = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"})


class Program(msgspec.Struct, frozen=True):
    """A speed-test program on this machine: its engine, its path, its version and the identity of its file."""

    engine: Engine
    path: Path
    version: str
    identity: tuple[int, int, int]

    def is_unchanged(self) -> bool:
        """Return whether the same file is still there, so that its version is still valid."""
        try:
            return _identity(self.path) == self.identity
        except OSError:
            return False


def find(settings: Settings, environment: Mapping[str, str], stop: Stop) -> Program | None:
    """Return the first program found for `SPEEDTEST_ENGINE`; None if there is none."""
    return next(iter(find_all(settings, environment, stop).values()), None)


def find_all(settings: Settings, environment: Mapping[str, str], stop: Stop) -> dict[str, Program]:
    """Return the programs found for `SPEEDTEST_ENGINE`, by its items. Items without a program on PATH are left out."""
    found: dict[str, Program] = {}
    for item in items(settings.speedtest_engine):
        program = find_one(item, environment, stop)
        if program:
            found[item] = program
        elif len(settings.speedtest_engine) > 1:
            events.warning(
                "program_missing",
                "no program found for %s: install it or remove it from SPEEDTEST_ENGINE; the other engines measure",
                item,
            )
    return found


def find_one(item: str, environment: Mapping[str, str], stop: Stop) -> Program | None:
    """Return the program for one item of `SPEEDTEST_ENGINE`; None if there is none.

    A file name proves nothing: `speedtest` may be Ookla's or the Python program. So each is asked for its version.
    """
    wanted = asked_for(item)
    if stop.requested:
        return None
    if ours := next((engine for engine in wanted if engine.ours), None):
        return Program(ours, Path(sys.executable), VERSION, _identity(Path(sys.executable)))
    for name in dict.fromkeys(name for engine in wanted for name in engine.programs):
        for path in _on_path(name, environment):
            printed = _version_answer(path, environment, stop)
            if stop.requested:
                return None
            if printed is None:
                continue
            for engine in wanted:
                if name in engine.programs and (version := engine.version_in(printed)):
                    return Program(engine, path, version, _identity(path))
            events.warning(
                "program_ignored", "ignored %s: it is not %s", path, " or ".join(engine.name for engine in wanted)
            )
    return None


def child_environment(
    environment: Mapping[str, str], ca_file: Path | None = None, *, ours: bool = False
) -> dict[str, str]:
    """Return the environment of a speed-test program: no secrets, no Python paths of ours, and always a HOME.

    With a `ca_file`, librespeed-cli (Go), speedtest-cli and our own program (OpenSSL) trust the authorities in it.
    A module of `ours` finds this package.

    Ookla's CLI aborts without HOME. With our PYTHONPATH, the Python program imports this package instead of its own.
    """
    passed = {name: value for name, value in environment.items() if name not in _PYTHON and not _SECRET.search(name)}
    if ours:
        passed["PYTHONPATH"] = str(Path(__file__).absolute().parents[1])
    passed["HOME"] = passed.get("HOME") or passed.get("TMPDIR") or "/tmp"  # noqa: S108 (for its settings file, no secret)
    return passed | ({"SSL_CERT_FILE": str(ca_file.absolute())} if ca_file else {})


def _on_path(name: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the absolute path of every executable of this name on PATH, each once."""
    folders = dict.fromkeys(environment.get("PATH", os.defpath).split(os.pathsep))
    for folder in folders:
        path = Path(folder or ".", name).absolute()
        if os.access(path, os.X_OK) and path.is_file():  # in this order: is_file raises without access
            yield path


def _version_answer(path: Path, environment: Mapping[str, str], stop: Stop) -> str | None:
    """Return what the program prints for `--version`; None, with a warning, if it cannot be started."""
    try:
        finished = run(
            [str(path), "--version"], seconds=VERSION_SECONDS, stop=stop, environment=child_environment(environment)
        )
    except OSError as error:
        events.warning("program_ignored", "could not start %s: %s", path, error.strerror)
        return None
    return finished.stdout.decode("utf-8", "replace")


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
