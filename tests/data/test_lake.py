"""Reading the lake: each row once, converted or not, and no file is opened that is not needed."""

import os
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st
from samples import HOME, OFFICE, day_of, keep, logged, measured, utc

from speedtest.data import lake as lakes, schema, table_cache
from speedtest.data.conversion import convert
from speedtest.data.lake import read, read_days
from speedtest.data.parquet import Damaged
from speedtest.data.partitions import Folders
from speedtest.data.table_cache import TableCache

DAY = utc(2026, 3, 28)


@pytest.fixture
def lake(tmp_path: Path) -> Folders:
    """Make three days: two converted at two locations, the third not yet, and a late row of the first."""
    lake = Folders(tmp_path / "results", tmp_path / "uploads")
    for number in range(2):
        keep(day_of(DAY + timedelta(days=number), 6), lake.result_dir)
        keep(day_of(DAY + timedelta(days=number), 6, OFFICE), lake.result_dir)
    convert(lake, HOME, date(2026, 4, 1))
    keep(day_of(DAY + timedelta(days=2), 6), lake.result_dir)
    keep([measured(DAY + timedelta(hours=1, seconds=1))], lake.result_dir)
    return lake


def ask(lake: Folders, **question: object) -> pd.DataFrame:
    return read(result_dir=lake.result_dir, upload_dir=lake.upload_dir, **question)  # pyrefly: ignore[bad-argument-type]


def test_converted_and_waiting_rows_are_one_frame_in_time_order(lake: Folders) -> None:
    frame = ask(lake)
    assert len(frame) == 6 * 5 + 1
    assert frame["timestamp"].is_monotonic_increasing
    assert list(frame.columns) == [column.name for column in schema.COLUMNS]


def test_only_the_named_columns_are_read_and_the_rows_are_the_same(lake: Folders) -> None:
    few = ask(lake, columns=["latency_ms", "status"])
    assert list(few.columns) == ["latency_ms", "status"]
    pd.testing.assert_frame_equal(few, ask(lake)[["latency_ms", "status"]])


def test_what_was_opened_is_kept_and_new_files_are_seen(lake: Folders) -> None:
    opened = TableCache(100)
    before = ask(lake, opened=opened)
    for path in lake.upload_dir.rglob("day=29/*.parquet"):
        unchanged = path.stat()
        path.write_bytes(b"nobody opens this again")
        os.utime(path, ns=(unchanged.st_atime_ns, unchanged.st_mtime_ns))
    again = ask(lake, since=DAY + timedelta(days=1), opened=opened)
    pd.testing.assert_frame_equal(again, before[-18:].reset_index(drop=True))
    keep(day_of(DAY + timedelta(days=3), 6), lake.result_dir)
    convert(lake, HOME, date(2026, 4, 2))
    assert len(ask(lake, since=DAY + timedelta(days=1), opened=opened)) == 24


def test_no_more_files_are_kept_than_may_be(lake: Folders) -> None:
    opened = TableCache(2)
    pd.testing.assert_frame_equal(ask(lake, location=OFFICE, opened=opened), ask(lake, location=OFFICE))
    pd.testing.assert_frame_equal(ask(lake, opened=opened), ask(lake))
    assert len(opened) == 2


def test_the_types_are_the_same_with_and_without_rows(lake: Folders, tmp_path: Path) -> None:
    empty = read(result_dir=tmp_path / "none", upload_dir=tmp_path / "none")
    assert len(empty) == 0
    assert (empty.dtypes == ask(lake).dtypes).all()
    kinds = {column.name: str(empty.dtypes[column.name]) for column in schema.COLUMNS}
    assert {kinds[c.name] for c in schema.COLUMNS if c.kind == "instant"} == {"datetime64[us, UTC]"}
    assert {kinds[c.name] for c in schema.COLUMNS if c.kind == "int64"} == {"Int64"}
    assert {kinds[c.name] for c in schema.COLUMNS if c.kind == "bool"} == {"boolean"}


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        (date(2026, 3, 29), None, 18),
        (None, date(2026, 3, 29), 13),
        (date.min, date.max, 31),
        (date(2026, 3, 28), date(2026, 3, 29), 13),
        (datetime(2026, 3, 29, 4), datetime(2026, 3, 29, 8), 2),  # noqa: DTZ001 (the test is about naive times)
        (utc(2026, 3, 29, 4), utc(2026, 3, 29, 8, 0, 1), 4),
        (date(2027, 1, 1), None, 0),
    ],
)
def test_a_span_includes_its_beginning_and_not_its_end(lake: Folders, since: date, until: date, count: int) -> None:
    assert len(ask(lake, since=since, until=until)) == count


