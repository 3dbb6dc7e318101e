"""What commands do first: read the settings, check the folders, take the lock; or exit and say why not."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from speedtest import environment
from speedtest.data import probe
from speedtest.data.lock import Held, Lock
from speedtest.engines import ENGINES, asked_for
from speedtest.environment import Mistakes, Settings
from speedtest.logging import Events
from speedtest.terminal import exits
from speedtest.variables import MEASURING, Part

_BOOTSTRAP = Path(__file__).parents[2] / "bootstrap.sh"

events = Events(__name__)


def no_arguments(command: str, meaning: str | None) -> None:
    """Refuse arguments: print `meaning` for `--help` and exit with 0; exit with 64 for any other argument."""
    match sys.argv[1:]:
        case []:
            return
        case ["--help" | "-h"]:
            sys.stdout.write(f"usage: python -m speedtest.handlers.{command}\n\n{meaning}")
            sys.exit(exits.OK)
        case _:
            exits.end(os.EX_USAGE, f"usage: python -m speedtest.handlers.{command} (it takes no arguments)")


def settings(parts: frozenset[Part] = MEASURING, variables: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings. If any is wrong, print a line for each mistake and exit with 78."""
    try:
        return environment.read(variables, ENGINES, parts)
    except Mistakes as mistakes:
        exits.end(exits.MISCONFIGURED, *mistakes.lines)


def warn_of_unknown_variables() -> None:
    """Log a warning for each variable that looks like a misspelt one of ours."""
    for line in environment.unknown(os.environ, ENGINES):
        events.warning("unknown_variable", "%s", line)


def warn_of_arguments(settings: Settings) -> None:
    """Log a warning for each engine whose own arguments may change what it measures."""
    for name, arguments in settings.speedtest_arguments.items():
        if doubtful := ENGINES[name].options.doubtful(arguments):
            events.warning(
                "arguments_added",
                "%s is started with %s: this may change what it measures; compare its rows only with rows of the same"
                " arguments",
                name,
                " ".join(doubtful),
            )


def take_lock(lock_name: str, busy: str, **folders: Path) -> Lock:
    """Take the lock of this name in the first folder. If another process holds it, say `busy` and who, and exit.

    Also exits if a folder cannot be written. If the reason may be temporary, such as a full disk, it is only logged.
    """
    for name, folder in folders.items():
        why = probe.refusal(folder)
        if why and not probe.may_pass(why):
            advice = f"set {name} to another folder, or change its owner or mode"
            exits.end(exits.MISCONFIGURED, f"{name} {folder} cannot be written: {probe.why(folder, why)}; {advice}")
        if why:
            events.error("folder_refused", "%s %s cannot be written now: %s", name, folder, why.strerror)
    name, folder = next(iter(folders.items()))
    try:
        return Lock(folder / lock_name)
    except Held as held:
        exits.end(exits.BUSY, f"{busy}: {held}")
    except OSError as error:
        exits.end(exits.MISCONFIGURED, f"{name} {folder} cannot be locked: {error.strerror}")


def no_program(settings: Settings) -> str:
    """Return the message for when no speed-test program is found."""
    engines = [engine for name in settings.speedtest_engine for engine in asked_for(name)]
    wanted = [engine.name for engine in engines]
    names = dict.fromkeys(name for engine in engines for name in engine.programs)
    return (
        f"no speed-test program found: none of {', '.join(names)} on PATH is a working {' or '.join(wanted)}; "
        f"{_how_to_bring_one()}; `speedsnake check` lists the programs found"
    )


def _how_to_bring_one() -> str:
    """Name bootstrap.sh only if it is there: an image or an installed package has none."""
    install = "install one"
    return f"run {_BOOTSTRAP} setup, or {install}" if _BOOTSTRAP.exists() else install
