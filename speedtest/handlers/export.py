"""Write rows for other programs: `speedsnake export`.

Exit codes: 0 done · 1 a file of the lake cannot be read, or the output cannot be written · 64 wrong arguments ·
78 wrong configuration.
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
from speedtest.terminal.options import Locations, Output, Provider, Since, Until
from speedtest.values.period import Unclear, period


class Format(StrEnum):
    """The output formats."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


def export(  # noqa: PLR0913 (each is an option)
    *,
    since: Since = None,
    until: Until = None,
    location: Locations = None,
    isp: Provider = None,
    form: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.csv,
    output: Output = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV: leave texts unchanged, even if a spreadsheet would run them.")
    ] = False,
) -> None:
    """Write rows as CSV, JSON or Parquet.

    Writes each row once, converted or not, with every column. In CSV, a text that begins with = + - @, a tab or a
    carriage return gets an apostrophe in front, so that no spreadsheet runs it as a formula. --raw leaves such texts
    unchanged.

    With -o, the file appears when it is complete, and replaces an older one.

    Exit codes: 0 done, 1 a file cannot be read or written, 64 wrong arguments, 78 wrong configuration.
    """
    from speedtest.data import lake, parquet  # noqa: PLC0415 (help and completion do not need it)
    from speedtest.data.formats import through, write  # noqa: PLC0415 (the same)

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
            write(days if isp is None else through(isp, days), form.value, out, raw=raw)
    except BrokenPipeError:
        raise
    except (parquet.Damaged, OSError) as error:
        exits.end(exits.FAILED, f"the export failed: {error}")


@contextmanager
def _opened(output: Path | None, form: Format) -> Iterator[BinaryIO]:
    """Yield the stream to write to."""
    if output is None or str(output) == "-":
        if form is Format.parquet and sys.stdout.isatty():
            exits.end(os.EX_USAGE, "Parquet cannot be shown in a terminal: name a file with -o, or use a pipe")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif output.exists() and not output.is_file():  # write to a pipe or a device, never replace it
        with output.open("wb") as out:
            yield out
    else:
        with whole(output) as out:
            yield out


if __name__ == "__main__":
    alone(export)
