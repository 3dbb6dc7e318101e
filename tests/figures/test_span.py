"""A row far from all others, which a wrong clock made, never stretches a view. It is counted as what it is."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from command import speedsnake
from hypothesis import given, strategies as st
from pages import serving, this_slot
from samples import HOME, keep, utc
from views import INTERVAL, folders, good

from speedtest.figures import questions, span, state
from speedtest.figures.rows import Rows
from speedtest.figures.types import Plan

DAY = utc(2026, 3, 20)
END = DAY + timedelta(days=2)
WRONG = [utc(1970, 1, 1, 0, 5), utc(2000, 1, 1), utc(2099, 6, 1)]


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("converted", [False, True])
def test_a_row_with_a_wrong_date_does_not_stretch_the_report(tmp_path: Path, wrong: datetime, converted: bool) -> None:  # noqa: FBT001 (a case)
    rows = [good(DAY + number * INTERVAL) for number in range(200)]
    where = folders(tmp_path, [*rows, good(wrong)], date(2100, 1, 1) if converted else None)
    asked = list(questions.questions(Rows(where), None, END, []))
    (found,) = questions.summaries(Rows(where), asked, Plan())
    assert (found.since, found.rows, found.slots.ok, found.slots.not_measured) == (DAY, 200, 200, 88)
    assert len(found.engines[0].bins) > 30
    if wrong < END:
        assert found.far
        assert (found.far.rows, found.far.first) == (1, wrong + timedelta(seconds=20))


@pytest.mark.slow
def test_the_report_says_how_many_rows_are_far_and_does_not_begin_with_them(tmp_path: Path) -> None:
    rows = [good(DAY + number * INTERVAL) for number in range(200)]
    folders(tmp_path, [*rows, *(good(wrong) for wrong in WRONG)])
    for since in ((), ("--since", "1960-01-01")):
        ended = speedsnake(tmp_path, "report", *since)
        assert "3 rows are dated far from all others (01 Jan 1970 to 01 Jun 2099)" in ended.stdout
        assert "From 20 Mar 2026 to 21 Mar 2026" in ended.stdout
    (bounded,) = json.loads(speedsnake(tmp_path, "report", "--json", "--since", "2026-03-20").stdout)
    assert bounded["far"]["rows"] == 1  # the one in the future


def test_a_row_in_the_future_hides_no_location_no_news_and_is_no_state(tmp_path: Path) -> None:
    where = folders(tmp_path, [good(this_slot()), good(utc(2098, 1, 1)), good(utc(2099, 1, 1), "other")])
    rows = Rows(where)
    assert HOME in rows.locations()
    mark = rows.mark()
    keep([good(this_slot() - INTERVAL)], where.result_dir)
    assert rows.mark() != mark
    assert state.of(rows, HOME, datetime.now(UTC)).condition == "up"


@pytest.mark.slow
def test_the_page_over_all_results_begins_with_the_first_believable_one(tmp_path: Path) -> None:
    with serving(folders(tmp_path, [good(this_slot()), good(utc(1970, 1, 1))])) as page:
        summary = page.get("/api/summary?since=1960-01-01").json()
        shown = page.get("/?range=all").text
    assert (summary["since"][:10], summary["far"]["rows"], summary["slots"]["not_measured"]) == (
        f"{this_slot():%Y-%m-%d}",
        1,
        0,
    )
    assert "1 row is dated far from all others" in shown


def test_a_clock_that_stood_still_for_two_days_years_ago_is_far_once_there_are_enough_others() -> None:
    stray, others = days(date(2023, 5, 1), 2), days(date(2026, 1, 1), 25)
    assert span.near([*stray, *others]) == others
    assert span.near([*stray, *others[:5]]) == [*stray, *others[:5]]


@pytest.mark.parametrize(
    "there",
    [
        [date(1970, 1, 1)],
        days(date(2019, 1, 1), 30) + days(date(2024, 1, 1), 400),  # two real campaigns
        [date(year, 6, 1) for year in range(2010, 2026)],  # measured by hand once a year
        days(date(2016, 1, 1), 3600),
        [],
    ],
)
def test_days_that_were_measured_are_kept(there: list[date]) -> None:
    assert span.near(there) == there


@given(st.sets(st.dates(), max_size=60))
def test_near_days_are_some_of_the_days_in_order(there: set[date]) -> None:
    found = span.near(sorted(there))
    assert set(found) <= there
    assert found == sorted(found)
    assert bool(found) == bool(there)
