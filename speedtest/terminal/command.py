"""Build and run the commands of `speedsnake`, with their examples and the exit codes of the README."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
_TYPERS_USAGE = 2


def add(app: typer.Typer, command: Callable[..., Any], *examples: str) -> None:
    """Add a function to the app as a command. Its docstring is the help; the examples follow it."""
    app.command(epilog="\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples))(command)


def alone(command: Callable[..., Any]) -> NoReturn:
    """Run one command as its own program: `python -m speedtest.handlers.NAME`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(context_settings=HELP_OPTIONS)(command)
    end_with(app)


def end_with(app: typer.Typer) -> NoReturn:
    """Run the app and exit. Wrong arguments exit with 64, like every command here, instead of Typer's 2."""
    find_programs_beside()
    try:
        app()
    except SystemExit as ended:
        sys.exit(os.EX_USAGE if ended.code == _TYPERS_USAGE else ended.code)
    sys.exit(os.EX_OK)


def find_programs_beside() -> None:
    """Append the folder of this Python to PATH: `bootstrap.sh` installs speed-test programs there."""
    beside = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if beside not in folders:
        os.environ["PATH"] = os.pathsep.join([*folders, beside])
