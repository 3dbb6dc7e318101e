"""Build and run the commands of `speedsnake`, with their examples and the exit codes of the README."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

from speedtest.terminal import exits

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
_TYPERS_USAGE = 2
_OUTPUT_ENDED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a write to standard output can fail with; a pipe that nobody reads any more is Typer's to handle."""


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
    code: str | int | None = exits.OK
    try:
        try:
            app()
        except SystemExit as ended:
            code = os.EX_USAGE if ended.code == _TYPERS_USAGE else ended.code
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        if error.filename or error.errno not in _OUTPUT_ENDED:
            raise
        _give_up_output()
        if code in (exits.OK, None):
            exits.end(exits.FAILED, f"could not write the output: {error.strerror}; make room, or write it elsewhere")
    sys.exit(code)


def _give_up_output() -> None:
    """Drop what standard output still holds: Python would try to write it again at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def find_programs_beside() -> None:
    """Append the folder of this Python to PATH: `bootstrap.sh` installs speed-test programs there."""
    beside = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if beside not in folders:
        os.environ["PATH"] = os.pathsep.join([*folders, beside])
