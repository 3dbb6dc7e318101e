"""What people read in a terminal: colours only there, and nothing that a row holds can steer it."""

import sys

from rich.console import Console
from rich.text import Text

from speedtest.logging import harmless

LONGEST = 200
"""Characters of one value that are shown."""
_WIDTH = 22


def console(*, errors: bool = False) -> Console:
    """Return where to print: colours only on a terminal, none with `NO_COLOR`; texts are never read as markup."""
    return Console(stderr=errors, markup=False, highlight=False, emoji=False, soft_wrap=True)


def shown(value: object, longest: int = LONGEST) -> str:
    """Return a value of a row as one line that a terminal shows and does not obey, cut where it is too long."""
    text = str(value)
    return harmless(text if len(text) <= longest else f"{text[: longest - 1]}…")


def line(name: str, value: object, style: str = "") -> Text:
    """Return a line of a name and a value."""
    return Text.assemble((f"{name:<{_WIDTH}}", "bold"), (shown(value, LONGEST * 4), style))


def watched() -> bool:
    """Say whether somebody looks at standard error, where what moves is drawn."""
    return sys.stderr.isatty()
