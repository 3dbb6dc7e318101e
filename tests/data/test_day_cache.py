"""Days with CSV files are read once for many locations, and again as soon as a file comes or goes."""

import os
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from samples import HOME, OFFICE, keep, utc
from views import folders, good

from speedtest.data import lake, partitions
from speedtest.data.conversion import convert
from speedtest.data.csv_rows import Source
from speedtest.data.partitions import Folders
from speedtest.data.table import Parsed
from speedtest.data.table_cache import TableCache

DAY = date(2026, 3, 9)
DUE = utc(2026, 3, 9)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of files of each day that is read."""
    found: list[int] = []
    parse = lake.parse

    def noted(sources: Iterable[Source], address: str) -> Parsed:
        read = list(sources)
        found.append(len(read))
        return parse(read, address)

    monkeypatch.setattr(lake, "parse", noted)
    return found


def read(where: Folders, location: str, opened: TableCache) -> pd.DataFrame:
    return lake.read(location=location, result_dir=where.result_dir, upload_dir=where.upload_dir, opened=opened)


def settle(where: Folders) -> None:
    """Date the folder of the day back, as if its last file had come a while ago, and always at the same moment."""
    os.utime(partitions.day_folder(where.result_dir, DAY), (DUE.timestamp(), DUE.timestamp()))


def test_the_files_of_a_day_are_read_once_for_all_locations(tmp_path: Path, parsed: list[int]) -> None:
    where, opened = folders(tmp_path, [good(DUE), good(DUE, OFFICE)]), TableCache()
    settle(where)
    assert [len(read(where, name, opened)) for name in (HOME, OFFICE, HOME, "nowhere")] == [1, 1, 1, 0]
    assert parsed == [2]


def test_a_day_that_changed_a_moment_ago_is_read_again(tmp_path: Path, parsed: list[int]) -> None:
    where, opened = folders(tmp_path, [good(DUE)]), TableCache()
    assert [len(read(where, HOME, opened)) for _ in range(2)] == [1, 1]
    assert parsed == [1, 1]


def test_a_new_row_is_seen_at_once(tmp_path: Path) -> None:
    where, opened = folders(tmp_path, [good(DUE)]), TableCache()
    settle(where)
    assert len(read(where, HOME, opened)) == 1
    keep([good(DUE + timedelta(hours=1))], where.result_dir)
    assert len(read(where, HOME, opened)) == 2


def test_a_row_is_there_once_before_and_after_its_conversion(tmp_path: Path) -> None:
    where, opened = folders(tmp_path, [good(DUE), good(DUE, OFFICE)]), TableCache()
    settle(where)
    before = [read(where, name, opened)["timestamp"].tolist() for name in (HOME, OFFICE)]
    assert not convert(where, HOME, date(2026, 4, 1))
    assert [read(where, name, opened)["timestamp"].tolist() for name in (HOME, OFFICE)] == before


def test_a_row_that_is_converted_but_not_deleted_yet_is_there_once(tmp_path: Path) -> None:
    where, opened = folders(tmp_path, [good(DUE)]), TableCache()
    settle(where)
    assert len(read(where, HOME, opened)) == 1
    folder = partitions.day_folder(where.result_dir, DAY)
    saved = {path: path.read_bytes() for path in folder.iterdir()}
    assert not convert(where, HOME, date(2026, 4, 1))
    folder.mkdir(parents=True)
    for path, data in saved.items():
        path.write_bytes(data)
    settle(where)
    assert len(read(where, HOME, opened)) == len(read(where, HOME, TableCache())) == 1


def test_a_file_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    where, opened = folders(tmp_path, [good(DUE)]), TableCache()
    (path,) = partitions.day_folder(where.result_dir, DAY).iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    settle(where)
    assert len(read(where, HOME, opened)) == 0
    path.write_bytes(whole)
    assert len(read(where, HOME, opened)) == 1
