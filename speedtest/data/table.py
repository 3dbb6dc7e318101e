"""Parse the CSV files of rows into one Arrow table with the columns of the lake and each row's source.

Files with the same header line, of one day or of several, are joined and parsed at once, because each call of Arrow's
reader costs as much as a day's rows. If that fails, or for a file with more than one row, Python's CSV reader reads
the files of that header one by one: files that cannot be read are returned with the reason, the others are kept. Both
ways give the same rows. `data.csv_rows` says what a file may look like, and what a row's source is.
"""

import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from speedtest.data import schema
from speedtest.data.csv_rows import Source, Unreadable, as_extra, file_of, names_of, rows, source_of, split
from speedtest.values.names import is_location

SOURCE = "source"
"""The column with each row's source. It is not part of the lake."""

_TYPES: dict[schema.Kind, pa.DataType] = {
    "text": pa.string(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "bool": pa.bool_(),
    "instant": pa.timestamp("us", "UTC"),
}
SCHEMA = pa.schema([pa.field(column.name, _TYPES[column.kind]) for column in schema.COLUMNS])
_DAY = "day"
"""The column with the number of a row's day, among days parsed together. No returned table has it."""
_FILED = SCHEMA.append(pa.field(SOURCE, pa.string())).append(pa.field(_DAY, pa.int32()))
_KNOWN = {column.name: _TYPES[column.kind] for column in (*schema.COMMON, *schema.FLATTENED)}
_FLOATS = [number for number, kind in enumerate(_KNOWN.values()) if pa.types.is_floating(kind)]
_INSTANTS = [number for number, kind in enumerate(_KNOWN.values()) if pa.types.is_timestamp(kind)]
_CALENDAR = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_QUOTED_FIELD = re.compile(rb',"[^"]*(?:""[^"]*)*"(?=[,\n])')


class _File(msgspec.Struct):
    """A file with a valid header: the number of its day, its lines after the header, and the source of its row."""

    day: int
    name: str
    body: bytes
    source: str


class _Header(msgspec.Struct):
    """The column names of a header line and the files that have it."""

    names: list[str]
    files: list[_File]


class Parsed(NamedTuple):
    """The rows of a day in time order, each with its source, and the names of unreadable files with the reasons."""

    table: pa.Table
    unreadable: dict[str, str]


def parse(sources: Iterable[Source], address: str) -> Parsed:
    """Parse the files of one day. `address` is the location of rows that name none."""
    return parse_days([sources], address)[0]


def parse_days(days: Sequence[Iterable[Source]], address: str) -> list[Parsed]:
    """Parse the files of several days together, with the results that `parse` gives for each day."""
    unreadable: list[dict[str, str]] = [{} for _ in days]
    headers = _by_header(days, unreadable)
    tables = [table for header in headers for table in _tables(header, unreadable)] or [_FILED.empty_table()]
    table = _with_addresses(pa.concat_tables(tables).combine_chunks(), address, unreadable)
    table = table.sort_by([(_DAY, "ascending"), ("timestamp", "ascending"), ("started_at", "ascending")])
    rows = Counter(table[_DAY].to_pylist())
    table = table.drop_columns([_DAY])
    starts = itertools.accumulate((rows[day] for day in range(len(days))), initial=0)
    return [
        Parsed(table.slice(start, rows[day]), names)
        for day, (start, names) in enumerate(zip(starts, unreadable, strict=False))
    ]


def _by_header(days: Sequence[Iterable[Source]], unreadable: list[dict[str, str]]) -> Iterable[_Header]:
    headers: dict[bytes, _Header | str] = {}
    for day, sources in enumerate(days):
        for source in sources:
            try:
                line, body = split(source.data)
            except Unreadable as why:
                unreadable[day][source.name] = str(why)
                continue
            header = headers.get(line) or headers.setdefault(line, _header(line))
            if isinstance(header, str):
                unreadable[day][source.name] = header
                continue
            header.files.append(_File(day, source.name, body, source_of(source)))
    return [header for header in headers.values() if isinstance(header, _Header)]


def _header(line: bytes) -> _Header | str:
    """Return a header, still without files, or the reason why no file with it can be read."""
    try:
        return _Header(names_of(line), [])
    except Unreadable as why:
        return str(why)


def _tables(header: _Header, unreadable: list[dict[str, str]]) -> Iterable[pa.Table]:
    """Parse plain files at once and the others one by one; all one by one if parsing at once fails."""
    plain, alone = _separate(header)
    table = _parse_joined(header.names, plain)
    if table is not None:
        yield table
    else:
        alone = header.files
    if alone:
        yield _parse_alone(header.names, alone, unreadable)


def _separate(header: _Header) -> tuple[list[_File], list[_File]]:
    """Separate the files that seem to hold one row, as far as can be seen without a parser, from the others."""
    if "status" not in header.names:
        return [], header.files
    if _are_bare_lines(header.files, len(header.names)):
        return header.files, []
    plain: list[_File] = []
    alone: list[_File] = []
    for file in header.files:
        (plain if _is_one_row(file.body, len(header.names)) else alone).append(file)
    return plain, alone


def _are_bare_lines(files: Sequence[_File], fields: int) -> bool:
    """Check all files together for one row each and no quotes. Arrow refuses rows with different counts of commas."""
    joined = b"".join(file.body for file in files)
    commas, lines = joined.count(b","), joined.count(b"\n")
    return (commas, lines) == (len(files) * (fields - 1), len(files)) and b'"' not in joined and b"\r" not in joined


def _is_one_row(body: bytes, fields: int) -> bool:
    """Check without a parser: outside quoted fields the expected commas, one newline and no stray quote."""
    bare = _QUOTED_FIELD.sub(b",", body) if b'"' in body else body
    return bare.count(b",") == fields - 1 and bare.count(b"\n") == 1 and b'"' not in bare and b"\r" not in bare


def _parse_joined(names: list[str], files: Sequence[_File]) -> pa.Table | None:
    """Parse one-row files of one header at once; return None if that would lose anything."""
    joined = b"".join(file.body for file in files)
    if not joined or b"0x" in joined or b"0X" in joined:  # only Arrow reads 0x10 as a number
        return None
    strangers = [name for name in names if name not in _KNOWN]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(joined),
            arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(joined) + 1),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types=_KNOWN | dict.fromkeys(strangers, pa.string()),
                include_columns=[*_KNOWN, *strangers],
                include_missing_columns=True,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["true", "True"],
                false_values=["false", "False"],
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = table.columns
    if table.num_rows != len(files) or table["timestamp"].null_count or not _all_sound(columns):
        return None
    rows = table.select(strangers).to_pylist() if strangers else [{}] * len(files)
    extra = pa.array([as_extra(row) for row in rows], pa.string())
    sources = pa.array([file.source for file in files], pa.string())
    days = pa.array([file.day for file in files], pa.int32())
    return pa.Table.from_arrays([*columns[: len(_KNOWN)], extra, sources, days], schema=_FILED)


