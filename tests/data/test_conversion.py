"""Complete days become numbered, verified Parquet files, one for each location, and nothing is lost."""

import json
import os
import resource
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from daemon import rows, run, variables
from samples import HOME, OFFICE, day_of, keep, logged, measured, utc

from speedtest import engines
from speedtest.data import conversion, parquet, partitions, results, schema
from speedtest.data.conversion import convert
from speedtest.data.csv_rows import Source
from speedtest.data.lock import Held, Lock
from speedtest.data.partitions import Folders
from speedtest.data.table import SCHEMA, SOURCE, parse
from speedtest.measurement import Measurement

DAY = utc(2026, 3, 28)
NEXT = date(2026, 3, 29)


@pytest.fixture
def lake(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "results", tmp_path / "uploads")


def partition(lake: Folders, address: str = HOME, day: str = "year=2026/month=03/day=28") -> Path:
    return lake.upload_dir / f"location={address}" / day


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def expected(measurements: list[Measurement]) -> list[dict[str, Any]]:
    """Return the values that the rows must have, taken from the measurements."""
    return [
        {column: value for column in results.COMMON_COLUMNS if (value := getattr(m, column)) is not None}
        for m in sorted(measurements, key=lambda m: m.timestamp)
    ]


def common(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name in results.COMMON_COLUMNS} for row in found]


def test_a_day_becomes_one_file_with_every_value_and_its_csv_files_are_gone(lake: Folders, tmp_path: Path) -> None:
    day = day_of(DAY)
    keep(day, lake.result_dir)
    before = rows(tmp_path)
    assert convert(lake, HOME, NEXT) == 0
    assert names(partition(lake)) == ["speedtest_001.parquet"]
    assert names(lake.result_dir) == []
    assert rows(tmp_path) == before
    assert common(before) == expected(day)


def test_days_are_converted_oldest_first_and_today_is_left_alone(lake: Folders) -> None:
    for number in range(4):
        keep(day_of(DAY + timedelta(days=number), 5), lake.result_dir)
    assert convert(lake, HOME, date(2026, 3, 31)) == 0
    assert names(partition(lake).parent) == ["day=28", "day=29", "day=30"]
    assert [day for day, _ in partitions.days(lake.result_dir)] == [date(2026, 3, 31)]


def test_late_rows_get_the_next_number(lake: Folders, tmp_path: Path) -> None:
    first, late = day_of(DAY, 10), [measured(DAY + timedelta(hours=3, seconds=7))]
    keep(first, lake.result_dir)
    convert(lake, HOME, NEXT)
    published = (partition(lake) / "speedtest_001.parquet").read_bytes()
    keep(late, lake.result_dir)
    assert convert(lake, HOME, NEXT) == 0
    assert names(partition(lake)) == ["speedtest_001.parquet", "speedtest_002.parquet"]
    assert (partition(lake) / "speedtest_001.parquet").read_bytes() == published
    assert common(rows(tmp_path)) == expected(first + late)


def test_a_number_once_used_is_never_used_again(lake: Folders) -> None:
    partition(lake).mkdir(parents=True)
    (partition(lake) / "speedtest_007.receipt.json").write_text("{}")
    keep(day_of(DAY, 2), lake.result_dir)
    assert convert(lake, HOME, NEXT) == 0
    assert "speedtest_008.parquet" in names(partition(lake))


def test_rows_of_two_addresses_go_to_two_locations_with_their_own_sources(lake: Folders, tmp_path: Path) -> None:
    home, office = day_of(DAY, 6), day_of(DAY + timedelta(minutes=7), 4, OFFICE)
    keep(home + office, lake.result_dir)
    assert convert(lake, HOME, NEXT) == 0
    assert common(rows(tmp_path)) == expected(home + office)
    counts = {
        address: len(parquet.sources_of(partition(lake, address) / "speedtest_001.parquet"))
        for address in (HOME, OFFICE)
    }
    assert counts == {HOME: 6, OFFICE: 4}


