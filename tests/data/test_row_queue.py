"""Rows that the disk refuses wait, in order, and are printed only if they must be."""

import json
from pathlib import Path

import pytest
from samples import logged, measured, utc

from speedtest.data import results
from speedtest.data.results import Row
from speedtest.data.row_queue import RowQueue

DAYS = (27, 28, 29)


def printed(capsys: pytest.CaptureFixture[str]) -> list[bytes]:
    lines = capsys.readouterr().err.splitlines()
    return [json.loads(line)["unsaved_row"].encode() for line in lines if line.startswith('{"unsaved_row"')]


def row(day: int, seed: int = 0) -> Row:
    return results.encode(measured(utc(2026, 3, day, 12), seed=seed))


def blocked(folder: Path, day: int) -> Path:
    """Put a file where a day's folder should be."""
    path = folder / f"year=2026/month=03/day={day}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file where the day should be")
    return path


def test_a_day_that_cannot_be_written_holds_up_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    obstacle = blocked(tmp_path, 27)
    waiting, rows = RowQueue(tmp_path), [row(day) for day in DAYS]
    for each in rows:
        waiting.add(each)
    assert list(waiting.save()) == rows[1:]
    assert waiting.save() == {}
    assert len(waiting) == 1
    assert len(caplog.records) == 1
    obstacle.unlink()
    assert list(waiting.save()) == rows[:1]
    assert len(logged(caplog, "rows_saved")) == 1


def test_each_row_is_told_its_own_path(tmp_path: Path) -> None:
    waiting, (first, second) = RowQueue(tmp_path), (row(28), row(28, seed=1))
    waiting.add(first)
    waiting.add(second)
    saved = waiting.save()
    assert [path.name for path in saved.values()] == ["speedtest_12-00-00.csv", "speedtest_12-00-00_2.csv"]
    assert all(path.read_bytes() == each.data for each, path in saved.items())


def test_the_oldest_row_is_printed_when_too_many_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked(tmp_path, 28)
    waiting, rows = RowQueue(tmp_path, most=2), [row(28, seed=number) for number in range(3)]
    for each in rows:
        waiting.add(each)
        waiting.save()
    assert len(waiting) == 2
    assert printed(capsys) == [rows[0].data]
    waiting.give_up()
    assert printed(capsys) == [each.data for each in rows[1:]]
