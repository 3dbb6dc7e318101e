"""Germany: a deviation of the speed from the contract, as the Bundesnetzagentur defines it.

TKG 2021 § 57 (4), (5) with Vfg. 99/2021 (ABl. 23/2021): 30 tests on three calendar days, ten a day, within 14 calendar
days, at least one calendar day between measuring days, 5 minutes between tests, 3 hours between the fifth and the
sixth of a day. A deviation is there if one of R1 to R3 fails in one direction.

The order leaves the hours to the user. So the hours below are our own choice: they fit any interval from 5 to 60
minutes and include the evening. Starting at midnight would hide a crowded evening.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date

import numpy as np

from speedtest.verdicts import counting, local_time, sampling
from speedtest.verdicts.case import Case, Judged, Sample, local_days
from speedtest.verdicts.contract import share
from speedtest.verdicts.local_time import HOUR, MINUTE
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rows import Indices, LineRows
from speedtest.verdicts.rules import Facing, RuleOutcome, SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases
from speedtest.verdicts.types import LegalSource, OfficialTool, Said

DAYS, TESTS_A_DAY, HALF = 3, 10, 5
APART_DAYS, WITHIN_DAYS = 2, 14
FIRST_CLOCK, EVENING_CLOCK = 11 * HOUR, 19 * HOUR
GAP, LONG_GAP = 5 * MINUTE, 3 * HOUR
NEED_TESTS, NEED_DAYS = 27, 2

PHRASES = Phrases(
    "de-bnetza",
    {
        "title": "Germany: deviation of the speed, as the Bundesnetzagentur defines it",
        "binds": "every provider towards consumers",
        "sample": "The newest three conforming days within 14 calendar days, with at least one calendar day between"
        " them: ten tests each, at least 5 minutes apart, with 3 hours between the fifth and the sixth.",
        "choice.hours": "the first five tests of a day from 11:00 and the other five from 19:00 local time: each the"
        " first that is possible",
        "R1": "On at least two of three days, at least one test reaches 90 % of the maximum.",
        "R2": "At least 27 of 30 tests (90 %) reach the speed that is normally available.",
        "R3": "Tests are below the minimum on at most one of three days.",
        "days_missing": "{have} of 3 measuring days conform: it needs {need} more on or after {after}",
        "days_missing_by": "{have} of 3 measuring days conform: it needs 1 more from {after} to {by}",
        "no_day": "no day conforms: it needs 3 days with ten tests by cable, five from 11:00 and five from 19:00",
        "step.tool": "Measure with the Breitbandmessung Desktop-App and its Nachweisverfahren: only its signed PDF is"
        " proof.",
        "step.deadline": "Send that PDF to the provider. Before you terminate, name a deadline within which the line"
        " must be repaired.",
        "step.reduce": "If it confirms a deviation, you may reduce what you pay in proportion to it, or terminate"
        " (§ 57 (4) TKG). This verdict names no amount.",
    },
)


def conforming_day(rows: LineRows, day: Indices) -> Indices | None:
    """Return the ten tests of a local day, None if it has none that conform. No speed plays a part."""
    starts, clocks = rows.start[day].tolist(), rows.clock[day]
    chosen: list[int] = []
    not_before, clock = 0, FIRST_CLOCK
    for number in range(TESTS_A_DAY):
        if number == HALF:
            not_before, clock = int(rows.end[day[chosen[-1]]]) + LONG_GAP, EVENING_CLOCK
        place = bisect_left(starts, not_before, lo=chosen[-1] + 1 if chosen else 0)
        late_enough = np.flatnonzero(clocks[place:] >= clock)
        if not len(late_enough):
            return None
        chosen.append(place + int(late_enough[0]))
        not_before = int(rows.end[day[chosen[-1]]]) + GAP
    return day[chosen]


def _conforming(case: Case) -> dict[int, Indices]:
    found = ((number, conforming_day(case.rows, day)) for number, day in local_days(case.rows, case.fit))
    return {number: tests for number, tests in found if tests is not None}


def _samples(case: Case) -> Iterator[Sample]:
    days = _conforming(case)
    for chosen in sampling.spread_days(list(days), apart=APART_DAYS, within=WITHIN_DAYS, count=DAYS):
        yield Sample(groups=tuple(days[number] for number in chosen))


def _missing(case: Case) -> Said:
    """Say how many measuring days are missing, and from when on they count."""
    days = sorted(_conforming(case))
    if not days:
        return PHRASES.say("no_day")
    after = days[-1] + APART_DAYS
    partners = [day for day in days if _may_join(day, days[-1])]
    if not partners:
        return PHRASES.say("days_missing", have=1, need=DAYS - 1, after=local_time.day(after).isoformat())
    by = partners[-1] + WITHIN_DAYS - 1
    return PHRASES.say(
        "days_missing_by", have=2, after=local_time.day(after).isoformat(), by=local_time.day(by).isoformat()
    )


def _may_join(first: int, last: int) -> bool:
    """Return whether a third day after these two would still be within the 14 days."""
    return first <= last - APART_DAYS and last + APART_DAYS <= first + WITHIN_DAYS - 1


def _best(facing: Facing) -> RuleOutcome:
    return counting.enough_days(facing, share("0.9", facing.figure), NEED_DAYS)


def _normal(facing: Facing) -> RuleOutcome:
    return counting.enough_tests(facing, facing.figure, NEED_TESTS)


def _lowest(facing: Facing) -> RuleOutcome:
    return counting.few_days_below(facing, facing.figure, NEED_DAYS)


RULES = (
    SampleRule(id="R1", figure="maximum", count=_best),
    SampleRule(id="R2", figure="normal", count=_normal),
    SampleRule(id="R3", figure="minimum", count=_lowest),
)
SAMPLING = Sampling(find=_samples, missing=_missing, choices=("choice.hours",))


def _judge(case: Case) -> Judged:
    return sampling.judged(case, PHRASES, SAMPLING, RULES)


PROFILE = Profile(
    name="de-bnetza",
    country="DE",
    language="de",
    phrases=PHRASES,
    rule_version="2021-12-13/1",
    checked_on=date(2026, 11, 26),
    confidence="high",
    sources=(
        LegalSource(name="TKG § 57 (4), (5)", dated="2021"),
        LegalSource(name="Bundesnetzagentur, Vfg. 99/2021, ABl. 23/2021", dated="2021-12-08, in effect 2021-12-13"),
    ),
    tool=OfficialTool(name="Breitbandmessung Desktop-App (Nachweisverfahren)", url="https://breitbandmessung.de"),
    own_tests="indicative",
    needs=("maximum", "normal", "minimum"),
    steps=("step.tool", "step.deadline", "step.reduce"),
    judge=_judge,
)
