"""A day or a time without a zone is local time of the line, for each line by its own zone."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from samples import HOME, OFFICE, utc
from views import folders, good

from speedtest.data.partitions import Folders
from speedtest.figures import questions, zones
from speedtest.figures.rows import Rows

AUCKLAND, BERLIN, TOKYO = "Pacific/Auckland", "Europe/Berlin", "Asia/Tokyo"
NOW = utc(2026, 12, 2)
NOVEMBER = (utc(2026, 10, 31, 11), utc(2026, 11, 30, 11))
"""In Auckland, which is 13 hours before UTC in summer."""


@pytest.fixture(autouse=True)
def _machine_in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", TOKYO)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def two_lines(folder: Path) -> Rows:
    """Return a row an hour in November and around, of a line in Auckland and of one in Berlin."""
    hours = [utc(2026, 10, 30) + timedelta(hours=number) for number in range(24 * 33)]
    rows = [good(hour, HOME, timezone=AUCKLAND) for hour in hours]
    return Rows(folders(folder, rows + [good(hour, OFFICE, timezone=BERLIN) for hour in hours]))


def november(rows: Rows, *locations: str) -> tuple[datetime | None, datetime | None]:
    return zones.between(rows, locations, "2026-11-01", "2026-12-01", NOW)


def test_november_is_that_of_the_line_and_of_several_that_of_this_machine(tmp_path: Path) -> None:
    rows = two_lines(tmp_path)
    in_tokyo = (utc(2026, 10, 31, 15), utc(2026, 11, 30, 15))
    assert november(rows, HOME) == november(rows, HOME, HOME) == NOVEMBER
    assert november(rows, OFFICE) == (utc(2026, 10, 31, 23), utc(2026, 11, 30, 23))
    assert november(rows) == november(rows, HOME, OFFICE) == november(rows, "nowhere") == in_tokyo


def test_the_only_line_of_a_lake_need_not_be_named_and_without_rows_it_is_this_machine(tmp_path: Path) -> None:
    assert november(Rows(folders(tmp_path / "none", []))) == (utc(2026, 10, 31, 15), utc(2026, 11, 30, 15))
    moved = [good(utc(2026, 11, 1), timezone=BERLIN), good(utc(2026, 11, 29), timezone=AUCKLAND)]
    assert november(Rows(folders(tmp_path / "one", moved))) == NOVEMBER


def test_each_line_of_a_report_has_the_november_of_its_own_zone(tmp_path: Path) -> None:
    rows = two_lines(tmp_path)
    asked = list(questions.by_zone(rows, "2026-11-01", "2026-12-01", NOW, [HOME, OFFICE]))
    assert [(each.since, each.until) for each in asked] == [november(rows, HOME), november(rows, OFFICE)]
    assert [len(rows.of(each.since, each.until, each.location)) for each in asked] == [30 * 24] * 2


def test_a_zone_is_not_looked_for_if_the_period_names_it(tmp_path: Path) -> None:
    (tmp_path / "no-folder").touch()
    rows = Rows(Folders(tmp_path / "no-folder", tmp_path / "no-folder"))
    with pytest.raises(NotADirectoryError):
        november(rows, HOME)
    assert zones.between(rows, [HOME], "2026-11-01T00:00+13:00", "1d", NOW) == (NOVEMBER[0], NOW - timedelta(days=1))
