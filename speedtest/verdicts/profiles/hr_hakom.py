"""Croatia: the minimum speed, as HAKOM has it measured.

HAKOM's pages on fixed speeds, contracts since 1 January 2017: three tests within five days, at least 24 hours apart,
at the same time of the day. The text that was read does not say how many of the three must be below the minimum.

The contract's minimum must be at least 70 % of its maximum, and at least the maximum of the next lower package; before
2017, for packages up to 10 Mbit/s, 50 %.
"""

from collections.abc import Iterator
from datetime import date

import numpy as np

from speedtest.verdicts import checks, counting, sampling
from speedtest.verdicts.case import Case, Judged, Sample
from speedtest.verdicts.checks import Relation
from speedtest.verdicts.contract import Contract, share
from speedtest.verdicts.local_time import DAY, HOUR, MINUTE
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rules import Facing, RuleOutcome, SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases
from speedtest.verdicts.types import LegalSource, OfficialTool, RuleVerdict, Said, VerdictValue

TESTS, WITHIN_DAYS = 3, 5
FIRST_CLOCK, LAST_CLOCK = 20 * HOUR, 20 * HOUR + 30 * MINUTE
MINIMUM_SHARE, OLD_MINIMUM_SHARE = "0.7", "0.5"
NEW_RULE, OLD_MAXIMUM = date(2017, 1, 1), 10.0

PHRASES = Phrases(
    "hr-hakom",
    {
        "title": "Croatia: the minimum speed, as HAKOM has it measured",
        "binds": "providers",
        "sample": "The newest three tests on three local days within five calendar days, due at least 24 hours apart.",
        "choice.clock": "of each day the first test that is due from 20:00 to 20:30 local time",
        "Rmin": "Three tests are not below the minimum of the contract.",
        "none": "none of 3 tests is below the minimum",
        "all": "all 3 tests are below the minimum",
        "some": "{below} of 3 tests are below the minimum; the text that was read does not say how many decide",
        "no_triple": "it needs three tests that are due from 20:00 to 20:30, at least 24 hours apart, within five"
        " calendar days; {days} of the newest five days have one",
        "minimum_share": "The minimum is at least 70 % of the maximum (before 2017, up to 10 Mbit/s: 50 %).",
        "next_lower": "The minimum is at least the maximum of the next lower package.",
        "step.tool": "Measure three times with HAKOMetar, by cable: only that counts.",
        "step.complain": "Complain to the provider, then to its commission, then to HAKOM. Each step has its time"
        " limit (30, 15 and 60 days): see HAKOM's pages.",
    },
)


def _evenings(case: Case) -> dict[int, int]:
    """Return the first test of each local day that is due in the half hour."""
    clocks, days = case.rows.slot_clock, case.rows.slot_day
    found: dict[int, int] = {}
    for row in sorted(case.fit, key=lambda row: int(case.rows.slot[row])):
        if FIRST_CLOCK <= clocks[row] < LAST_CLOCK:
            found.setdefault(int(days[row]), int(row))
    return found


def _triples(case: Case) -> Iterator[Sample]:
    evenings = _evenings(case)
    slot = case.rows.slot
    rest = sorted(evenings, reverse=True)
    while rest:
        chosen = [rest[0]]
        for day in rest[1:]:
            if day <= rest[0] - WITHIN_DAYS or len(chosen) == TESTS:
                break
            if slot[evenings[chosen[-1]]] - slot[evenings[day]] >= DAY:
                chosen.append(day)
        if len(chosen) == TESTS:
            yield Sample(groups=tuple(np.array([evenings[day]], np.intp) for day in reversed(chosen)))
        rest = [day for day in rest if day < (chosen[-1] if len(chosen) == TESTS else rest[0])]


def _missing(case: Case) -> Said:
    evenings = _evenings(case)
    newest = int(case.rows.day[case.fit].max())
    return PHRASES.say("no_triple", days=sum(day > newest - WITHIN_DAYS for day in evenings))


def _minimum(facing: Facing) -> RuleOutcome:
    speeds, rows = facing.speeds(), facing.sample.rows
    low = counting.below(rows, speeds, facing.figure)
    found: tuple[VerdictValue, str] = ("pass", "none") if not low else ("insufficient", "some")
    verdict, said = ("fail", "all") if len(low) == TESTS else found
    return RuleOutcome(
        verdict=verdict,
        reason=PHRASES.say(said, below=len(low)),
        threshold=facing.figure,
        have=len(rows) - len(low),
        need=TESTS,
        of=len(rows),
        figures=counting.figures(facing),
        deciding=[int(row) for row in rows],
    )


RULES = (SampleRule(id="Rmin", figure="minimum", count=_minimum),)
SAMPLING = Sampling(find=_triples, missing=_missing, choices=("choice.clock",))


def _judge(case: Case) -> Judged:
    return sampling.judged(case, PHRASES, SAMPLING, RULES)


def _checks(contract: Contract) -> list[RuleVerdict]:
    is_old = contract.signed is not None and contract.signed < NEW_RULE

    def least(maximum: float) -> float:
        return share(OLD_MINIMUM_SHARE if is_old and maximum <= OLD_MAXIMUM else MINIMUM_SHARE, maximum)

    relations = (
        Relation(id="minimum_share", figure="minimum", of="maximum", limit=least),
        Relation(id="next_lower", figure="minimum", of="next_lower_maximum"),
    )
    return [*checks.related(PHRASES, contract, *relations), *checks.all_stated(contract)]


PROFILE = Profile(
    name="hr-hakom",
    country="HR",
    language="hr",
    phrases=PHRASES,
    rule_version="2017-01-01/1",
    checked_on=date(2026, 11, 26),
    confidence="medium",
    sources=(LegalSource(name="HAKOM, pages on the speeds of fixed lines", dated="contracts since 2017-01-01"),),
    tool=OfficialTool(name="HAKOMetar", url="https://www.hakom.hr"),
    own_tests="indicative",
    needs=("minimum", "maximum and next_lower_maximum (contract check)"),
    steps=("step.tool", "step.complain"),
    judge=_judge,
    checks=_checks,
)
