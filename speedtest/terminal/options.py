"""Options that several commands share: which rows to use, and where to write the output."""

from pathlib import Path
from typing import Annotated

import typer

from speedtest.values.period import EXAMPLES

Since = Annotated[str | None, typer.Option(metavar="TIME", help=f"Start at this time: {EXAMPLES}.")]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stop before this time: the same forms. A day is left out itself.")
]
Locations = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this location. Can be repeated.")]
Provider = Annotated[
    str | None, typer.Option("--isp", metavar="NAME", help="Only the tests that name this internet provider.")
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of standard output.")
]
