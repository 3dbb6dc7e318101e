"""Export rows as CSV, JSON or Parquet, with all columns or some. Only a few days are in memory at a time.

CSV has a header, null as the empty field, empty text as `""`, and instants in ISO 8601. JSON is one array with one
object for each row, each on its own line. Parquet is like the lake's own files, without their list of sources.
`data.spreadsheets` writes the forms for people.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from speedtest.data import schema, spreadsheets
from speedtest.data.table import SCHEMA
from speedtest.values.separators import Separators

type FormatName = Literal["csv", "json", "parquet", "xlsx"]

ROWS_AT_ONCE = 5_000
_ISP = ("isp", "client_isp")
_OBJECTS_AT_ONCE = 1000
_FORMULA = "^[=+\\-@\t\r\n]"
"""Characters that begin a formula in a spreadsheet, or that a spreadsheet skips before a formula."""


def write(  # noqa: PLR0913 (each by name)
    days: Iterable[pa.Table],
    form: FormatName,
    out: BinaryIO,
    *,
    raw: bool = False,
    columns: list[str] | None = None,
    spreadsheet: Separators | None = None,
) -> int:
    """Write the rows and return how many; only these columns, in this order, if `columns` is given.

    In CSV, text that looks like a formula gets an apostrophe, unless `raw`. With `spreadsheet`, CSV is for a
    spreadsheet that has these marks. Raises spreadsheets.TooManyRows if the rows do not fit into a workbook.
    """
    names = SCHEMA.names if columns is None else columns
    wanted = pa.schema([SCHEMA.field(name) for name in names])
    tables = _joined(days)
    harmless = tables if raw else map(_harmless, tables)
    match form:
        case "csv" if spreadsheet:
            return spreadsheets.write_csv(harmless, out, spreadsheets.names_for(columns), spreadsheet)
        case "xlsx":
            return spreadsheets.write_xlsx(tables, out, spreadsheets.names_for(columns))
        case "csv":
            return _write_csv((table.select(names) for table in harmless), out, wanted)
        case "json":
            return _write_json((table.select(names) for table in tables), out)
        case "parquet":
            return _write_parquet((table.select(names) for table in tables), out, wanted)


def through(isp: str, days: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield only the rows that name this provider. Ookla's CLI and speedtest-cli have a column each for it."""
    for table in days:
        columns: list[Any] = [pc.if_else(pc.equal(table[name], pa.scalar("")), None, table[name]) for name in _ISP]
        yield table.filter(pc.equal(pc.coalesce(*columns), pa.scalar(isp)))


def _joined(days: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Join days until they have enough rows to be written together."""
    begun: list[pa.Table] = []
    for table in days:
        begun.append(table)
        if sum(part.num_rows for part in begun) >= ROWS_AT_ONCE:
            yield pa.concat_tables(begun)
            begun = []
    yield pa.concat_tables([SCHEMA.empty_table(), *begun])


def _write_csv(tables: Iterable[pa.Table], out: BinaryIO, wanted: pa.Schema) -> int:
    rows = 0
    written = pa.schema([(field.name, _text_of_instant(field.type)) for field in wanted])
    with csv.CSVWriter(out, written) as writer:
        for table in tables:
            writer.write_table(_with_instants_as_text(table).cast(written))
            rows += table.num_rows
    return rows


def _write_json(tables: Iterable[pa.Table], out: BinaryIO) -> int:
    rows = 0
    for table in tables:
        for few in _with_instants_as_text(table).to_batches(max_chunksize=_OBJECTS_AT_ONCE):
            for row in few.to_pylist():
                out.write(b",\n" if rows else b"[\n")
                out.write(msgspec.json.encode(row))
                rows += 1
    out.write(b"\n]\n" if rows else b"[]\n")
    return rows


def _write_parquet(tables: Iterable[pa.Table], out: BinaryIO, wanted: pa.Schema) -> int:
    rows = 0
    version = {"speedsnake.schema_version": str(schema.SCHEMA_VERSION)}
    with pq.ParquetWriter(out, wanted.with_metadata(version), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _text_of_instant(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _with_instants_as_text(table: pa.Table) -> pa.Table:
    for number, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            text = pc.strftime(table.column(number), format="%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(number, field.name, text)
    return table


def _harmless(table: pa.Table) -> pa.Table:
    for number, field in enumerate(SCHEMA):
        if pa.types.is_string(field.type):
            column: Any = table.column(number)
            marked = pc.replace_substring_regex(column, pattern=_FORMULA, replacement="'\\0")
            table = table.set_column(number, field, marked)
    return table
