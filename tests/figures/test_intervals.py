"""Intervals hold the truth as often as they say, and where tests or days are too few, there is none."""

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from samples import utc
from views import INTERVAL, folders, good, summary

from speedtest.figures import estimates, intervals
from speedtest.figures.types import Estimate, Plan
from tests.benchmarks import statistics

DAY = 86_400
START = utc(2026, 3, 27)


def seconds(days: int, a_day: int) -> np.ndarray:
    return np.arange(days * a_day) * (DAY // a_day)


def estimate(numbers: list[float], times: np.ndarray) -> Estimate:
    found = estimates.estimate(np.array(numbers, float), times)
    assert found
    return found


@pytest.mark.parametrize(("part", "enough"), [(0.5, 6), (0.25, 11), (0.75, 11), (0.1, 29), (0.9, 29), (0.05, 59)])
def test_an_interval_within_a_day_exists_from_so_many_tests(part: float, enough: int) -> None:
    for tests in range(1, 80):
        numbers = np.arange(tests, dtype=float)
        found = intervals.of_quantile(intervals.sample(numbers, np.arange(tests)), part)
        assert (found is not None) == (tests >= enough), tests


@given(st.integers(6, 400), st.sampled_from([0.25, 0.5, 0.75]))
def test_two_tests_enclose_the_quantile_with_95_percent_and_no_closer_ones_do(tests: int, part: float) -> None:
    if not intervals.are_enough(tests, part):
        return
    first, last = intervals.ranks(tests, part)
    of = [math.comb(tests, each) * part**each * (1 - part) ** (tests - each) for each in range(tests + 1)]
    assert sum(of[first:last]) >= 0.95 - 1e-9
    assert sum(of[first : last - 1]) < 0.95
    assert sum(of[first + 1 : last]) < 0.95


@pytest.mark.parametrize(("days", "too_few"), [(1, None), (2, "days"), (5, "days"), (6, None), (400, None)])
def test_between_two_and_five_days_there_is_no_interval(days: int, too_few: str | None) -> None:
    found = estimate([100.0 + number % 7 for number in range(days * 24)], seconds(days, 24))
    assert (found.days, found.too_few, found.interval is None) == (days, too_few, too_few is not None)


def test_few_tests_are_told_as_too_few_however_many_days_they_are_of() -> None:
    found = estimate([1, 2, 3, 4, 5], np.arange(5) * DAY * 2)
    assert (found.too_few, found.interval, found.few_for_range) == ("tests", None, True)
    assert not estimate([float(each) for each in range(29)], np.arange(29)).few_for_range
    assert estimate([float(each) for each in range(28)], np.arange(28)).few_for_range


def test_a_period_of_a_day_is_one_day_whenever_it_begins(tmp_path: Path) -> None:
    begin = START + timedelta(hours=13, minutes=5)
    rows = [good(begin + number * INTERVAL) for number in range(143)]
    (engine,) = summary(folders(tmp_path, rows), begin, begin + timedelta(days=1), Plan(400)).engines
    assert engine.download
    assert (engine.download.days, engine.download.too_few) == (1, None)
    assert engine.plan_download
    assert engine.plan_download.share_interval
    share = engine.plan_download.share_interval
    assert 0 <= share.low < engine.plan_download.share < share.high <= 100


@given(
    st.lists(st.one_of(st.floats(0, 1000), st.just(math.nan)), min_size=1, max_size=300),
    st.integers(1, 100),
    st.integers(0, 2**32 - 1 - 300 * 3 * DAY),
)
@settings(max_examples=100, deadline=None)
def test_an_interval_lies_within_the_tests_and_around_their_median(
    numbers: list[float], a_day: int, since: int
) -> None:
    times = (since + np.arange(len(numbers), dtype=np.int64) * (3 * DAY // a_day)).astype(np.uint32)
    found = estimates.estimate(np.array(numbers), times)
    there = [number for number in numbers if not math.isnan(number)]
    assert (found is None) == (not there)
    if found is None:
        return
    assert found.median == pytest.approx(np.median(there))
    assert found == estimates.estimate(np.array(numbers), times), "the draws are the same each time"
    if found.interval:
        assert found.least <= found.interval.low <= found.median <= found.interval.high <= found.most


def test_a_test_a_day_at_about_the_same_time_is_one_a_day() -> None:
    chance = np.random.default_rng(2)
    times = np.arange(30) * DAY + chance.integers(0, 120, size=30)
    assert estimate([float(each) for each in range(30)], times).days == 30


def test_equal_tests_leave_no_doubt() -> None:
    found = estimate([100.0] * 240, seconds(10, 24))
    assert found.interval
    assert (found.interval.low, found.interval.high) == (100.0, 100.0)


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in statistics.LINES if line.promised], ids=lambda line: line.words)
def test_intervals_hold_the_truth_and_equal_periods_are_rarely_told_apart(line: statistics.Simulated) -> None:
    """The short form of `./bootstrap.sh bench statistics`. 200 runs are off by 1.5 % in two of three cases."""
    found = statistics.runs(line, 14, 200, statistics.truth())
    assert 0.92 <= found.coverage <= 0.99
    assert found.alarms <= 0.08


def test_a_real_difference_is_found() -> None:
    chance = np.random.default_rng(3)
    before, after = (
        intervals.quantile_drawn(intervals.sample(level + chance.normal(size=240), seconds(10, 24)), 0.5)
        for level in (100.0, 102.0)
    )
    assert before
    assert after
    found = intervals.difference(before, after)
    assert 1.5 < found.low < 2 < found.high < 2.5