@pytest.mark.parametrize(("location", "count"), [(HOME, 19), (OFFICE, 12), ([HOME, OFFICE], 31), ("nowhere", 0)])
def test_a_location_is_asked_for_by_its_name(lake: Folders, location: str, count: int) -> None:
    assert len(ask(lake, location=location)) == count


def test_only_the_days_asked_for_are_opened(lake: Folders) -> None:
    far = lake.upload_dir / f"location={HOME}/year=2020/month=01/day=01"
    far.mkdir(parents=True)
    (far / "speedtest_001.parquet").write_bytes(b"would fail if opened")
    assert len(ask(lake, since=date(2026, 3, 28))) == 31


def test_no_month_is_looked_into_that_was_not_asked_for(lake: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    far = lake.upload_dir / f"location={HOME}/year=2020/month=01"
    (far / "day=01").mkdir(parents=True)
    looked_into: list[Path] = []
    look = os.scandir

    def scandir(path: Path) -> object:
        looked_into.append(path)
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert len(ask(lake, since=date(2026, 3, 28), until=date(2026, 3, 29))) == 13
    assert far not in looked_into
    assert far.parent in looked_into


def test_a_row_that_the_original_program_filed_by_local_time_is_found(lake: Folders) -> None:
    folder = lake.result_dir / "year=2026/month=05/day=02"
    folder.mkdir(parents=True)
    (folder / "speedtest_01-00-00.csv").write_text("timestamp,x\n2026-05-01T23:00:00Z,1\n")
    for _ in range(2):
        assert len(ask(lake, since=date(2026, 5, 1), until=date(2026, 5, 2))) == 1
        convert(lake, HOME, date(2026, 6, 1))


WHEN = st.integers(0, 48 * 3600).map(
    lambda seconds: f"{utc(2026, 5, 1) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
)
SPEEDS = st.one_of(st.just(0), st.integers(-10, 10**10))
ORIGINAL = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["result", "log"]),
            "timestamp": WHEN,
            "ping_latency": st.one_of(st.just(""), st.floats(-1, 2e6).map(repr)),
            "ping_jitter": st.sampled_from(["0.824", "", "x"]),
            "packetLoss": st.sampled_from(["", "0", "0.5", "-1", "N/A"]),
            "download_bandwidth": SPEEDS.map(str),
            "download_bytes": SPEEDS.map(str),
            "upload_bandwidth": SPEEDS.map(str),
            "upload_bytes": SPEEDS.map(str),
        }
    ),
    st.fixed_dictionaries(
        {
            "download": st.one_of(st.just("0.0"), st.floats(0, 1e10).map(repr)),
            "upload": st.floats(0, 1e10).map(repr),
            "ping": st.sampled_from(["12.445", "1800000.0", ""]),
            "timestamp": WHEN,
            "bytes_sent": SPEEDS.map(str),
            "bytes_received": SPEEDS.map(str),
        }
    ),
)
"""Rows of the original program, from Ookla's CLI and speedtest-cli: no common columns, odd values."""


