"""Which tests are still to be made for a sample of four tests in each local clock hour, as Italy's rule wants it.

The first 24 hours have one test in each quarter of an hour. What is missing then is made up in the same clock hour of
the next 48. A sample that cannot be completed any more is left for the one that begins a day later.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from speedtest.campaigns import local
from speedtest.campaigns.days import SamplePlan
from speedtest.campaigns.order import Outcome, Planned

OF_AN_HOUR = 4
_HOURS = 24
_QUARTER = timedelta(minutes=15)
_INTO = timedelta(minutes=2)
"""A test begins two minutes into its quarter, so that a clock that is a little off leaves it there."""
_LEAD = timedelta(seconds=5)
_WHOLE = timedelta(hours=72)


def plan(start: date, outcomes: Iterable[Outcome], now: datetime) -> SamplePlan:
    """Return what is still to be made, after what became of the tests so far."""
    made = sorted(outcomes, key=lambda outcome: outcome.due)
    first = start
    while True:
        begin = local.instant(first, "00:00")
        found = _plan(begin, [outcome for outcome in made if outcome.due >= begin], now)
        if found:
            return found
        first = local.next_day(first)


def _plan(begin: datetime, outcomes: list[Outcome], now: datetime) -> SamplePlan | None:
    """Return the plan of the sample that begins at this instant; None if it cannot be completed any more."""
    counted = Counter(local.hour_of(outcome.due) for outcome in outcomes if outcome.result == "counted")
    done = {outcome.due for outcome in outcomes}
    open_hours = {hour: OF_AN_HOUR - counted[hour] for hour in range(_HOURS) if counted[hour] < OF_AN_HOUR}
    tests: list[Planned] = []
    for due in _quarters(begin):
        hour = local.hour_of(due)
        if due >= now + _LEAD and due not in done and open_hours.get(hour, 0) > 0:
            tests.append(Planned(due))
            open_hours[hour] -= 1
    if any(open_hours.values()):
        return None
    return SamplePlan(tuple(tests), sum(min(number, OF_AN_HOUR) for number in counted.values()), complete=not tests)


def _quarters(begin: datetime) -> Iterator[datetime]:
    """Yield each quarter of the 72 hours."""
    due = begin + _INTO
    while due < begin + _WHOLE:
        yield due
        due += _QUARTER
