"""Which tests are still to be made for a sample of blocks on several days.

The plan follows from what has happened: the tests that count stay, and the earliest days that can still be completed
are added until the sample is complete. So a spoilt day is planned anew within the rule, and a restart changes nothing.
"""

import itertools
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from speedtest.campaigns import local
from speedtest.campaigns.order import Planned, PlannedOutcome
from speedtest.campaigns.samples import Block, LegalSample

_LEAD = timedelta(seconds=5)
"""How long before its start a test is planned at the latest."""
_BETWEEN = timedelta(minutes=5, seconds=5)
"""Between two tests, from the end of one to the start of the next: Germany's rule wants five minutes."""
_MOST_DAYS = 60
"""How far a plan looks ahead."""


class SamplePlan(msgspec.Struct, frozen=True):
    """What is still to be made."""

    tests: tuple[Planned, ...]
    counted: int
    """How many tests of the days that the plan keeps count already."""
    complete: bool = False


class _Day(msgspec.Struct, frozen=True):
    """A measuring day: what counts of it, and what is still to be made."""

    day: date
    first: datetime
    counted: int
    tests: tuple[Planned, ...]

    @property
    def expected(self) -> int:
        return self.counted + len(self.tests)


def plan(sample: LegalSample, start: date, outcomes: Iterable[PlannedOutcome], now: datetime) -> SamplePlan:
    """Return what is still to be made, after what became of the tests so far."""
    by_day: dict[date, list[PlannedOutcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.due):
        by_day.setdefault(local.day_of(outcome.due), []).append(outcome)
    today = local.day_of(now)
    kept: list[_Day] = []
    for day in sorted({day for day in by_day if day < today}):
        past = _day(sample, day, by_day[day], None)
        if past:
            kept = _with(sample, kept, past) or kept
    ahead = max(start, today)
    for day in itertools.islice(_days_from(ahead), _MOST_DAYS):
        if _is_enough(sample, kept):
            break
        coming = _day(sample, day, by_day.get(day, []), now)
        if coming:
            kept = _with(sample, kept, coming) or kept
    tests = tuple(test for each in kept for test in each.tests)
    return SamplePlan(tests, sum(each.counted for each in kept), complete=not tests and _is_enough(sample, kept))


def spoilt(sample: LegalSample, outcomes: Sequence[PlannedOutcome], now: datetime) -> list[date]:
    """Return the days with tests that are no measuring days and cannot become any."""
    found: list[date] = []
    for day, group in itertools.groupby(sorted(outcomes, key=lambda outcome: outcome.due), _day_of):
        if _day(sample, day, list(group), now if day == local.day_of(now) else None) is None:
            found.append(day)
    return found


def _day_of(outcome: PlannedOutcome) -> date:
    return local.day_of(outcome.due)


def _days_from(day: date) -> Iterable[date]:
    return (local.next_day(day, number) for number in itertools.count())


def _is_enough(sample: LegalSample, kept: Sequence[_Day]) -> bool:
    return len(kept) >= sample.days and sum(each.expected for each in kept) >= sample.enough


def _with(sample: LegalSample, kept: list[_Day], day: _Day) -> list[_Day] | None:
    """Return the days with one more, without those that are now too old; None if it is too near to the last."""
    if kept:
        last = kept[-1]
        hours = (day.first - last.first).total_seconds() / 3600
        if (day.day - last.day).days < sample.apart or hours < sample.hours_apart:
            return None
    return [each for each in kept if (day.day - each.day).days < sample.within] + [day]


def _day(sample: LegalSample, day: date, outcomes: Sequence[PlannedOutcome], now: datetime | None) -> _Day | None:
    """Return what a day holds and needs; None if it can be no measuring day. `now` None: the day is over."""
    counted = 0
    tests: list[Planned] = []
    first: datetime | None = None
    free = now + _LEAD if now else None
    for number, block in enumerate(sample.blocks):
        of_block = [outcome for outcome in outcomes if outcome.block == number]
        good = _standing(sample, block, of_block)
        dues = _missing(block, day, of_block[-1:], len(good), free) if free else []
        made = [Planned(due, number) for due in dues]
        counted += sum(outcome.result == "counted" for outcome in good)
        tests += made
        starts = [*(outcome.due for outcome in good), *(test.due for test in made)]
        first = min([first, *starts] if first else starts, default=first)
        if now:
            ends = [*(outcome.ended for outcome in good), *(test.due + _seconds(block.every) for test in made)]
            after = sample.blocks[number + 1].rest if number + 1 < len(sample.blocks) else 0.0
            free = max([now + _LEAD, *(end + _seconds(after) for end in ends)])
    if counted + len(tests) < max(sample.of_a_day, 1) or first is None:
        return None
    return _Day(day, first, counted, tuple(tests))


def _standing(sample: LegalSample, block: Block, outcomes: Sequence[PlannedOutcome]) -> list[PlannedOutcome]:
    """Return the tests of a block that stand: those that count; of an unbroken block, all since it was last broken."""
    if not block.unbroken:
        return [outcome for outcome in outcomes if outcome.result == "counted"]
    spare = block.tests - min(block.tests, sample.of_a_day)
    standing: list[PlannedOutcome] = []
    for outcome in outcomes:
        if len(standing) == block.tests:
            break
        bad = sum(each.result != "counted" for each in standing) + (outcome.result != "counted")
        gap = bool(standing) and (outcome.due - standing[-1].due).total_seconds() > block.every * 1.1
        if outcome.result in ("missed", "skipped") or bad > spare or gap:
            standing = []
        if outcome.result == "counted" or (standing and bad <= spare):
            standing.append(outcome)
    return standing


def _missing(block: Block, day: date, last: Sequence[PlannedOutcome], good: int, free: datetime) -> list[datetime]:
    """Return when the tests of a block that are still needed are due; nothing if it cannot be completed.

    `last`: its last test, if there was one. `good`: how many stand. `free`: no test may begin before.
    """
    need = block.tests - good
    begin = local.instant(day, block.first)
    for outcome in last:
        begin = max(begin, outcome.due + _seconds(block.every))
        if not block.unbroken:
            begin = max(begin, outcome.ended + _BETWEEN)
    if begin < free:
        begin = _next_step(begin, free, block.every)
        if block.unbroken:  # the next test of the row is missed already
            need = block.tests
    dues = [begin + _seconds(block.every * step) for step in range(need)]
    return dues if not dues or dues[-1] <= local.instant(day, block.latest) else []


def _next_step(begin: datetime, free: datetime, every: float) -> datetime:
    """Return the first instant from `free` on that is whole steps of the grid after `begin`."""
    step = min(every, 300.0)
    behind = (free - begin).total_seconds()
    return begin + _seconds(-(-behind // step) * step)


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
