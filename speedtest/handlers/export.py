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
from speedtest.data.partitions import Folders
from speedtest.data.schema import BY_NAME
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.options import Locations, Output, Provider, Since, Until
from speedtest.values import separators
from speedtest.values.misspelt import nearest
from speedtest.values.period import Unclear
from speedtest.values.separators import Separators


class Format(StrEnum):
    """The output formats."""

    csv = "csv"
    json = "json"
    parquet = "parquet"
    xlsx = "xlsx"


_BINARY = {Format.parquet: "Parquet", Format.xlsx: "A workbook"}


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
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these columns, in this order: timestamp,download_mbps.")
    ] = None,
    for_spreadsheet: Annotated[
        bool, typer.Option("--for-spreadsheet", help="CSV that LibreOffice and Excel open rightly, with local times.")
    ] = False,
    locale: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --for-spreadsheet: its language, such as de_DE, for decimal commas."),
    ] = None,
) -> None:
    """Write rows as CSV, JSON, Parquet or a workbook for Excel.

    Writes each row once, converted or not, with every column or those of --columns. In CSV, a text that begins with
    = + - @, a tab or a carriage return gets an apostrophe in front, so that no spreadsheet runs it as a formula. --raw
    leaves such texts unchanged.

    For a spreadsheet, use --format xlsx, or --for-spreadsheet for CSV. Both have local times and a column with the
    zone.

    A day or a time without a zone is local time of the line. With several lines it is local time of TZ, or of this
    machine: write a zone, or choose one line by --location.

    With -o, the file appears when it is complete, and replaces an older one.

    Exit codes: 0 done, 1 a file cannot be read or written, 64 wrong arguments, 78 wrong configuration.
    """
    from speedtest.data import lake, parquet  # noqa: PLC0415 (help and completion do not need it)
    from speedtest.data.formats import through, write  # noqa: PLC0415 (the same)
    from speedtest.data.spreadsheets import TooManyRows  # noqa: PLC0415 (the same)
    from speedtest.figures import zones  # noqa: PLC0415 (the same)
    from speedtest.figures.rows import Rows  # noqa: PLC0415 (the same)

    settings = startup.settings()
    rows = Rows(Folders(settings.result_dir, settings.upload_dir))
    try:
        first, last = zones.between(rows, location or [], since, until, datetime.now(UTC))
    except Unclear as unclear:
        exits.end(os.EX_USAGE, str(unclear))
    except (parquet.Damaged, OSError) as error:
        exits.end(exits.FAILED, f"the export failed: {error}")
    names = _known(columns)
    marks = _marks(form, locale, for_spreadsheet=for_spreadsheet)
    days = lake.read_days(
        since=first,
        until=last,
        location=location or None,
        upload_dir=settings.upload_dir,
        result_dir=settings.result_dir,
    )
    try:
        with _opened(output, form) as out:
            chosen = days if isp is None else through(isp, days)
            write(chosen, form.value, out, raw=raw, columns=names, spreadsheet=marks)
    except BrokenPipeError:
        raise
    except (parquet.Damaged, TooManyRows, OSError) as error:
        exits.end(exits.FAILED, f"the export failed: {error}")


def _known(columns: str | None) -> list[str] | None:
    """Return the names of the columns, each once. If one is unknown, name the nearest and exit with 64."""
    if columns is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in columns.split(",") if name.strip()))
    if not names:
        exits.end(os.EX_USAGE, "--columns names no column: write --columns timestamp,download_mbps")
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        told = [f"--columns: there is no column {name[:80]!r}: did you mean {_nearest(name)}?" for name in unknown]
        exits.end(os.EX_USAGE, *told)
    return names


def _nearest(name: str) -> str:
    return nearest(name[:80], tuple(BY_NAME))


def _marks(form: Format, locale: str | None, *, for_spreadsheet: bool) -> Separators | None:
    """Return the marks of a CSV file for a spreadsheet, None for any other form."""
    if for_spreadsheet and form not in {Format.csv, Format.xlsx}:
        exits.end(os.EX_USAGE, f"--for-spreadsheet is for CSV and xlsx, not for {form.value}")
    if locale is not None and (form is not Format.csv or not for_spreadsheet):
        exits.end(os.EX_USAGE, "--locale is for CSV with --for-spreadsheet; the other formats are the same everywhere")
    if form is not Format.csv or not for_spreadsheet:
        return None
    try:
        return separators.marks(locale) if locale is not None else Separators()
    except separators.UnknownLocale as unknown:
        exits.end(os.EX_USAGE, f"--locale: {unknown}")


@contextmanager
def _opened(output: Path | None, form: Format) -> Iterator[BinaryIO]:
    """Yield the stream to write to."""
    if output is None or str(output) == "-":
        if form in _BINARY and sys.stdout.isatty():
            shown = _BINARY[form]
            exits.end(os.EX_USAGE, f"{shown} cannot be shown in a terminal: name a file with -o, or use a pipe")
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
