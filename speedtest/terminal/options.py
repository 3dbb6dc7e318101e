"""Options that several commands have: which rows are asked for, and where what is made of them goes."""

from pathlib import Path
from typing import Annotated

import typer

from speedtest.values.period import EXAMPLES

Since = Annotated[
    str | None, typer.Option(metavar="INSTANT", help=f"From this instant: {EXAMPLES}. Without a zone: UTC.")
]
Until = Annotated[str | None, typer.Option(metavar="INSTANT", help="To before this instant, written in the same way.")]
Locations = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this location; may be given again.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file, not to standard output.")
]
