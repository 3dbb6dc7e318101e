"""What views need besides the rows: the locations, their first day, and whether there are new rows."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from samples import HOME, OFFICE, keep, utc
from views import folders, good

from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.figures import state
from speedtest.figures.lines import Lines
from speedtest.figures.rows import Rows
from speedtest.figures.state import LineState


def test_the_location_with_the_newest_day_comes_first(tmp_path: Path) -> None:
    rows = [
        good(utc(2026, 3, 1)),
        good(utc(2026, 3, 9)),
        good(utc(2025, 12, 31), OFFICE),
        good(utc(2026, 3, 8), OFFICE),
    ]
    where = folders(tmp_path, rows, date(2026, 4, 1))
    assert Rows(where).locations() == [HOME, OFFICE]
    keep([good(utc(2026, 3, 10), OFFICE)], where.result_dir)
    assert Rows(where).locations() == [OFFICE, HOME]
    assert Rows(where).first(OFFICE) == utc(2025, 12, 31)


def test_a_row_that_came_late_is_the_first_before_it_is_converted(tmp_path: Path) -> None:
    where = folders(tmp_path, [good(utc(2026, 3, 9))], date(2026, 4, 1))
    keep([good(utc(2026, 3, 2), OFFICE), good(utc(2026, 3, 4))], where.result_dir)
    assert Rows(where).first(HOME) == utc(2026, 3, 4)


def test_the_mark_changes_with_every_new_row_and_with_a_conversion_and_else_not(tmp_path: Path) -> None:
    where = folders(tmp_path, [good(utc(2026, 3, 1)), good(utc(2026, 3, 9))])
    rows = Rows(where)
    marks = [rows.mark()]
    for due in (utc(2026, 3, 9, 1), utc(2026, 3, 10)):
        keep([good(due)], where.result_dir)
        marks.append(rows.mark())
    for until in (date(2026, 3, 2), date(2026, 3, 10), date(2026, 3, 11)):
        assert not convert(Folders(where.result_dir, where.upload_dir), HOME, until)
        marks.append(rows.mark())
    assert len(set(marks)) == len(marks)
    assert rows.mark() == marks[-1]


def test_a_new_row_is_read_for_its_line_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = folders(tmp_path, [good(utc(2026, 3, 9)), good(utc(2026, 3, 9), OFFICE)], date(2026, 4, 1))
    lines, now, read = Lines(Rows(where)), utc(2026, 3, 10), list[str]()
    of = state.of

    def noted(rows: Rows, name: str, at: datetime) -> LineState:
        read.append(name)
        return of(rows, name, at)

    monkeypatch.setattr(state, "of", noted)
    assert [line.location for line in lines.states(now)] == [HOME, OFFICE]
    keep([good(utc(2026, 3, 10), OFFICE)], where.result_dir)
    again = list(lines.states(now))
    assert read == [HOME, OFFICE, OFFICE]
    assert again[0].last
    assert again[0].last.slot == utc(2026, 3, 10)


def test_months_read_one_by_one_are_the_same_rows(tmp_path: Path) -> None:
    rows = [good(utc(2026, 1, 1) + timedelta(days=number)) for number in range(90)]
    where = folders(tmp_path, rows, date(2026, 3, 1))
    found = Rows(where).of(utc(2026, 1, 1), utc(2026, 12, 31), HOME)
    assert [slot.to_pydatetime() for slot in found["slot"]] == [row.slot for row in rows]
    assert found["engine"].tolist() == [row.engine for row in rows]


def test_a_lake_without_rows_has_no_location_and_a_mark(tmp_path: Path) -> None:
    rows = Rows(folders(tmp_path, []))
    assert rows.locations() == []
    assert rows.first(HOME) is None
    assert rows.mark() == rows.mark()
    assert rows.of(utc(2026, 1, 1), utc(2026, 1, 1) + timedelta(days=1)).empty
