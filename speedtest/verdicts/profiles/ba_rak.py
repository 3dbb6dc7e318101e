"""Bosnia and Herzegovina: a minimum of 70 % of the maximum, by what others say of the rule of the RAK.

Second-hand: three sources name the 70 %, the rule itself was not read. The rest is as in `eu_minimum`.
"""

from datetime import date
from functools import partial

from speedtest.verdicts import checks, minimum, sampling
from speedtest.verdicts.case import Case, Judged
from speedtest.verdicts.checks import Relation
from speedtest.verdicts.contract import Contract, Speeds, share
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rules import SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases
from speedtest.verdicts.types import LegalSource, RuleVerdict

MINIMUM_SHARE = "0.7"
PHRASES = Phrases(
    "ba-rak",
    {
        "title": "Bosnia and Herzegovina: 70 % of the maximum",
        "binds": "providers",
        "sample": "All tests that count of the last 14 local days, or of the period that was asked for.",
        "choice.enough": "for a pass: 20 tests on three local days, five of them from 19:00 to 23:00",
        "Rmin": "No test is below 70 % of the maximum, or below the minimum of the contract if that is higher.",
        "minimum_share": "The minimum is at least 70 % of the maximum.",
        "step.complain": "Complain to the provider, then to the RAK.",
    },
)


def _least(speeds: Speeds) -> float | None:
    parts = [share(MINIMUM_SHARE, speeds.maximum)] if speeds.maximum else []
    return max([*parts, *([speeds.minimum] if speeds.minimum else [])], default=None)


RULES = (SampleRule(id="Rmin", figure="maximum", count=minimum.judged_by(_least), basis="second-hand"),)
SAMPLING = Sampling(find=minimum.periods, missing=minimum.missing, choices=("choice.enough",))
RELATION = Relation(
    id="minimum_share", figure="minimum", of="maximum", limit=partial(share, MINIMUM_SHARE), basis="second-hand"
)


def _judge(case: Case) -> Judged:
    return sampling.judged(case, PHRASES, SAMPLING, RULES)


def _checks(contract: Contract) -> list[RuleVerdict]:
    return [*checks.related(PHRASES, contract, RELATION)]


PROFILE = Profile(
    name="ba-rak",
    country="BA",
    language="en",
    phrases=PHRASES,
    rule_version="second-hand/1",
    checked_on=date(2026, 11, 26),
    confidence="second-hand",
    sources=(LegalSource(name="RAK, as three other sources tell it", dated="second-hand"),),
    tool=None,
    own_tests="indicative",
    needs=("maximum", "minimum"),
    steps=("step.complain",),
    judge=_judge,
    checks=_checks,
    second_hand=True,
)
