"""Finland: 90 % of the maximum for 90 % of each four hours, by a recommendation of Traficom for lines up to 100 Mbit/s.

A recommendation, and the minimum relation an opinion. That ten tests in each block are enough, and that the newest day
with enough tests in all six blocks is taken, is our own choice.
"""

from collections.abc import Iterator
from datetime import date
from functools import partial

import numpy as np

from speedtest.verdicts import checks, counting, sampling
from speedtest.verdicts.case import Case, Judged, Sample, local_days
from speedtest.verdicts.checks import Relation
from speedtest.verdicts.contract import Contract, share
from speedtest.verdicts.local_time import HOUR
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rules import Facing, RuleOutcome, SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases, percent
from speedtest.verdicts.types import LegalSource, RuleVerdict, Said

BLOCK, BLOCKS, ENOUGH = 4 * HOUR, 6, 10
FASTEST, SPEED_SHARE, TEST_PERCENT = 100.0, "0.9", 90

PHRASES = Phrases(
    "fi-traficom",
    {
        "title": "Finland: 90 % of the maximum for 90 % of each four hours",
        "binds": "a recommendation to providers",
        "sample": "The newest local day with enough tests in each of its six blocks of four hours.",
        "choice.enough": "ten tests a block are enough",
        "Rblock": "In each block of four hours at least 90 % of the tests reach 90 % of the maximum.",
        "blocks": "{bad} of 6 blocks have too few such tests: {shares}",
        "good": "each of 6 blocks has enough such tests: {shares}",
        "too_fast": "the recommendation is for a maximum up to 100 Mbit/s",
        "no_day": "no local day has ten tests in each of its six blocks of four hours; the fullest day has {most} such"
        " blocks",
        "minimum_share": "For a maximum up to 100 Mbit/s the minimum is at least 70 % of it.",
        "step.complain": "Complain to the provider.",
    },
)


def _blocks(case: Case) -> Iterator[list["np.ndarray[tuple[int], np.dtype[np.intp]]"]]:
    """Yield the tests of each block of each local day that has enough, the newest day first."""
    for _, day in reversed(local_days(case.rows, case.fit)):
        number = case.rows.clock[day] // BLOCK
        yield [tests for block in range(BLOCKS) if len(tests := day[number == block]) >= ENOUGH]


def _samples(case: Case) -> Iterator[Sample]:
    for found in _blocks(case):
        if len(found) == BLOCKS:
            yield Sample(groups=tuple(found))


def _missing(case: Case) -> Said:
    return PHRASES.say("no_day", most=max(map(len, _blocks(case)), default=0))


def _reached(facing: Facing) -> RuleOutcome:
    limit = share(SPEED_SHARE, facing.figure)
    reached = [(int((block >= limit).sum()), len(block)) for block in facing.days()]
    bad = sum(have * 100 < of * TEST_PERCENT for have, of in reached)
    shares = ", ".join(f"{percent(have, of)} %" for have, of in reached)
    return RuleOutcome(
        verdict="fail" if bad else "pass",
        reason=PHRASES.say("blocks", bad=bad, shares=shares) if bad else PHRASES.say("good", shares=shares),
        threshold=limit,
        have=BLOCKS - bad,
        need=BLOCKS,
        of=BLOCKS,
        figures=counting.figures(facing),
        deciding=counting.below(facing.sample.rows, facing.speeds(), limit),
    )


def _refused(maximum: float) -> Said | None:
    return PHRASES.say("too_fast") if maximum > FASTEST else None


RULES = (SampleRule(id="Rblock", figure="maximum", count=_reached, basis="second-hand", refused=_refused),)
SAMPLING = Sampling(find=_samples, missing=_missing, choices=("choice.enough",))


def _judge(case: Case) -> Judged:
    return sampling.judged(case, PHRASES, SAMPLING, RULES)


def _checks(contract: Contract) -> list[RuleVerdict]:
    relation = Relation(id="minimum_share", figure="minimum", of="maximum", limit=partial(share, "0.7"))
    found = [*checks.related(PHRASES, contract, relation)]
    return [each for each in found if not _too_fast(contract, each)] + [*checks.all_stated(contract)]


def _too_fast(contract: Contract, check: RuleVerdict) -> bool:
    maximum = contract.speeds(check.direction or "download").maximum
    return maximum is not None and maximum > FASTEST


PROFILE = Profile(
    name="fi-traficom",
    country="FI",
    language="en",
    phrases=PHRASES,
    rule_version="second-hand/1",
    checked_on=date(2026, 11, 26),
    confidence="second-hand",
    sources=(LegalSource(name="Traficom, recommendation and opinion on the speeds of fixed lines", dated="read 2026"),),
    tool=None,
    own_tests="yardstick",
    needs=("maximum (up to 100)", "minimum (contract check)"),
    steps=("step.complain",),
    judge=_judge,
    checks=_checks,
    second_hand=True,
)
