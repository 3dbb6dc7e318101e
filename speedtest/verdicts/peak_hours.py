"""The evening hours of a week, as the FCC has a line sampled: one test in each hour from 18:00 to 24:00, on seven days.

Of 42 tests, 35 are enough here; that is our own choice. At least 80 % of them must reach 80 % of the required speed.
"""

from collections.abc import Iterator

import numpy as np

from speedtest.verdicts import counting
from speedtest.verdicts.case import Case, Sample, local_days
from speedtest.verdicts.contract import share
from speedtest.verdicts.local_time import HOUR
from speedtest.verdicts.rows import Indices, LineRows
from speedtest.verdicts.rules import Facing, RuleOutcome
from speedtest.verdicts.texts import SHARED
from speedtest.verdicts.types import Said

DAYS, WANTED, ENOUGH = 7, 42, 35
FIRST_HOUR = 18
SPEED_SHARE, TEST_PERCENT = "0.8", 80


def weeks(case: Case) -> Iterator[Sample]:
    """Yield the newest seven local days with enough tests, then earlier ones that share no day with them."""
    hours = {day: _hours(case.rows, tests) for day, tests in local_days(case.rows, case.fit)}
    last = max(hours, default=0)
    first = min(hours, default=1)
    while last >= first:
        week = [hours[day] for day in range(last - DAYS + 1, last + 1) if day in hours and len(hours[day])]
        if sum(map(len, week)) >= ENOUGH:
            yield Sample(groups=tuple(week))
            last -= DAYS
        else:
            last -= 1


def _hours(rows: LineRows, day: Indices) -> Indices:
    """Return the first test of each hour of an evening."""
    hours = rows.clock[day] // HOUR
    _, firsts = np.unique(hours, return_index=True)
    chosen = day[np.sort(firsts)]
    return chosen[rows.clock[chosen] // HOUR >= FIRST_HOUR]


def missing(case: Case) -> Said:
    """Say how many tests the newest seven days have."""
    days = local_days(case.rows, case.fit)
    newest = [tests for day, tests in days if day > days[-1][0] - DAYS]
    have = sum(len(_hours(case.rows, tests)) for tests in newest)
    return SHARED.say("peak.too_few", have=have, need=ENOUGH, of=WANTED)


def speeds(facing: Facing) -> RuleOutcome:
    """Count the tests that reach 80 % of the required speed; exactly that counts."""
    return counting.enough_share(facing, share(SPEED_SHARE, facing.figure), TEST_PERCENT)