@pytest.mark.slow
@given(st.lists(ORIGINAL, min_size=1, max_size=4))
def test_a_row_of_the_original_program_reads_the_same_before_and_after_its_conversion(
    originals: list[dict[str, str]],
) -> None:
    """It takes seconds because hypothesis has a hundred lakes written, read, converted and read again."""
    with TemporaryDirectory() as where:
        folders = Folders(Path(where, "results"), Path(where, "uploads"))
        folder = folders.result_dir / "year=2026/month=05/day=02"
        folder.mkdir(parents=True)
        for number, row in enumerate(originals):
            (folder / f"speedtest_01-00-0{number}.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
        before = ask(folders)
        assert convert(folders, "unknown-location", date(2026, 6, 1)) == 0
        assert not list(folders.result_dir.glob("year=*"))
        pd.testing.assert_frame_equal(before, ask(folders))


def test_a_waiting_row_of_the_original_program_has_its_common_columns(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "results", tmp_path / "uploads")
    folder = folders.result_dir / "year=2026/month=05/day=02"
    folder.mkdir(parents=True)
    (folder / "speedtest_01-00-00.csv").write_text(
        "type,timestamp,download_bandwidth,upload_bandwidth\nresult,2026-05-02T01:00:00Z,12500000,2500000\n"
    )
    row = ask(folders).iloc[0]
    assert (row["status"], row["engine"], row["download_mbps"]) == ("ok", "ookla", 100.0)


def test_a_damaged_file_is_named(lake: Folders) -> None:
    bad = lake.upload_dir / f"location={HOME}/year=2026/month=03/day=28/speedtest_009.parquet"
    bad.write_bytes(b"junk")
    with pytest.raises(Damaged, match=r"speedtest_009\.parquet"):
        ask(lake)


def test_a_damaged_file_of_a_day_without_waiting_rows_is_named(lake: Folders) -> None:
    bad = lake.upload_dir / f"location={HOME}/year=2026/month=03/day=29/speedtest_009.parquet"
    bad.write_bytes(b"junk")
    with pytest.raises(Damaged, match=r"speedtest_009\.parquet"):
        ask(lake)


def test_files_that_go_to_quarantine_later_are_passed_over(lake: Folders, caplog: pytest.LogCaptureFixture) -> None:
    folder = lake.result_dir / "year=2026/month=03/day=30"
    (folder / "speedtest_bad.csv").write_bytes(b"timestamp,status\nnever,ok\n")
    (folder / "speedtest_large.csv").write_bytes(b"x" * (1024 * 1024 + 1))
    assert len(ask(lake)) == 31
    assert "speedtest_bad.csv" in logged(caplog, "file_unreadable")[0]


def test_the_folders_are_those_of_the_environment_by_default(lake: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESULT_DIR", str(lake.result_dir))
    monkeypatch.setenv("UPLOAD_DIR", str(lake.upload_dir))
    assert read().equals(ask(lake))


def test_every_row_is_there_once_while_a_conversion_runs(tmp_path: Path) -> None:
    lake = Folders(tmp_path / "results", tmp_path / "uploads")
    for number in range(20):
        keep(day_of(DAY + timedelta(days=number), 8), lake.result_dir)
    before = ask(lake)
    conversion = threading.Thread(target=convert, args=(lake, HOME, date(2027, 1, 1)))
    conversion.start()
    looks = 0
    while conversion.is_alive() or not looks:
        assert ask(lake).equals(before)
        looks += 1
    conversion.join()
    assert ask(lake).equals(before)


@pytest.mark.parametrize("step", ["parquet_files", "sources_of"])
def test_a_row_that_is_converted_between_two_steps_of_a_reader_is_there_once(
    lake: Folders, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = ask(lake)
    goes_on: Callable[[Path], object] = getattr(lakes, step)

    def convert_first(path: Path) -> object:
        convert(lake, HOME, date(2027, 1, 1))
        return goes_on(path)

    monkeypatch.setattr(lakes, step, convert_first)
    assert ask(lake).equals(before)


def test_an_instant_of_another_zone_is_the_instant_it_is(lake: Folders) -> None:
    keep([measured(utc(2026, 3, 27, 21)), measured(utc(2026, 3, 27, 23))], lake.result_dir)
    since = datetime(2026, 3, 28, tzinfo=timezone(timedelta(hours=2)))
    day = read(result_dir=lake.result_dir, upload_dir=lake.upload_dir / "none", since=since, until=utc(2026, 3, 28))
    assert list(day["timestamp"]) == [utc(2026, 3, 27, 23)]


@pytest.mark.slow
def test_a_few_days_at_a_time_are_the_same_rows_as_all_at_once(lake: Folders) -> None:
    keep([measured(DAY + timedelta(days=number), seed=number) for number in range(20, 60)], lake.result_dir)
    folders = {"result_dir": lake.result_dir, "upload_dir": lake.upload_dir}
    span = {"since": DAY + timedelta(hours=6), "until": DAY + timedelta(days=30)}
    questions: list[dict[str, Any]] = [{}, span, {"location": OFFICE}]
    for question in questions:
        tables = list(read_days(**folders, **question))
        assert sum(table.num_rows for table in tables) == len(ask(lake, **question))
        assert pa.concat_tables(tables).to_pandas()["timestamp"].tolist() == ask(lake, **question)["timestamp"].tolist()
    assert len(list(read_days(**folders))) > 5
    assert all(table["timestamp"].to_pandas().nunique() < 30 for table in read_days(**folders))


@pytest.mark.parametrize("step", ["sources_of", "_read"])
def test_a_file_that_a_delivery_removes_while_it_is_read_is_left_out(
    lake: Folders, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    keep([measured(DAY + timedelta(hours=1))], lake.result_dir)
    convert(lake, HOME, date(2027, 1, 1))
    keep([measured(DAY + timedelta(hours=2))], lake.result_dir)
    (path,) = sorted(lake.upload_dir.rglob("*.parquet"))[-1:]
    before = len(ask(lake))
    owner = table_cache if step == "_read" else lakes
    goes_on: Callable[..., object] = getattr(owner, step)

    def remove_first(*arguments: object) -> object:
        path.unlink(missing_ok=True)
        return goes_on(*arguments)

    lost = pq.read_metadata(path).num_rows
    monkeypatch.setattr(owner, step, remove_first)
    assert len(ask(lake)) == before - lost
