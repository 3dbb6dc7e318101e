"""A minimum that a line may not fall below, over a period: any test below it fails, and enough tests without one pass.

How many are enough is our own choice: 20 tests on three local days, five of them from 19:00 to 23:00. The period is the
last 14 local days, or what a person asks for.
"""

from collections.abc import Callable, Iterator

import msgspec

from speedtest.verdicts import counting
from speedtest.verdicts.case import Case, Sample, local_days
from speedtest.verdicts.contract import Speeds
from speedtest.verdicts.local_time import HOUR
from speedtest.verdicts.rules import Facing, RuleOutcome
from speedtest.verdicts.texts import SHARED
from speedtest.verdicts.types import Said

PERIOD_DAYS = 14
ENOUGH_TESTS, ENOUGH_DAYS, ENOUGH_EVENING = 20, 3, 5
EVENING = (19 * HOUR, 23 * HOUR)


def periods(case: Case) -> Iterator[Sample]:
    """Yield the tests of the last 14 local days, then of the 14 before, and so on; or all if the start was chosen."""
    days = local_days(case.rows, case.fit)
    if "since" in case.chosen and days:
        yield Sample(groups=tuple(tests for _, tests in days))
        return
    while days:
        newest = days[-1][0]
        inside = [tests for day, tests in days if day > newest - PERIOD_DAYS]
        yield Sample(groups=tuple(inside))
        days = days[: -len(inside)]


def missing(_case: Case) -> Said:
    """Say that there is no test."""
    return SHARED.say("no_tests")


def judged_by(limit: Callable[[Speeds], float | None]) -> Callable[[Facing], RuleOutcome]:
    """Return how tests are counted against this limit of a direction."""

    def count(facing: Facing) -> RuleOutcome:
        return _outcome(facing, limit(facing.contract.speeds(facing.direction)) or facing.figure)

    return count


def _outcome(facing: Facing, limit: float) -> RuleOutcome:
    found = counting.none_below(facing, limit)
    if found.verdict == "fail":
        return found
    clocks = facing.rows.clock[facing.sample.rows]
    evening = int(((clocks >= EVENING[0]) & (clocks < EVENING[1])).sum())
    tests, days = len(clocks), len(facing.sample.groups)
    if tests >= ENOUGH_TESTS and days >= ENOUGH_DAYS and evening >= ENOUGH_EVENING:
        return found
    needs = {"tests": ENOUGH_TESTS, "days": ENOUGH_DAYS, "evening": ENOUGH_EVENING}
    reason = SHARED.say(
        "minimum.too_few",
        tests=tests,
        days=days,
        evening=evening,
        **{f"need_{name}": value for name, value in needs.items()},
    )
    return msgspec.structs.replace(found, verdict="insufficient", reason=reason)
