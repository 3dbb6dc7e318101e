"""Which tests are still to be made for a sample of one test in each quarter of each clock hour, as Italy's rule wants.

The first 24 hours have one test in each quarter of an hour. What is missing then is made up in the same quarter of the
next 48 hours. A sample that cannot be completed any more is left for the one that begins a day later.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from speedtest.campaigns import local
from speedtest.campaigns.days import SamplePlan
from speedtest.campaigns.order import Planned, PlannedOutcome

_HOURS, _OF_AN_HOUR = 24, 4
_QUARTER = timedelta(minutes=15)
_INTO = timedelta(minutes=2)
"""A test begins two minutes into its quarter, so that a clock that is a little off leaves it there."""
_LEAD = timedelta(seconds=5)
_WHOLE = timedelta(hours=72)


def plan(start: date, outcomes: Iterable[PlannedOutcome], now: datetime) -> SamplePlan:
    """Return what is still to be made, after what became of the tests so far."""
    made = sorted(outcomes, key=lambda outcome: outcome.due)
    first = start
    while True:
        begin = local.instant(first, "00:00")
        found = _plan(begin, [outcome for outcome in made if outcome.due >= begin], now)
        if found:
            return found
        first = local.next_day(first)


def _plan(begin: datetime, outcomes: list[PlannedOutcome], now: datetime) -> SamplePlan | None:
    """Return the plan of the sample that begins at this instant; None if it cannot be completed any more."""
    counted = {_clock(outcome.due) for outcome in outcomes if outcome.result == "counted"}
    done = {outcome.due for outcome in outcomes}
    missing = {(hour, quarter) for hour in range(_HOURS) for quarter in range(_OF_AN_HOUR)} - counted
    tests: list[Planned] = []
    for due in _quarters(begin):
        clock = _clock(due)
        if due >= now + _LEAD and due not in done and clock in missing:
            tests.append(Planned(due))
            missing.remove(clock)
    return None if missing else SamplePlan(tuple(tests), len(counted), complete=not tests)


def _clock(due: datetime) -> tuple[int, int]:
    """Return the quarter of a test by the clock on the wall: hour and quarter."""
    hour, minute = local.clock_of(due)
    return hour, minute * _OF_AN_HOUR // 60


def _quarters(begin: datetime) -> Iterator[datetime]:
    """Yield each quarter of the 72 hours."""
    due = begin + _INTO
    while due < begin + _WHOLE:
        yield due
        due += _QUARTER
