"""Rows for other programs: `speedsnake export`.

Exit codes: 0 · 1 a file of the lake cannot be read, or the output not be written · 64 an argument that means nothing ·
78 configuration.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from speedtest.data.files import whole
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.options import Locations, Output, Since, Until
from speedtest.values.period import Unclear, period


class Format(StrEnum):
    """What can be written."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


def export(  # noqa: PLR0913 (each is an option)
    *,
    since: Since = None,
    until: Until = None,
    location: Locations = None,
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.csv,
    output: Output = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV: texts as they are, also those that a spreadsheet would run.")
    ] = False,
) -> None:
    """Write rows for other programs.

    Converted or not, each once, with every column. In CSV a text that begins with = + - @, a tab or a carriage return
    gets an apostrophe before it, so that no spreadsheet takes what a server is called for a formula; --raw leaves
    such texts as they are.

    A file given by -o is there all at once when everything is written; what was there before is replaced.

    Exit codes: 0, 1 a file cannot be read or written, 64 an argument that means nothing, 78 configuration.
    """
    from speedtest.data import lake, parquet  # noqa: PLC0415 (help and completion come without it)
    from speedtest.data.formats import write  # noqa: PLC0415 (the same)

    settings = startup.settings()
    try:
        first, last = period(since, until, datetime.now(UTC))
    except Unclear as unclear:
        exits.end(os.EX_USAGE, str(unclear))
    days = lake.read_days(
        since=first,
        until=last,
        location=location or None,
        upload_dir=settings.upload_dir,
        result_dir=settings.result_dir,
    )
    try:
        with _opened(output, form) as out:
            write(days, form.value, out, raw=raw)
    except BrokenPipeError:
        raise
    except (parquet.Damaged, OSError) as error:
        exits.end(exits.FAILED, f"the export was given up: {error}")


@contextmanager
def _opened(output: Path | None, form: Format) -> Iterator[BinaryIO]:
    """Give what to write to for a block."""
    if output is None or str(output) == "-":
        if form is Format.parquet and sys.stdout.isatty():
            exits.end(os.EX_USAGE, "Parquet is nothing for a terminal: name a file with -o, or send it on with a pipe")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif output.exists() and not output.is_file():  # a pipe or a device is written to, never replaced
        with output.open("wb") as out:
            yield out
    else:
        with whole(output) as out:
            yield out


if __name__ == "__main__":
    alone(export)