def _all_sound(columns: "Sequence[pa.ChunkedArray[Any]]") -> bool:
    """Return whether each number is finite and each instant is in Python's calendar. Arrow accepts more than that."""
    floats = _stacked(columns, _FLOATS)
    instants = _stacked(columns, _INSTANTS)
    first, last = (pa.scalar(limit, _TYPES["instant"]) for limit in _CALENDAR)
    in_calendar = pc.and_(pc.greater_equal(instants, first), pc.less_equal(instants, last))
    return all(pc.all(sound).as_py() is not False for sound in (pc.is_finite(floats), in_calendar))


def _stacked(columns: "Sequence[pa.ChunkedArray[Any]]", numbers: Sequence[int]) -> "pa.ChunkedArray[Any]":
    """Join columns of one type into a single column, to check all of them at once."""
    return pa.chunked_array([chunk for number in numbers for chunk in columns[number].chunks])


def _parse_alone(names: list[str], files: Sequence[_File], unreadable: list[dict[str, str]]) -> pa.Table:
    """Read file by file. If any row of a file cannot be read, the whole file is unreadable."""
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            read = rows(names, file.body, file.source)
        except Unreadable as why:
            unreadable[file.day][file.name] = str(why)
        else:
            found += [row.values | {SOURCE: row.source, _DAY: file.day} for row in read]
    return pa.Table.from_pylist(found, schema=_FILED)


def _with_addresses(table: pa.Table, address: str, unreadable: list[dict[str, str]]) -> pa.Table:
    """Set the location of rows that name none; drop files whose location cannot be a folder's name."""
    index = table.schema.get_field_index("speedtest_address")
    filled = table["speedtest_address"].fill_null(pa.scalar(address))
    table = table.set_column(index, table.schema.field(index), filled)
    bad = {name for name in filled.unique().to_pylist() if not is_location(str(name))}
    if not bad:
        return table
    files = [(row[_DAY], file_of(row[SOURCE])) for row in table.select([_DAY, SOURCE]).to_pylist()]
    for (day, file), name in zip(files, filled.to_pylist(), strict=True):
        if name in bad:
            unreadable[day][file] = f"the speedtest_address {name!r} cannot be the name of a folder"
    return table.filter(pa.array([file not in unreadable[day] for day, file in files], pa.bool_()))
