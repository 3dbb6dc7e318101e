"""What every command does first: read the settings, or say all that is wrong with them and end."""

import errno
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from speedtest import environment
from speedtest.engines import ENGINES, asked_for
from speedtest.environment import Mistakes, Settings

OK = 0
FAILED = 1
NO_PROGRAM = os.EX_UNAVAILABLE
BUSY = os.EX_TEMPFAIL
MISCONFIGURED = os.EX_CONFIG
INTERRUPTED = 130
"""As a shell has it for a program that Ctrl-C ended."""

logger = logging.getLogger(__name__)


def no_arguments(command: str, meaning: str | None) -> None:
    """End if anything stands behind a command that takes no arguments: `--help` with its meaning, all else with 64."""
    match sys.argv[1:]:
        case []:
            return
        case ["--help" | "-h"]:
            sys.stdout.write(f"usage: python -m speedtest.handlers.{command}\n\n{meaning}")
            sys.exit(OK)
        case _:
            end(os.EX_USAGE, f"usage: python -m speedtest.handlers.{command} (it takes no arguments)")


def settings() -> Settings:
    """Return the settings in force; end with exit code 78, and a line for each mistake, if they cannot be."""
    try:
        return environment.read(os.environ, ENGINES)
    except Mistakes as mistakes:
        end(MISCONFIGURED, *mistakes.lines)


def warn_of_unknown_variables() -> None:
    """Log a line for each `SPEEDTEST_*` variable that means nothing."""
    for line in environment.unknown(os.environ, ENGINES):
        logger.warning("%s", line)


def refusal(folder: Path) -> OSError | None:
    """Make the folder and a file in it; return why that cannot be done, None if it can.

    The file has one name for all, so that one which a kill left behind goes with the next.
    """
    probe = folder / ".probe.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"probe\n")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return error
    return None


def passes(error: OSError) -> bool:
    """Say whether a refusal is of a kind that ends by itself or by making room: no reason not to measure."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EINTR}


def no_program(settings: Settings) -> str:
    """Return what to say when no speed-test program answers."""
    engines = [engine for name in settings.speedtest_engine for engine in asked_for(name)]
    wanted = [engine.name for engine in engines]
    names = dict.fromkeys(name for engine in engines for name in engine.programs)
    return (
        f"no speed-test program found: none of {', '.join(names)} on PATH answers as {' or '.join(wanted)}; "
        "run ./bootstrap.sh setup, or install one and check with python -m speedtest.handlers.loop --check"
    )


def end(code: int, *lines: str) -> NoReturn:
    """Say why on standard error and exit."""
    for line in lines:
        sys.stderr.write(line + "\n")
    sys.exit(code)
