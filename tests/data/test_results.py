"""One measurement is one CSV file: its path, its content, and which days are complete."""

import csv
import json
import shutil
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from samples import HOME, failed, keep, measured, utc

from speedtest.data import files, partitions, results
from speedtest.data.csv_rows import Source
from speedtest.data.schema import COLUMNS, COMMON
from speedtest.data.table import parse
from speedtest.measurement import COMMON_COLUMNS, Measurement

NOON = utc(2026, 3, 29, 12, 0, 5)


def read_csv(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, strict=True))


def test_the_common_columns_are_those_of_the_lake_in_its_order() -> None:
    assert tuple(column.name for column in COMMON) == COMMON_COLUMNS


def test_a_row_lies_under_the_partitions_of_its_utc_timestamp(tmp_path: Path) -> None:
    late = NOON.replace(hour=23).astimezone(timezone(timedelta(hours=14)))
    (path,) = keep([failed(late)], tmp_path)
    assert path == tmp_path / "year=2026/month=03/day=29/speedtest_23-00-05.csv"


def test_a_year_before_1000_has_four_digits(tmp_path: Path) -> None:
    (path,) = keep([failed(utc(33, 4, 3))], tmp_path)
    assert path == tmp_path / "year=0033/month=04/day=03/speedtest_00-00-00.csv"


def test_rows_of_the_same_second_get_suffixes(tmp_path: Path) -> None:
    paths = keep([measured(NOON, seed=number) for number in range(3)], tmp_path)
    assert [path.name for path in paths] == [
        "speedtest_12-00-05.csv",
        "speedtest_12-00-05_2.csv",
        "speedtest_12-00-05_3.csv",
    ]


def test_the_same_row_saved_twice_is_one_file(tmp_path: Path) -> None:
    first, second = keep([measured(NOON), measured(NOON)], tmp_path)
    assert first == second
    assert list(first.parent.iterdir()) == [first]


def test_the_file_is_a_header_and_one_line_with_the_common_columns_first(tmp_path: Path) -> None:
    (path,) = keep([measured(NOON)], tmp_path)
    header, row = read_csv(path)
    assert tuple(header[: len(COMMON_COLUMNS)]) == COMMON_COLUMNS
    assert len(row) == len(header) == len(set(header))
    assert path.read_bytes().endswith(b"\n")
    assert b"\r" not in path.read_bytes()


def test_null_is_empty_and_empty_text_is_two_quotes() -> None:
    measurement = failed(NOON)
    measurement.raw = {"empty": "", "null": None, "quotes": 'a "b"', "comma": "a,b", "lines": "a\nb"}
    line = results.encode(measurement).data.decode().split("\n", 1)[1]
    assert line.endswith('"",,"a ""b""","a,b","a\nb"\n')


def test_the_file_can_be_read_by_its_owner_and_group_alone(tmp_path: Path) -> None:
    (path,) = keep([measured(NOON)], tmp_path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_nothing_but_the_row_is_left_in_the_folder(tmp_path: Path) -> None:
    (path,) = keep([measured(NOON)], tmp_path)
    assert list(path.parent.iterdir()) == [path]


def refused(error: OSError) -> None:
    raise error


def test_only_days_before_today_that_hold_rows_are_complete(tmp_path: Path) -> None:
    keep([failed(utc(2026, 3, day)) for day in (27, 28, 29, 30)], tmp_path)
    (tmp_path / "year=2026/month=03/day=01").mkdir()
    (tmp_path / "year=2026/month=02/day=30").mkdir(parents=True)
    (tmp_path / "year=2026/month=3/day=1").mkdir(parents=True)
    (tmp_path / "quarantine/year=2020/month=01/day=01").mkdir(parents=True)
    found = [day for day, _ in partitions.complete_days(tmp_path, date(2026, 3, 29), refused)]
    assert found == [date(2026, 3, 27), date(2026, 3, 28)]


def test_links_and_foreign_files_make_no_day_complete(tmp_path: Path) -> None:
    folder = tmp_path / "year=2026/month=03/day=27"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "speedtest_00-00-00.csv").symlink_to(folder / "notes.txt")
    assert list(partitions.complete_days(tmp_path, date(2027, 1, 1), refused)) == []


