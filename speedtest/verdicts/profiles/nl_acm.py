"""Netherlands: the normal and the minimum speed, as the ACM has providers tell them.

Beleidsregel kenbaarheid internetsnelheden, Staatscourant 2017, 68591: Article 2 and the beginning of Article 3 were
read. How the ten tests are spread comes from the draft, and within its conditions it is our own choice.
"""

from collections.abc import Iterator
from datetime import date

import numpy as np

from speedtest.verdicts import checks, counting, sampling
from speedtest.verdicts.case import Case, Judged, Sample, local_days
from speedtest.verdicts.checks import Relation
from speedtest.verdicts.contract import Contract
from speedtest.verdicts.local_time import HOUR, MINUTE
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rows import Indices, LineRows
from speedtest.verdicts.rules import Facing, RuleOutcome, SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases
from speedtest.verdicts.types import LegalSource, RuleVerdict, Said

TESTS, NEED, WITHIN_DAYS, ON_DAYS = 10, 8, 7, 3
CLOCKS = (20 * HOUR, 16 * HOUR, 12 * HOUR, 8 * HOUR)
NEAR, APART = 30 * MINUTE, 60 * MINUTE

PHRASES = Phrases(
    "nl-acm",
    {
        "title": "Netherlands: the normal and the minimum speed, as the ACM defines them",
        "binds": "providers",
        "sample": "The newest ten tests within seven local days, at most four a day, at least 60 minutes apart, on at"
        " least three days.",
        "choice.clocks": "of each day the tests nearest to 20:00, 16:00, 12:00 and 08:00 local time, at most 30 minutes"
        " away, from the newest day back; the final text on this was not read",
        "Rn": "At least eight of ten tests reach the normal speed.",
        "Rmin": "None of the ten tests is below the minimum.",
        "Rmax": "The maximum speed can be reached: the final text on this was not read.",
        "max": "the final text on this was not read",
        "advertised": "The advertised speed is at most the maximum.",
        "too_few": "it needs ten tests near 08:00, 12:00, 16:00 and 20:00 on three of seven days; {have} on {days} days"
        " are there",
        "step.complain": "Let the provider repair the line first, as the ACM advises, and write down when you asked.",
    },
)


def _nearest(rows: LineRows, day: Indices) -> list[int]:
    """Return the tests of a local day that are nearest to each time of the clock, the newest first."""
    clock, start = rows.clock[day], rows.start[day]
    chosen: list[int] = []
    for wanted in CLOCKS:
        for place in np.argsort(np.abs(clock - wanted), kind="stable"):
            far = abs(int(clock[place]) - wanted) > NEAR
            if far or all(abs(int(start[place] - rows.start[other])) >= APART for other in chosen):
                chosen += [] if far else [int(day[place])]
                break
    return chosen


def _newest(case: Case, days: list[tuple[int, Indices]]) -> list[list[int]]:
    """Return the newest ten tests by day, or as many as there are, within seven days of the last."""
    found: list[list[int]] = []
    for day, tests in reversed(days):
        room = TESTS - sum(map(len, found))
        if day <= days[-1][0] - WITHIN_DAYS or not room:
            break
        if chosen := _nearest(case.rows, tests)[:room]:
            found.append(chosen)
    return found


def _samples(case: Case) -> Iterator[Sample]:
    days = local_days(case.rows, case.fit)
    while days:
        found = _newest(case, days)
        if sum(map(len, found)) == TESTS and len(found) >= ON_DAYS:
            yield Sample(groups=tuple(np.array(sorted(group), np.intp) for group in reversed(found)))
            first = int(case.rows.day[found[-1][0]])
            days = [each for each in days if each[0] < first]
        else:
            days = days[:-1]


def _missing(case: Case) -> Said:
    found = _newest(case, local_days(case.rows, case.fit))
    return PHRASES.say("too_few", have=sum(map(len, found)), days=len(found))


def _normal(facing: Facing) -> RuleOutcome:
    return counting.enough_tests(facing, facing.figure, NEED)


def _minimum(facing: Facing) -> RuleOutcome:
    return counting.none_below(facing, facing.figure)


def _maximum(_facing: Facing) -> RuleOutcome:
    return RuleOutcome(verdict="not_assessed", reason=PHRASES.say("max"))


RULES = (
    SampleRule(id="Rn", figure="normal", count=_normal),
    SampleRule(id="Rmin", figure="minimum", count=_minimum),
    SampleRule(id="Rmax", figure="maximum", count=_maximum, basis="inference"),
)
SAMPLING = Sampling(find=_samples, missing=_missing, choices=("choice.clocks",))


def _judge(case: Case) -> Judged:
    return sampling.judged(case, PHRASES, SAMPLING, RULES)


def _checks(contract: Contract) -> list[RuleVerdict]:
    relation = Relation(id="advertised", figure="advertised", of="maximum", at_most=True)
    return [*checks.related(PHRASES, contract, relation), *checks.all_stated(contract)]


PROFILE = Profile(
    name="nl-acm",
    country="NL",
    language="nl",
    phrases=PHRASES,
    rule_version="2017-68591/1",
    checked_on=date(2026, 11, 26),
    confidence="medium",
    sources=(
        LegalSource(
            name="ACM, Beleidsregel kenbaarheid internetsnelheden (Art. 2 and the beginning of Art. 3; its draft)",
            dated="Staatscourant 2017, 68591",
        ),
    ),
    tool=None,
    own_tests="yardstick",
    needs=("normal", "minimum"),
    steps=("step.complain",),
    judge=_judge,
    checks=_checks,
)
