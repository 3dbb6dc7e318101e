"""Files of an earlier version of the schema lie beside new ones, untouched, and every engine reads both."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from samples import HOME, day_of, keep, utc

from speedtest.data import lake, parquet, schema
from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders

DAY = utc(2026, 3, 28)
ADDED = ["clock_synced", "raw_timestamp"]
"""The columns that version 2 added."""


@pytest.fixture
def both(tmp_path: Path) -> Folders:
    """Make two days: the first converted with version 1's columns, the second with today's."""
    folders = Folders(tmp_path / "results", tmp_path / "uploads")
    for number in range(2):
        day = day_of(DAY + timedelta(days=number), 6)
        for row in day:
            row.clock_synced = True
        keep(day, folders.result_dir)
    convert(folders, HOME, date(2026, 4, 1))
    old = next(folders.upload_dir.rglob("day=28/*.parquet"))
    table = pq.ParquetFile(old).read()
    metadata = {**(pq.read_metadata(old).metadata or {}), parquet.VERSION_KEY.encode(): b"1"}
    narrow = table.drop_columns(ADDED).replace_schema_metadata(
        {k: v for k, v in metadata.items() if k != b"ARROW:schema"}
    )
    pq.write_table(narrow, old, store_schema=False)
    return folders


def files(folders: Folders) -> str:
    return f"{folders.upload_dir}/*/*/*/*/*.parquet"


def test_the_version_is_told_by_the_columns() -> None:
    names = [column.name for column in schema.COMMON]
    assert names[names.index("attempt") + 1 :][:2] == ADDED
    assert schema.SCHEMA_VERSION >= 2


def test_read_gives_both_and_leaves_the_old_file_as_it_is(both: Folders) -> None:
    old = next(both.upload_dir.rglob("day=28/*.parquet"))
    before = old.read_bytes()
    keep(day_of(DAY + timedelta(days=2), 3), both.result_dir)
    convert(both, HOME, date(2026, 4, 1))
    frame = lake.read(result_dir=both.result_dir, upload_dir=both.upload_dir)
    assert frame["clock_synced"].isna().tolist() == [True] * 6 + [False] * 6 + [True] * 3
    assert list(frame.columns) == [column.name for column in schema.COLUMNS]
    assert old.read_bytes() == before


def test_a_csv_file_of_the_earlier_version_is_converted(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "results", tmp_path / "uploads")
    (path,) = keep(day_of(DAY, 1), folders.result_dir)
    header, values = path.read_text().splitlines()
    names = header.split(",")
    start = names.index("clock_synced")
    assert values.split(",")[start : start + 2] == ["", ""]
    before, _, after = values.partition(",1,,,")
    path.write_text(f"{','.join(name for name in names if name not in ADDED)}\n{before},1,{after}\n")
    assert convert(folders, HOME, date(2026, 4, 1)) == 0
    assert len(lake.read(result_dir=folders.result_dir, upload_dir=folders.upload_dir)) == 1


def test_duckdb_reads_both(both: Folders) -> None:
    lake_ = duckdb.read_parquet(files(both), union_by_name=True)
    assert len(lake_.fetchall()) == 12
    assert lake_.filter("clock_synced is null").shape[0] == 6


def test_polars_reads_both(both: Folders) -> None:
    columns = pl.read_parquet_schema(max(both.upload_dir.rglob("*.parquet")))
    scanned = pl.scan_parquet(files(both), schema=columns, missing_columns="insert", hive_partitioning=False)
    frame = scanned.select("clock_synced", "download_mbps").collect()
    assert (frame.height, frame["clock_synced"].null_count()) == (12, 6)


def test_pandas_and_pyarrow_read_both(both: Folders) -> None:
    paths = sorted(map(str, both.upload_dir.rglob("*.parquet")))
    columns = pa.unify_schemas([pq.read_schema(path) for path in paths])
    frame = pd.read_parquet(str(both.upload_dir), schema=columns)
    assert (len(frame), int(frame["clock_synced"].isna().sum())) == (12, 6)
    assert ds.dataset(paths, schema=columns).to_table().num_rows == 12
