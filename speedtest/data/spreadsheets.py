"""Rows for people with a spreadsheet: CSV that a double click opens rightly, and Excel workbooks (`.xlsx`).

Instants are local times at the line, `2026-11-20 14:03:05`, to the second: this form is a date in every language of
LibreOffice and Excel. All instants of a row have the UTC offset of its `timestamp`, and the column `timezone` says zone
and offset, `Europe/Zurich +01:00`, so that no time is ambiguous when the clocks change. Rows without a zone are in UTC.

CSV has a byte-order mark, CRLF, and the decimal mark and separator of a language. Numbers have no exponent, and
booleans are 1 and 0, because the words for true and false differ from language to language.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import cache
from typing import BinaryIO
from zoneinfo import ZoneInfo

import pyarrow as pa
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from speedtest.data import schema
from speedtest.data.table import SCHEMA
from speedtest.values.separators import Separators

type Cell = str | float | bool | datetime | None
type CsvLines = Iterator[list[Cell]]

ZONE = "timezone"
MOST_ROWS = 1_048_575
"""How many rows a worksheet holds besides its header."""

LONGEST_TEXT = 32_767
"""In UTF-16 units: what a cell holds. A longer text is cut and ends in `…`."""

_EXACT = 2**53
"""Whole numbers beyond this are text in a workbook, whose numbers are floating point."""

LARGEST = 9.99e307
"""Numbers beyond this are text in a workbook: Excel knows none."""

_FIRST_DATE = datetime(1900, 3, 1)  # noqa: DTZ001 (local time); spreadsheets disagree about the days before
_WIDTH = 20


class TooManyRows(Exception):
    """The rows do not fit into a worksheet."""


def names_for(columns: list[str] | None) -> list[str]:
    """Return the columns to write: the wanted ones, and the zone if one of them is a time."""
    if columns is None:
        return SCHEMA.names
    has_time = any(schema.BY_NAME[name].kind == "instant" for name in columns)
    return [*columns, ZONE] if has_time and ZONE not in columns else columns


def write_csv(tables: Iterable[pa.Table], out: BinaryIO, names: list[str], marks: Separators) -> int:
    """Write rows as CSV for a spreadsheet and return how many."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, delimiter=marks.separator, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(names)
    rows = 0
    for cells in _lines(tables, names):
        writer.writerow([_text(cell, marks) for cell in cells])
        rows += 1
    text.detach()
    return rows


def write_xlsx(tables: Iterable[pa.Table], out: BinaryIO, names: list[str]) -> int:
    """Write rows as a workbook and return how many; rows go to a temporary file, not to memory.

    A text is never a formula or a link. Raises TooManyRows.
    """
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet("speedtests")
        dates = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(names) - 1, _WIDTH)
        for at, name in enumerate(names):
            sheet.write_string(0, at, name, book.add_format({"bold": True}))
        rows = 0
        for cells in _lines(tables, names):
            rows += 1
            if rows > MOST_ROWS:
                raise TooManyRows(f"a worksheet holds {MOST_ROWS} rows: narrow the period by --since and --until")
            for at, cell in enumerate(cells):
                _put(sheet, rows, at, cell, dates)
        sheet.autofilter(0, 0, max(rows, 1), len(names) - 1)
    return rows


def _put(sheet: Worksheet, row: int, at: int, cell: Cell, dates: Format) -> None:
    match cell:
        case None:
            pass
        case bool():
            sheet.write_boolean(row, at, cell)
        case datetime() if cell >= _FIRST_DATE:
            sheet.write_datetime(row, at, cell, dates)
        case float() | int() if abs(cell) <= (LARGEST if isinstance(cell, float) else _EXACT):
            sheet.write_number(row, at, cell)
        case _:
            sheet.write_string(row, at, _fitting(str(cell)))


def _fitting(text: str) -> str:
    """Cut a text that is too long for a cell."""
    if len(text.encode("utf-16-le")) // 2 <= LONGEST_TEXT:
        return text
    return text.encode("utf-16-le")[: (LONGEST_TEXT - 1) * 2].decode("utf-16-le", "ignore") + "…"


def _text(cell: Cell, marks: Separators) -> str | None:
    match cell:
        case bool():
            return "1" if cell else "0"
        case float():
            return format(Decimal(repr(cell)), "f").replace(".", marks.decimal)
        case None:
            return None
        case _:
            return str(cell)


def _lines(tables: Iterable[pa.Table], names: list[str]) -> CsvLines:
    """Yield the cells of each row, times local."""
    needed = list(dict.fromkeys([*names, "timestamp", ZONE]))
    for table in tables:
        for batch in table.select(needed).to_batches(max_chunksize=1000):
            for row in batch.to_pylist():
                zone = _zone_at(row[ZONE], row["timestamp"])
                row[ZONE] = " ".join(filter(None, (row[ZONE], zone.tzname(None))))
                yield [_local(row[name], zone) for name in names]


def _local(value: Cell, zone: tzinfo) -> Cell:
    if not isinstance(value, datetime):
        return value
    try:
        return value.astimezone(zone).replace(microsecond=0, tzinfo=None)
    except OverflowError:  # the first or the last day of all
        return value.replace(microsecond=0, tzinfo=None)


def _zone_at(name: str | None, when: datetime | None) -> timezone:
    """Return the offset of a zone at a time as a zone; that of UTC if there is no such zone."""
    offset = (when or datetime.now(UTC)).astimezone(_zone(name)).utcoffset() or timedelta(0)
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return timezone(timedelta(minutes=minutes), f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}")


@cache
def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # a row can hold any text
        return UTC
