"""Rows held for their dates: read once wherever they lie, and converted only when they have their place."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st
from samples import HOME, measured, utc

from speedtest.data import held, lake, partitions, results
from speedtest.data.conversion import convert
from speedtest.data.csv_rows import Source
from speedtest.data.partitions import Folders
from speedtest.data.table import parse
from speedtest.measurement import Measurement

THEN, NOW = utc(2026, 3, 27, 13), utc(2026, 5, 6, 9)
AHEAD = NOW - THEN
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")) | st.none()


def wrong(number: int = 0) -> Measurement:
    row = measured(THEN + timedelta(minutes=number), HOME, number)
    row.clock_synced = False
    return row


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders(tmp_path / "results", tmp_path / "uploads")
    for number in range(3):
        results.save(results.encode(wrong(number), held="0a1b2c3d"), folders.result_dir)
    results.save(results.encode(measured(THEN + timedelta(minutes=9), HOME, 9)), folders.result_dir)
    return folders


def read(folders: Folders, **question: Any) -> pd.DataFrame:  # noqa: ANN401 (passed on)
    return lake.read(result_dir=folders.result_dir, upload_dir=folders.upload_dir, **question)


def release(folders: Folders, by: timedelta | None) -> int:
    return held.release(folders.result_dir, lambda _: by)


def half(folders: Folders) -> None:
    """Leave what a kill leaves between the new file and the end of the old one."""
    before = {path: path.read_bytes() for path in (folders.result_dir / "held").rglob("*.csv")}
    release(folders, AHEAD)
    for path, data in before.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_held_rows_are_read_and_not_converted(folders: Folders) -> None:
    assert len(read(folders)) == 4
    assert convert(folders, HOME, date(2026, 7, 1)) == 0
    assert len(read(folders)) == 4
    assert len(list((folders.result_dir / "held").rglob("*.csv"))) == 3
    assert partitions.csv_days(folders.result_dir) == [THEN.date()]


@pytest.mark.parametrize("by", [timedelta(0), AHEAD])
def test_a_released_row_has_its_place_and_is_converted(folders: Folders, by: timedelta) -> None:
    assert release(folders, by) == (3 if by else 0)
    for _ in range(2):
        frame = read(folders)
        assert sorted(frame["timestamp"]) == sorted(
            [*(THEN + by + timedelta(minutes=number) for number in range(3)), THEN + timedelta(minutes=9)]
        )
        assert frame["raw_timestamp"].notna().sum() == (3 if by else 0)
        assert convert(folders, HOME, date(2026, 7, 1)) == 0
    assert not (folders.result_dir / "held").exists()


def test_rows_whose_error_is_not_known_yet_stay_held(folders: Folders) -> None:
    assert release(folders, None) == 0
    assert len(list((folders.result_dir / "held").rglob("*.csv"))) == 3


def test_both_files_of_a_killed_re_dating_are_one_row(folders: Folders) -> None:
    half(folders)
    old, new = THEN.date(), NOW.date()
    assert [len(read(folders, since=day, until=day + timedelta(days=1))) for day in (old, new)] == [1, 3]
    tables = lake.read_days(result_dir=folders.result_dir, upload_dir=folders.upload_dir)
    assert sum(table.num_rows for table in tables) == 4
    assert convert(folders, HOME, date(2026, 7, 1)) == 0
    assert len(read(folders)) == 4
    assert not list((folders.result_dir / "held").rglob("*.csv"))


def test_the_next_start_ends_a_killed_re_dating(folders: Folders) -> None:
    half(folders)
    release(folders, timedelta(0))
    assert not (folders.result_dir / "held").exists()
    assert min(read(folders)["timestamp"]) == THEN + timedelta(minutes=9)
    assert len(read(folders)) == 4


@pytest.mark.parametrize("step", ["_waiting", "_published"])
@pytest.mark.parametrize("by", [timedelta(0), AHEAD])
@pytest.mark.parametrize("call", [0, 1])
@pytest.mark.parametrize("converted", [True, False])
def test_a_row_that_is_moved_between_two_steps_of_a_reader_is_there_once(  # noqa: PLR0913 (each by name)
    folders: Folders, monkeypatch: pytest.MonkeyPatch, *, step: str, by: timedelta, call: int, converted: bool
) -> None:
    goes_on, calls = getattr(lake, step), iter(range(9))

    def move_first(*arguments: object) -> object:
        if next(calls) == call:
            release(folders, by)
            if converted:
                convert(folders, HOME, date(2026, 7, 1))
        return goes_on(*arguments)

    monkeypatch.setattr(lake, step, move_first)
    assert len(read(folders)) == 4


def test_a_date_outside_the_calendar_is_left_as_it_is(folders: Folders) -> None:
    assert release(folders, timedelta(days=3_000_000)) == 0
    assert len(read(folders)) == 4


@given(
    st.builds(
        Measurement,
        timestamp=st.integers(0, 4 * 10**15).map(lambda microseconds: utc(1970, 1, 1) + timedelta(0, 0, microseconds)),
        started_at=st.just(THEN) | st.none(),
        slot=st.just(THEN) | st.none(),
        status=st.just("ok"),
        error=TEXT,
        download_mbps=st.floats(0, 1e6) | st.none(),
        clock_synced=st.sampled_from([False]),
        raw=st.dictionaries(
            st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1), TEXT
        ),
    ),
    st.timedeltas(timedelta(days=-3000), timedelta(days=30_000)),
)
def test_a_re_dated_row_differs_in_its_instants_only(row: Measurement, by: timedelta) -> None:
    row.raw = {f"x{name}": value for name, value in row.raw.items()}
    before, after = results.encode(row), results.redated(results.encode(row).data, by)
    assert results.redated(after.data, -by).timestamp == row.timestamp
    was, now = (
        parse([Source("speedtest_00-00-00.csv", each.data)], HOME).table.to_pylist()[0] for each in (before, after)
    )
    moved = {name for name in was if was[name] != now[name]} - {"source", "raw_timestamp"}
    assert moved == ({name for name in ("timestamp", "started_at", "slot") if was[name]} if by else set())
    assert (now["raw_timestamp"], now["timestamp"]) == (row.timestamp, row.timestamp + by)
