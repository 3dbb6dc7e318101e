"""Print for people: colours only in a terminal, and no text of a row can control the terminal."""

import sys

from rich.console import Console
from rich.text import Text

from speedtest.logging import harmless

LONGEST = 200
"""How many characters of a value are shown."""
_WIDTH = 22


def console(*, errors: bool = False) -> Console:
    """Return the console to print to. It uses colours only in a terminal without `NO_COLOR`, and reads no markup."""
    return Console(stderr=errors, markup=False, highlight=False, emoji=False, soft_wrap=True)


def shown(value: object, longest: int = LONGEST) -> str:
    """Return a value of a row as one line without control characters, cut if it is too long."""
    text = str(value)
    return harmless(text if len(text) <= longest else f"{text[: longest - 1]}…")


def line(name: str, value: object, style: str = "") -> Text:
    """Return a line with a name and a value."""
    return Text.assemble((f"{name:<{_WIDTH - 1}} ", "bold"), (shown(value, LONGEST * 4), style))


def watched() -> bool:
    """Say whether standard error, where bars are drawn, is a terminal."""
    return sys.stderr.isatty()
