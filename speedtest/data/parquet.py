"""The Parquet files of the lake: `location=…/year=YYYY/month=MM/day=DD/speedtest_NNN.parquet`, each of one day's rows.

All have the columns of `data.schema`, zstd compression, and statistics of the common columns. Metadata keys:
`speedsnake.schema_version`; `speedsnake.sources`, each row's source on a line: `DIGEST NAME` (see `data.csv_rows`).
"""

import errno
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from speedtest.data import files, schema
from speedtest.data.partitions import SOURCES_KEY, parquet_files
from speedtest.data.table import SCHEMA, SOURCE

VERSION_KEY = "speedsnake.schema_version"


class Damaged(Exception):
    """A Parquet file in the lake cannot be read. Its day is not converted until a person repairs it."""

    def __init__(self, path: Path, why: Exception) -> None:
        """Name the file and say what to do."""
        self.path, self.why = path, str(why)
        super().__init__(
            f"{path} cannot be read ({why}): restore it or move it away; until then its day is not converted"
        )


def sources_of(path: Path) -> set[str]:
    """Return the sources that a Parquet file lists. Raises Damaged if it cannot be read."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return set(metadata.get(SOURCES_KEY.encode(), b"").decode().splitlines())
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise Damaged(path, error) from error


def recover(folder: Path) -> set[str]:
    """Delete half-written files of a killed conversion in a day's folder of the lake; return the sources listed there.

    Raises Damaged if a Parquet file cannot be read, OSError if the folder cannot.
    """
    published = parquet_files(folder)
    files.sweep(sorted(folder.glob(".speedtest_*.parquet.tmp")))
    if published:  # a conversion may have been killed before it synced them
        for path in published:
            files.sync_file(path)
        files.sync_folder(folder)
    return set().union(*(sources_of(path) for path in published))


_WHOLE = [column.name for column in schema.COLUMNS if column.kind in {"instant", "int64", "int32"}]
_ASKED_FOR: Any = [column.name for column in schema.COMMON]


def encode(table: pa.Table) -> pa.Buffer:
    """Return these rows as the bytes of a Parquet file that lists their sources in its metadata.

    The options make a day of 144 rows small: no dictionaries (zstd finds repetitions, also in a day of 17,280 rows),
    differences for whole numbers and instants, and statistics only for the columns that queries filter by.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        compression="zstd",
        use_dictionary=False,
        column_encoding=dict.fromkeys(_WHOLE, "DELTA_BINARY_PACKED"),
        write_statistics=_ASKED_FOR,
        store_schema=False,
    ) as writer:
        writer.write_table(table.drop_columns([SOURCE]))
        writer.add_key_value_metadata(_metadata(table))
    return sink.getvalue()


def _metadata(table: pa.Table) -> dict[str, str]:
    sources = "\n".join(str(source) for source in table[SOURCE].to_pylist())
    return {VERSION_KEY: str(schema.SCHEMA_VERSION), SOURCES_KEY: sources}


def verify(data: bytes, table: pa.Table) -> None:
    """Compare the bytes read back with the rows written: count, columns, every value, the list of sources.

    Raises OSError if anything differs.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            found = file.read(use_threads=False)  # Arrow's threads may abort a process that is just ending
            metadata = {key.decode(): text.decode() for key, text in (file.metadata.metadata or {}).items()}
    except Exception as error:  # a damaged file can raise any exception
        raise OSError(errno.EIO, f"the file that was written is not a Parquet file: {error}") from error
    if not (found.schema.equals(SCHEMA) and found.equals(table.drop_columns([SOURCE]))):
        raise OSError(errno.EIO, "the rows read back differ from the rows written")
    if metadata != _metadata(table):
        raise OSError(errno.EIO, "the list of sources read back differs from the list written")
