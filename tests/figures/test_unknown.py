"""Missing data is never a good result, and a test that failed is not always a line that is down."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from foreign import false_result, without_status
from samples import HOME, utc
from views import INTERVAL, failed, folders, good, skipped, summary

from speedtest.figures import state
from speedtest.figures.rows import Rows
from speedtest.measurement import Measurement
from speedtest.report import sentences

DAY = utc(2026, 3, 28)
NEVER_AN_OUTAGE = ["rate-limited", "server-busy", "refused", "not-found", "malformed", "rejected", "signal", None]
OF_A_DEAD_LINE = ["timeout", "exit", "no-output"]


def at(number: int) -> datetime:
    return DAY + number * INTERVAL


def by_hand(number: int) -> Measurement:
    return failed(at(number), slot=None, attempt=None, interval_seconds=None)


@pytest.mark.parametrize("kind", NEVER_AN_OUTAGE)
def test_failures_that_a_dead_line_does_not_have_are_counted_and_are_no_outage(tmp_path: Path, kind: str) -> None:
    rows = [good(at(0)), *(failed(at(number), error_kind=kind) for number in (1, 2, 3)), good(at(4))]
    found = summary(folders(tmp_path, rows), DAY, at(5))
    assert (found.slots.failed, found.slots.down, found.uptime_percent) == (3, 0, 40)
    assert (found.outages, found.outages_in_all) == ([], 0)
    assert any("3 slots the test failed" in note for note in sentences.notes(found))


@pytest.mark.parametrize("kind", OF_A_DEAD_LINE)
def test_failures_of_a_dead_line_are_an_outage(tmp_path: Path, kind: str) -> None:
    rows = [good(at(0)), *(failed(at(number), error_kind=kind) for number in (1, 2, 3)), good(at(4))]
    found = summary(folders(tmp_path, rows), DAY, at(5))
    assert [(each.start, each.end, each.slots) for each in found.outages] == [(at(1), at(4), 3)]
    assert sentences.notes(found) == []


def test_a_server_that_answers_ends_an_outage_and_a_failure_that_says_nothing_does_not(tmp_path: Path) -> None:
    kinds = ["timeout", "malformed", "exit", "rate-limited", "timeout"]
    rows = [failed(at(number), error_kind=kind) for number, kind in enumerate(kinds)]
    last, first = summary(folders(tmp_path, rows), DAY, at(5)).outages
    assert (first.start, first.last, first.end, first.slots) == (at(0), at(2), at(3), 2)
    assert (last.start, last.end) == (at(4), None)


def test_a_slot_in_which_one_server_answered_is_no_outage(tmp_path: Path) -> None:
    rows = [failed(at(0), error_kind="timeout"), failed(at(0), error_kind="rate-limited", attempt=2)]
    assert summary(folders(tmp_path, rows), DAY, at(1)).outages_in_all == 0


def test_failed_tests_by_hand_do_not_make_no_outage_but_an_unknown_one(tmp_path: Path) -> None:
    found = summary(folders(tmp_path, [by_hand(0), by_hand(1), by_hand(2)]), DAY, at(5))
    assert (found.failed, found.failed_by_hand, found.outages_in_all, found.uptime_percent) == (3, 3, None, None)
    assert "no test succeeded: 3 tests failed. Whether there were outages is unknown" in sentences.lead(found)


def test_failed_rows_of_the_original_program_are_failed_tests_and_no_good_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEEDTEST_LOCATION_UUID", HOME)  # the location of rows that name none
    where = folders(tmp_path, [])
    for number in range(3):
        false_result(where.result_dir, at(number))
    found = summary(where, DAY, at(5))
    assert (found.failed, found.failed_by_hand, found.outages_in_all, found.uptime_percent) == (3, 3, None, None)


def test_rows_without_a_status_are_counted_and_said_and_make_no_good_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEEDTEST_LOCATION_UUID", HOME)  # the location of rows that name none
    where = folders(tmp_path, [])
    without_status(where.result_dir, DAY, 3)
    found = summary(where, DAY, at(5))
    assert (found.rows, found.tests, found.without_status, found.outages_in_all) == (3, 0, 3, None)
    assert "no test was made. Whether there were outages is unknown" in sentences.lead(found)
    assert any("3 rows have no known status" in note for note in sentences.notes(found))
    line = state.of(Rows(where), HOME, at(3))
    assert (line.condition, line.up, line.failures_in_a_row, line.rows_without_status) == ("no-test", None, None, 3)


def test_no_outage_says_in_how_many_slots_and_how_many_had_no_test(tmp_path: Path) -> None:
    found = summary(folders(tmp_path, [good(at(0)), skipped(at(1)), good(at(9))]), DAY, at(10))
    assert "No outages in 2 tested slots; 8 slots had no test" in sentences.lead(found)


@pytest.mark.parametrize(
    ("row", "after", "condition"),
    [
        (good(at(0)), INTERVAL, "up"),
        (failed(at(0), error_kind="timeout"), INTERVAL, "down"),
        (failed(at(0), error_kind="rate-limited"), INTERVAL, "test-failed"),
        (failed(at(0), error_kind=None), INTERVAL, "test-failed"),
        (good(at(0)), timedelta(hours=2), "late"),
        (skipped(at(0)), INTERVAL, "no-test"),
    ],
)
def test_the_condition_of_a_line_is_one_word(
    tmp_path: Path, row: Measurement, after: timedelta, condition: str
) -> None:
    line = state.of(Rows(folders(tmp_path, [row])), HOME, at(0) + after)
    assert (line.condition, line.up) == (condition, {"up": True, "down": False}.get(condition))


def test_a_line_whose_slots_are_skipped_for_days_is_not_up(tmp_path: Path) -> None:
    rows = [good(at(0)), *(skipped(at(number)) for number in range(1, 3 * 144))]
    assert state.of(Rows(folders(tmp_path, rows)), HOME, at(3 * 144)).condition == "late"
    night = Rows(folders(tmp_path / "night", rows[:49]))
    assert state.of(night, HOME, at(49)).condition == "up"


def test_failures_that_say_nothing_count_in_a_row_and_not_as_down(tmp_path: Path) -> None:
    kinds = ["timeout", "rate-limited", "timeout", "malformed", "exit"]
    rows = [good(at(0)), *(failed(at(number), error_kind=kind) for number, kind in enumerate(kinds, 1))]
    line = state.of(Rows(folders(tmp_path, rows)), HOME, at(6))
    assert (line.failures_in_a_row, line.down_in_a_row, line.condition) == (5, 2, "down")
