"""What views need besides the rows: the locations, their first day, and whether there are new rows."""

from datetime import date, timedelta
from pathlib import Path

from samples import HOME, OFFICE, keep, utc
from views import folders, good

from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.figures.rows import Rows


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


def test_a_lake_without_rows_has_no_location_and_a_mark(tmp_path: Path) -> None:
    rows = Rows(folders(tmp_path, []))
    assert rows.locations() == []
    assert rows.first(HOME) is None
    assert rows.mark() == rows.mark()
    assert rows.of(utc(2026, 1, 1), utc(2026, 1, 1) + timedelta(days=1)).empty