def test_a_file_whose_rows_go_to_two_locations_is_in_both_and_gone(lake: Folders) -> None:
    folder = partitions.day_folder(lake.result_dir, DAY.date())
    folder.mkdir(parents=True)
    lines = ["timestamp,status,speedtest_address", "2026-03-28T01:00:00Z,ok,office", "2026-03-28T02:00:00Z,ok,"]
    (folder / "speedtest_01-00-00.csv").write_text("\n".join([*lines, ""]))
    assert convert(lake, HOME, NEXT) == 0
    assert [pq.read_table(partition(lake, address)).num_rows for address in (HOME, OFFICE)] == [1, 1]
    assert names(lake.result_dir) == []


def test_every_file_has_the_columns_types_and_metadata_of_the_schema(lake: Folders) -> None:
    keep(day_of(DAY, 5) + day_of(DAY + timedelta(minutes=7), 4, OFFICE), lake.result_dir)
    convert(lake, HOME, NEXT)
    for address in (HOME, OFFICE):
        file = pq.ParquetFile(partition(lake, address) / "speedtest_001.parquet")
        assert file.schema_arrow.remove_metadata().equals(SCHEMA)
        assert (file.metadata.metadata or {})[b"speedsnake.schema_version"] == str(schema.SCHEMA_VERSION).encode()
        assert b"ARROW:schema" not in (file.metadata.metadata or {})
        assert {file.metadata.row_group(0).column(i).compression for i in range(len(SCHEMA))} == {"ZSTD"}


def test_the_lake_reads_the_same_in_duckdb_polars_and_here(lake: Folders, tmp_path: Path) -> None:
    keep(day_of(DAY, 12) + day_of(DAY, 12, OFFICE), lake.result_dir)
    convert(lake, HOME, NEXT)
    files = f"{lake.upload_dir}/*/*/*/*/*.parquet"
    columns = ", ".join(f'"{column.name}"' for column in schema.COLUMNS)
    asked = "order by timestamp, speedtest_address"
    duck = duckdb.sql(f"select {columns} from read_parquet('{files}') {asked}")
    polar = (
        pl.read_parquet(files).select(c.name for c in schema.COLUMNS).sort("timestamp", "speedtest_address").to_dicts()
    )
    ours = sorted(rows(tmp_path), key=lambda row: (row["timestamp"], row["speedtest_address"]))
    assert duck
    assert duck.to_arrow_table().to_pylist() == polar
    assert [{name: value for name, value in row.items() if value is not None} for row in polar] == ours


BAD = {
    "speedtest_01-00-00.csv": b"timestamp,status\n2026-03-28T01:00:00Z,ok",
    "speedtest_02-00-00.csv": b"",
    "speedtest_03-00-00.csv": b"\0" * 100,
    "speedtest_04-00-00.csv": b"x" * (1024 * 1024 + 1),
    "speedtest_05-00-00.csv": b"timestamp,status\nsoon,ok\n",
}


def test_files_that_cannot_be_read_are_moved_unchanged_with_the_reason_and_the_rest_is_converted(
    lake: Folders, tmp_path: Path
) -> None:
    day = day_of(DAY, 10)
    keep(day, lake.result_dir)
    folder = partitions.day_folder(lake.result_dir, DAY.date())
    for name, data in BAD.items():
        (folder / name).write_bytes(data)
    assert convert(lake, HOME, NEXT) == 0
    assert common(rows(tmp_path)) == expected(day)
    quarantine = partitions.day_folder(lake.quarantine, DAY.date())
    for name, data in BAD.items():
        assert (quarantine / name).read_bytes() == data
        reason = json.loads((quarantine / f"{name}.reason.json").read_text())
        assert reason["file"] == name
        assert reason["reason"]
    assert len(names(quarantine)) == 2 * len(BAD)
    assert not folder.exists()


def test_a_second_bad_file_of_the_same_name_gets_a_suffix(lake: Folders) -> None:
    folder = partitions.day_folder(lake.result_dir, DAY.date())
    for data in (b"first", b"second"):
        folder.mkdir(parents=True)
        (folder / "speedtest_01-00-00.csv").write_bytes(data)
        assert convert(lake, HOME, NEXT) == 0
    quarantine = partitions.day_folder(lake.quarantine, DAY.date())
    assert (quarantine / "speedtest_01-00-00.csv").read_bytes() == b"first"
    assert (quarantine / "speedtest_01-00-00_2.csv").read_bytes() == b"second"


