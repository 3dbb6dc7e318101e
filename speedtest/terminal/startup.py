"""What every command does first: read the settings, or say all that is wrong with them and end."""

import logging
import os
import sys

from speedtest import environment
from speedtest.engines import ENGINES, asked_for
from speedtest.environment import Mistakes, Settings
from speedtest.terminal import exits

logger = logging.getLogger(__name__)


def no_arguments(command: str, meaning: str | None) -> None:
    """End if anything stands behind a command that takes no arguments: `--help` with its meaning, all else with 64."""
    match sys.argv[1:]:
        case []:
            return
        case ["--help" | "-h"]:
            sys.stdout.write(f"usage: python -m speedtest.handlers.{command}\n\n{meaning}")
            sys.exit(exits.OK)
        case _:
            exits.end(os.EX_USAGE, f"usage: python -m speedtest.handlers.{command} (it takes no arguments)")


def settings() -> Settings:
    """Return the settings in force; end with exit code 78, and a line for each mistake, if they cannot be."""
    try:
        return environment.read(os.environ, ENGINES)
    except Mistakes as mistakes:
        exits.end(exits.MISCONFIGURED, *mistakes.lines)


def warn_of_unknown_variables() -> None:
    """Log a line for each `SPEEDTEST_*` variable that means nothing."""
    for line in environment.unknown(os.environ, ENGINES):
        logger.warning("%s", line)


def no_program(settings: Settings) -> str:
    """Return what to say when no speed-test program answers."""
    engines = [engine for name in settings.speedtest_engine for engine in asked_for(name)]
    wanted = [engine.name for engine in engines]
    names = dict.fromkeys(name for engine in engines for name in engine.programs)
    return (
        f"no speed-test program found: none of {', '.join(names)} on PATH answers as {' or '.join(wanted)}; "
        "run ./bootstrap.sh setup, or install one and check with python -m speedtest.handlers.loop --check"
    )
