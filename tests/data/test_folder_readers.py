"""The lake as other programs read it: the folder itself, no pattern of names, also while a conversion writes."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import datafusion
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from daemon import PATIENCE, run
from samples import HOME, OFFICE, day_of, keep, utc
from standins import spark

from speedtest.data import conversion, probe, unnamed
from speedtest.data.lake_lock import LOCK_NAME
from speedtest.data.lock import EmptyFileLock
from speedtest.data.partitions import Folders

DAY = utc(2026, 3, 28)
TOMORROW = (DAY + timedelta(days=1)).date()
ROWS = 18


def of_duckdb(lake: Path) -> int:
    with duckdb.connect() as database:
        return len(database.sql(f"select status, location, day from read_parquet('{lake}/')").fetchall())


def of_polars(lake: Path) -> int:
    return pl.scan_parquet(lake).select("status", "location", "day").collect().height


def of_pandas(lake: Path) -> int:
    return len(pd.read_parquet(lake)[["status", "location", "day"]])


def of_pyarrow(lake: Path) -> int:
    return ds.dataset(lake, partitioning="hive").to_table(columns=["status", "location", "day"]).num_rows


def of_datafusion(lake: Path) -> int:
    context = datafusion.SessionContext()
    partitions: list[tuple[str, pa.DataType | str]] = [
        (name, pa.string()) for name in ("location", "year", "month", "day")
    ]
    context.register_parquet("lake", str(lake), table_partition_cols=partitions)
    return context.sql("select status, location, day from lake").count()


ENGINES = [of_duckdb, of_polars, of_pandas, of_pyarrow, of_datafusion]
everywhere = pytest.mark.parametrize("engine", [*ENGINES, pytest.param(spark.count, marks=pytest.mark.slow)])


@pytest.fixture
def lake(tmp_path: Path) -> Folders:
    """Convert two locations. An earlier version, and a health check that was killed, have left their files."""
    folders = Folders(tmp_path / "results", tmp_path / "uploads")
    folders.upload_dir.mkdir()
    (folders.upload_dir / LOCK_NAME).write_text("1234\n")
    (folders.upload_dir / ".probe.tmp").write_text("probe\n")
    keep(day_of(DAY, 12) + day_of(DAY + timedelta(minutes=1), 6, OFFICE), folders.result_dir)
    ended = run(tmp_path, "convert", SPEEDTEST_LOCATION_UUID=HOME)
    assert ended.returncode == 0, ended.stderr
    return folders


def files_of(lake: Folders) -> list[str]:
    return sorted(path.name for path in lake.upload_dir.rglob("*") if not path.is_dir())


@everywhere
def test_an_engine_reads_the_folder_itself(lake: Folders, engine: Callable[[Path], int]) -> None:
    assert engine(lake.upload_dir) == ROWS
    assert files_of(lake) == ["speedtest_001.parquet"] * 2


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_reads_the_folder_of_files_that_were_delivered_and_the_folder_they_were_delivered_to(
    lake: Folders, engine: Callable[[Path], int]
) -> None:
    there = lake.upload_dir.with_name("there")
    there.mkdir()
    delivered = run(there.parent, "deliver", DELIVER_TO=f"file://{there}", SPEEDTEST_LOCATION_UUID=HOME)
    assert delivered.returncode == 0, delivered.stderr
    assert engine(lake.upload_dir) == ROWS
    assert files_of(lake) == ["speedtest_001.parquet"] * 2
    assert len(list((lake.result_dir / "receipts").rglob("*.receipt.json"))) == 2
    assert engine(there) == ROWS


@everywhere
def test_an_engine_reads_the_folder_while_a_conversion_has_written_half_a_file(
    lake: Folders, engine: Callable[[Path], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    written, read, link = threading.Event(), threading.Event(), unnamed.link

    def wait_and_link(descriptor: int, path: Path) -> None:
        written.set()
        assert read.wait(spark.PATIENCE)
        link(descriptor, path)

    monkeypatch.setattr(unnamed, "link", wait_and_link)
    keep(day_of(DAY + timedelta(seconds=7), 4), lake.result_dir)
    converting = threading.Thread(target=conversion.convert, args=(lake, HOME, TOMORROW))
    converting.start()
    try:
        assert written.wait(PATIENCE)
        assert engine(lake.upload_dir) == ROWS
    finally:
        read.set()
        converting.join()
    assert engine(lake.upload_dir) == ROWS + 4


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_reads_the_folder_while_a_health_check_tries_to_write_there(
    lake: Folders, engine: Callable[[Path], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    close = os.close

    def count_first(descriptor: int) -> None:
        if not counted:
            counted.append(0)
            counted.append(engine(lake.upload_dir))
        close(descriptor)

    monkeypatch.setattr(os, "close", count_first)
    assert probe.refusal(lake.upload_dir) is None
    assert counted[1:] == [ROWS]


@everywhere
def test_the_empty_lock_of_a_file_system_that_cannot_lock_folders_is_passed_over(
    lake: Folders, engine: Callable[[Path], int]
) -> None:
    with EmptyFileLock(lake.upload_dir / LOCK_NAME):
        assert engine(lake.upload_dir) == ROWS


@pytest.mark.parametrize("engine", [each for each in ENGINES if each is not of_polars])
def test_where_files_need_a_name_all_engines_but_polars_pass_over_a_half_written_one(
    lake: Folders, engine: Callable[[Path], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars reads every file that is not empty, whatever its name; on such a file system it needs a pattern."""
    monkeypatch.setattr(unnamed, "_FLAG", 0)
    counted: list[int] = []
    link = os.link

    def count_and_link(source: Path, target: Path) -> None:
        assert source.name.startswith(".speedtest_")
        if target.suffix == ".parquet":
            counted.append(engine(lake.upload_dir))
        link(source, target)

    keep(day_of(DAY + timedelta(seconds=7), 4), lake.result_dir)
    monkeypatch.setattr(os, "link", count_and_link)
    assert conversion.convert(lake, HOME, TOMORROW) == 0
    assert counted == [ROWS]
    assert files_of(lake) == ["speedtest_001.parquet"] * 2 + ["speedtest_002.parquet"]