def test_a_missing_folder_has_no_days(tmp_path: Path) -> None:
    assert list(partitions.complete_days(tmp_path / "none", date(2027, 1, 1), refused)) == []


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
FIGURE = st.none() | st.floats(0, 1e6)


@pytest.mark.slow
@given(
    raw=st.dictionaries(TEXT, st.none() | TEXT, max_size=12),
    words=TEXT,
    figures=st.tuples(FIGURE, FIGURE, FIGURE),
    data_bytes=st.none() | st.integers(0, 2**62),
    when=st.datetimes(timezones=st.just(UTC)),
)
def test_every_value_comes_back_from_the_file_as_it_went_in(
    raw: dict[str, str | None],
    words: str,
    figures: tuple[float | None, float | None, float | None],
    data_bytes: int | None,
    when: datetime,
) -> None:
    known = {column.name for column in COLUMNS}
    raw = {name.replace("\0", "\ufffd"): text for name, text in raw.items() if name not in known}
    measurement = Measurement(
        timestamp=when,
        status="failed",
        error=words,
        download_mbps=figures[0],
        latency_ms=figures[1],
        duration_seconds=figures[2],
        data_bytes=data_bytes,
        raw=raw,
    )
    table, unreadable = parse([Source("speedtest_x.csv", results.encode(measurement).data)], HOME)
    assert unreadable == {}
    (row,) = table.to_pylist()
    assert (row["timestamp"], row["error"]) == (measurement.timestamp, words.replace("\0", "\ufffd"))
    assert (row["download_mbps"], row["latency_ms"], row["duration_seconds"]) == figures
    assert row["data_bytes"] == data_bytes
    kept = {name: text.replace("\0", "\ufffd") for name, text in raw.items() if text is not None}
    assert json.loads(row["extra"] or "{}") == kept


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "year=2026").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="year=2026"):
        keep([measured(NOON)], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["year=2026"]


def test_a_link_that_stands_for_a_folder_is_no_partition(tmp_path: Path) -> None:
    keep([measured(NOON)], tmp_path / "elsewhere")
    keep([measured(NOON)], tmp_path / "results")
    (tmp_path / "results/year=2025").symlink_to(tmp_path / "elsewhere/year=2026")
    assert len(list(partitions.days(tmp_path / "results"))) == 1


def test_a_link_with_the_name_of_a_row_is_not_taken_for_it(tmp_path: Path) -> None:
    (path,) = keep([measured(NOON)], tmp_path)
    elsewhere = path.rename(tmp_path / "elsewhere.csv")
    path.symlink_to(elsewhere)
    (second,) = keep([measured(NOON)], tmp_path)
    assert second.name == "speedtest_12-00-05_2.csv"


def test_a_folder_that_a_conversion_removes_meanwhile_is_made_again(tmp_path: Path) -> None:
    target = tmp_path / "day" / "row.csv"
    removed: list[Path] = []

    def remove_once(_data: bytes) -> None:
        if not removed:
            removed.append(target.parent)
            shutil.rmtree(target.parent)

    files.publish(target, b"row\n", base=tmp_path, verify=remove_once)
    assert target.read_bytes() == b"row\n"


def test_a_temporary_that_a_starting_daemon_sweeps_is_written_again(tmp_path: Path) -> None:
    """A person may measure by hand while a daemon starts, and a starting daemon deletes half-written files."""
    path = partitions.day_folder(tmp_path, date(2026, 3, 28)) / "speedtest_10-00-00_once.csv"
    swept = iter([True, False])

    def sweep_once(_data: bytes) -> None:
        if next(swept):
            assert files.sweep(partitions.temporaries(tmp_path)) == 1

    files.publish(path, b"timestamp\n2026-03-28T10:00:00Z\n", base=tmp_path, verify=sweep_once)
    assert path.read_bytes() == b"timestamp\n2026-03-28T10:00:00Z\n"
    assert [each.name for each in path.parent.iterdir()] == [path.name]