def test_links_and_foreign_files_stay_where_they_are_with_a_warning(
    lake: Folders, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(day_of(DAY, 3), lake.result_dir)
    folder = partitions.day_folder(lake.result_dir, DAY.date())
    (tmp_path / "elsewhere.csv").write_bytes((folder / "speedtest_00-00-00.csv").read_bytes())
    (folder / "speedtest_09-09-09.csv").symlink_to(tmp_path / "elsewhere.csv")
    (folder / "notes.txt").write_text("mine")
    os.mkfifo(folder / "speedtest_10-10-10.csv")
    assert convert(lake, HOME, NEXT) == 0
    assert names(folder) == ["notes.txt", "speedtest_09-09-09.csv", "speedtest_10-10-10.csv"]
    assert len(rows(tmp_path)) == 3
    assert {Path(words.split()[1].rstrip(":")).name for words in logged(caplog, "file_ignored")} == set(names(folder))


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not a parquet file at all"])
def test_a_damaged_parquet_file_stops_its_day_loudly_and_no_other(
    lake: Folders, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    keep(day_of(DAY, 3) + day_of(DAY - timedelta(days=1), 3), lake.result_dir)
    partition(lake, OFFICE).mkdir(parents=True)
    bad = partition(lake, OFFICE) / "speedtest_001.parquet"
    bad.write_bytes(damage)
    assert convert(lake, HOME, NEXT) == 1
    assert bad.read_bytes() == damage
    assert not partition(lake).exists()
    assert len(names(partitions.day_folder(lake.result_dir, DAY.date()))) == 3
    assert (partition(lake, day="year=2026/month=03/day=27") / "speedtest_001.parquet").exists()
    assert str(bad) in caplog.text


def test_a_conversion_that_was_cut_short_before_the_unlinking_is_completed_without_doubling(
    lake: Folders, tmp_path: Path
) -> None:
    day = day_of(DAY, 10)
    saved = [(path, path.read_bytes()) for path in keep(day, lake.result_dir)]
    convert(lake, HOME, NEXT)
    for path, data in saved:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (partition(lake) / ".speedtest_002.parquet.tmp").write_bytes(b"half")
    assert common(rows(tmp_path)) == expected(day)
    assert convert(lake, HOME, NEXT) == 0
    assert names(partition(lake)) == ["speedtest_001.parquet"]
    assert names(lake.result_dir) == []
    assert common(rows(tmp_path)) == expected(day)


def test_rows_published_under_one_address_are_not_published_again_under_another(lake: Folders, tmp_path: Path) -> None:
    folder = partitions.day_folder(lake.result_dir, DAY.date())
    text = "timestamp,status\n2026-03-28T01:00:00Z,ok\n2026-03-28T02:00:00Z,ok\n"
    for address in (HOME, OFFICE):
        folder.mkdir(parents=True)
        (folder / "speedtest_01-00-00.csv").write_text(text)
        assert convert(Folders(lake.result_dir, lake.upload_dir), address, NEXT) == 0
    assert len(rows(tmp_path)) == 2


def test_what_is_read_back_must_be_what_was_written(lake: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(day_of(DAY, 3), lake.result_dir)
    encode = conversion.encode

    def lose_a_row(table: pa.Table) -> pa.Buffer:
        return encode(table.slice(1))

    monkeypatch.setattr(conversion, "encode", lose_a_row)
    assert convert(lake, HOME, NEXT) == 1
    assert not list(partition(lake).glob("*"))
    assert len(names(partitions.day_folder(lake.result_dir, DAY.date()))) == 3


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def unforeseen(*_: object) -> None:
    raise ZeroDivisionError


def test_nothing_stays_open_whatever_becomes_of_a_day(lake: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    keep([measured(utc(2026, 3, day, hour)) for day in range(20, 29) for hour in range(20)], lake.result_dir)
    original = lake.result_dir / "year=2026/month=03/day=21/speedtest_00-00-01.csv"
    original.write_text("timestamp,a\n2026-03-21T00:00:00Z,1\n")
    (original.parent / "speedtest_00-00-02.csv").write_text("no row")
    damaged = partition(lake, day="year=2026/month=03/day=22") / "speedtest_001.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("damaged")
    full: list[str] = []

    def refusing(source: Path, target: Path, **how: Any) -> None:  # noqa: ANN401 (passed on)
        if "day=23" in str(target):
            full.append(target.name)
            raise OSError(28, "No space left on device", str(target))
        link(source, target, **how)

    def unlisted(folder: Path | str) -> list[str]:
        if folder == lake.result_dir / "year=2026/month=03/day=24":
            raise OSError(5, "Input/output error", str(folder))
        return listdir(folder)

    link, listdir = os.link, os.listdir
    monkeypatch.setattr(os, "link", refusing)
    monkeypatch.setattr(os, "listdir", unlisted)
    monkeypatch.setattr(engines, "derive", unforeseen)
    before = open_files()
    assert convert(lake, HOME, NEXT) == 4
    assert full
    assert open_files() == before
    assert [day.day for day, _ in partitions.days(lake.result_dir)] == [21, 22, 23, 24]


def test_a_day_of_more_files_than_a_process_may_open_is_converted(lake: Folders, tmp_path: Path) -> None:
    keep(day_of(DAY, 144), lake.result_dir)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 40, limits[1]))
    try:
        assert convert(lake, HOME, NEXT) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(rows(tmp_path)) == 144
    assert names(lake.result_dir) == []


@pytest.mark.slow
def test_a_backlog_is_converted_day_by_day(lake: Folders, tmp_path: Path) -> None:
    measurements = [m for number in range(100) for m in day_of(DAY - timedelta(days=number), 3)]
    keep(measurements, lake.result_dir)
    assert convert(lake, HOME, NEXT) == 0
    assert len(list(lake.upload_dir.glob("*/*/*/*/speedtest_001.parquet"))) == 100
    assert common(rows(tmp_path)) == expected(measurements)
    assert names(lake.result_dir) == []


def test_the_handler_converts_and_exits_0_also_when_there_is_nothing(tmp_path: Path) -> None:
    keep(day_of(DAY, 3), tmp_path / "results")
    for _ in range(2):
        assert run(tmp_path, "convert").returncode == 0
    assert names(tmp_path / "results") == []
    assert len(rows(tmp_path)) == 3


def test_the_handler_exits_1_and_says_which_day_and_why(tmp_path: Path) -> None:
    keep(day_of(DAY, 3), tmp_path / "results")
    folder = tmp_path / "uploads/location=x/year=2026/month=03/day=28"
    folder.mkdir(parents=True)
    (folder / "speedtest_001.parquet").write_bytes(b"junk")
    ended = run(tmp_path, "convert")
    assert ended.returncode == 1
    assert "2026-03-28" in ended.stderr
    assert "speedtest_001.parquet cannot be read" in ended.stderr


def test_the_handler_exits_78_where_it_can_never_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    ended = run(tmp_path, "convert", UPLOAD_DIR=str(tmp_path / "file"))
    assert ended.returncode == 78
    assert f"UPLOAD_DIR {tmp_path / 'file'} cannot be written" in ended.stderr


def test_the_handler_does_without_numpy_and_pandas_whose_weight_it_need_not_carry(tmp_path: Path) -> None:
    keep(day_of(DAY, 3), tmp_path / "results")
    imported = run(tmp_path, "convert", PYTHONPROFILEIMPORTTIME="1").stderr
    assert " pyarrow.parquet\n" in imported
    assert "pandas.core" not in imported
    assert "numpy._core" not in imported
    assert len(rows(tmp_path)) == 3


def test_the_handler_converts_where_few_files_may_be_open_for_good(tmp_path: Path) -> None:
    keep(day_of(DAY, 144), tmp_path / "results")
    command = ["sh", "-c", 'ulimit -n 48 && exec "$0" -m speedtest.handlers.convert', sys.executable]
    ended = subprocess.run(command, cwd=tmp_path, env=variables(tmp_path), capture_output=True, text=True, check=False)
    assert (ended.returncode, len(rows(tmp_path))) == (0, 144), ended.stderr
    assert names(tmp_path / "results") == []


def test_a_folder_that_cannot_be_listed_is_told_and_hides_no_other_day(
    lake: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep([measured(utc(2026, 3, day)) for day in (26, 27, 28)], lake.result_dir)
    forbidden = lake.result_dir / "year=2026/month=03/day=26"
    (lake.result_dir / "year=2025").mkdir()
    scandir = os.scandir

    def refusing(folder: Path) -> Any:  # noqa: ANN401 (what os.scandir returns has no public name)
        if folder in (forbidden, lake.result_dir / "year=2025"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert convert(lake, HOME, NEXT) == 2
    assert len(list(lake.upload_dir.glob("*/*/*/*/*.parquet"))) == 2
    for folder in ("day=26", "year=2025"):
        assert any(f"{folder}: Permission denied" in words for words in logged(caplog, "conversion_failed"))


def test_a_day_that_fails_as_nobody_foresaw_stops_no_other(
    lake: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep([measured(utc(2026, 3, 28))], lake.result_dir)
    original = lake.result_dir / "year=2026/month=03/day=27/speedtest_00-00-00.csv"
    original.parent.mkdir()
    original.write_text("timestamp,a\n2026-03-27T00:00:00Z,1\n")
    monkeypatch.setattr(engines, "derive", unforeseen)
    assert convert(lake, HOME, NEXT) == 1
    assert names(partition(lake)) == ["speedtest_001.parquet"]
    assert original.exists()
    assert "2026-03-27" in logged(caplog, "bug")[0]


def test_a_file_that_the_disk_does_not_give_stays_and_the_rest_of_its_day_is_converted(
    lake: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = keep(day_of(DAY, 3), lake.result_dir)
    read = conversion.read_bounded

    def refusing(path: str, *rest: Any) -> bytes | None:  # noqa: ANN401 (passed on)
        if Path(path) == kept[1]:
            raise OSError(5, "Input/output error", path)
        return read(path, *rest)

    monkeypatch.setattr(conversion, "read_bounded", refusing)
    assert convert(lake, HOME, NEXT) == 1
    assert [path.exists() for path in kept] == [False, True, False]
    assert f"{kept[1]}: Input/output error" in logged(caplog, "file_unreadable")[0]


def test_a_list_of_sources_that_was_changed_on_the_way_is_noticed() -> None:
    rows, other = (
        parse([Source("speedtest_1.csv", results.encode(measured(DAY, seed=seed)).data)], HOME)[0] for seed in (1, 2)
    )
    parquet.verify(parquet.encode(rows).to_pybytes(), rows)
    renamed = rows.set_column(rows.schema.get_field_index(SOURCE), SOURCE, other[SOURCE])
    with pytest.raises(OSError, match="list of sources"):
        parquet.verify(parquet.encode(rows).to_pybytes(), renamed)
    with pytest.raises(OSError, match="rows read back"):
        parquet.verify(parquet.encode(rows).to_pybytes(), other)


def test_a_file_tells_the_span_of_its_columns(lake: Folders) -> None:
    keep(day_of(DAY, 3), lake.result_dir)
    convert(lake, HOME, NEXT)
    column = pq.read_metadata(partition(lake) / "speedtest_001.parquet").row_group(0).column(0)
    assert column.statistics
    assert (column.statistics.min, column.statistics.max) == (DAY, DAY + timedelta(hours=16))


def test_a_lock_names_its_holder_and_not_the_one_before(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("123456789\n")
    with Lock(tmp_path / ".lock"):
        with pytest.raises(Held) as raised:
            Lock(tmp_path / ".lock")
        assert raised.value.holder == os.getpid()
    Lock(tmp_path / ".lock").release()
