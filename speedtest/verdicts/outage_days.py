"""What each local day after the report of a fault was: without service, back, or not known.

A day is `out` if a test was tried, none succeeded, and the failures are of a kind that a dead line makes. It is `back`
if a test succeeded and the last one did; `partly` if one succeeded and a later one failed as on a dead line. It is
`unknown` if nothing was tried, or if only the program or its server failed. A test that failed while the watch saw the
line up says nothing.
"""

from collections.abc import Iterator
from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from speedtest.verdicts import describe, local_time
from speedtest.verdicts.case import Case
from speedtest.verdicts.rows import NEVER, Indices, LineRows, Mask

type DayState = Literal["out", "back", "partly", "unknown"]
DEAD_LINE = ("timeout", "exit", "no-output")
"""Kinds of failure that a dead line makes."""


class OutageDay(msgspec.Struct, frozen=True, kw_only=True):
    """A local day after the report."""

    number: int
    """Days since the day of the report."""
    day: date
    state: DayState
    tried: int
    last: int | None
    """Its last row with a test, which shows the state."""
    failed: bool
    """Whether a test failed as on a dead line."""
    is_over: bool


def days(case: Case, reported: date) -> Iterator[OutageDay]:
    """Yield the days from that of the report up to the end of the rows."""
    zone = zone_of(case)
    rows = case.rows
    tests = np.flatnonzero(~rows.status.equal("skipped"))
    begun = local_time.day_number(reported)
    starts = rows.start[tests]
    number = 0
    while (midnight := local_time.midnight(begun + number, zone)) < case.until:
        end = local_time.midnight(begun + number + 1, zone)
        first, after = np.searchsorted(starts, [midnight, end])
        yield _day(rows, tests[first:after], local_time.day(begun + number), number, is_over=end <= case.until)
        number += 1


def zone_of(case: Case) -> ZoneInfo:
    """Return the zone of the newest row that names one; UTC if none does."""
    named = np.flatnonzero(case.rows.zone.codes >= 0)
    return describe.zone(case.rows, int(named[-1])) if len(named) else ZoneInfo("UTC")


def _day(rows: LineRows, tests: Indices, day: date, number: int, *, is_over: bool) -> OutageDay:
    is_good, is_dead = rows.status.equal("ok")[tests], _dead(rows)[tests]
    tells = np.flatnonzero(is_good | is_dead)
    state: DayState = "unknown"
    if is_good.any():
        state = "back" if is_good[tells[-1]] else "partly"
    elif (is_dead & (rows.slot[tests] != NEVER)).any():
        state = "out"
    last = int(tests[tells[-1]]) if len(tells) else None
    return OutageDay(
        number=number,
        day=day,
        state=state,
        tried=len(tests),
        last=last,
        failed=bool(is_dead.any()),
        is_over=is_over,
    )


def _dead(rows: LineRows) -> Mask:
    """Return which rows are failures as on a dead line."""
    failed = rows.status.equal("failed")
    return failed & (rows.error_kind.equal(*DEAD_LINE) | rows.line.equal("down")) & ~rows.line.equal("up")
