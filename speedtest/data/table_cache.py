"""Read Parquet files of the lake as tables and keep some in memory. That is safe: a published file never changes.

Days with CSV files are kept as well: see `data.day_cache`.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from speedtest.data.day_cache import DayCache
from speedtest.data.parquet import sources_of
from speedtest.data.table import SCHEMA

type _Key = tuple[Path, int, tuple[str, ...]]


class TableCache:
    """Reads files and keeps the tables of the `most` recently used ones; 0 keeps none."""

    def __init__(self, most: int = 0) -> None:
        """Start without tables."""
        self._most = most
        self._tables: OrderedDict[_Key, pa.Table] = OrderedDict()
        self.days = DayCache()
        """The days with CSV files."""

    def __len__(self) -> int:
        """Return how many tables are kept."""
        return len(self._tables)

    def read(self, paths: Sequence[Path], columns: list[str]) -> pa.Table:
        """Return the rows of these files. Raises Damaged or OSError, naming the file, if one cannot be read."""
        if len(paths) > self._most:
            return _read(paths, columns)
        return pa.concat_tables([SCHEMA.empty_table().select(columns), *(self._table(path, columns) for path in paths)])

    def _table(self, path: Path, columns: list[str]) -> pa.Table:
        key = (path, path.stat().st_mtime_ns, tuple(columns))
        table = self._tables.pop(key, None)
        if table is None:
            table = _read([path], columns)
        self._tables[key] = table
        if len(self._tables) > self._most:
            self._tables.popitem(last=False)
        return table


def _read(paths: Sequence[Path], columns: list[str]) -> pa.Table:
    if not paths:
        return SCHEMA.empty_table().select(columns)
    try:
        return ds.dataset([str(path) for path in paths], schema=SCHEMA, format="parquet").to_table(columns)
    except (OSError, pa.ArrowException):
        for path in paths:
            sources_of(path)  # raises Damaged for the file that cannot be read
        raise
