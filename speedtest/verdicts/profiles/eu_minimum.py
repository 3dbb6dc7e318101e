"""The European Union: the minimum speed of a contract for a fixed line.

Regulation (EU) 2015/2120, Articles 4 (1) (d) and 4 (4), with the wordings of ANACOM (Portugal), IBPT (Belgium), ACM
(Netherlands), SPRK (Latvia) and the practice in Sweden: the minimum is what the provider delivers at least, except in
an outage. Where a country has certified a measuring mechanism, only that establishes a deviation. In Belgium and Sweden
tests of one's own are ordinary evidence. How many tests are enough for a pass is our own choice.
"""

from datetime import date
from functools import partial

from speedtest.verdicts import checks, minimum, sampling
from speedtest.verdicts.case import Case, Judged
from speedtest.verdicts.checks import Relation
from speedtest.verdicts.contract import Contract, share
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rules import SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases
from speedtest.verdicts.types import LegalSource, RuleVerdict

PHRASES = Phrases(
    "eu-minimum",
    {
        "title": "European Union: the minimum speed of the contract",
        "binds": "providers in the European Union",
        "sample": "All tests that count of the last 14 local days, or of the period that was asked for.",
        "choice.enough": "for a pass: 20 tests on three local days, five of them from 19:00 to 23:00",
        "Rmin": "No test is below the minimum of the contract, except in an outage.",
        "SI.normal": "Slovenia: the normal speed is at least 80 % of the maximum (fixed wireless access: 50 %).",
        "SI.minimum": "Slovenia: the minimum is at least 50 % of the maximum (fixed wireless access: 25 %).",
        "LV.minimum": "Latvia: the minimum is at least 20 % of the maximum.",
        "RS.minimum": "Serbia: the minimum is at least 70 % of the contracted speed.",
        "NL.advertised": "Netherlands: the advertised speed is at most the maximum.",
        "step.tool": "See whether the authority of your country has a certified measuring tool: where it has one, only"
        " that counts.",
        "step.complain": "Let the provider repair the line first, and write down when you asked for it.",
    },
)
ORDINARY_EVIDENCE = frozenset({"BE", "SE"})
RULES = (SampleRule(id="Rmin", figure="minimum", count=minimum.judged_by(lambda speeds: speeds.minimum)),)
SAMPLING = Sampling(find=minimum.periods, missing=minimum.missing, choices=("choice.enough",))


def _judge(case: Case) -> Judged:
    return sampling.judged(case, PHRASES, SAMPLING, RULES)


def _part(name: str, figure: str, part: str) -> Relation:
    return Relation(
        id=name,
        figure=figure,
        of="maximum",
        limit=partial(share, part),
        basis="second-hand" if name.startswith("RS") else "verified",
    )


def _checks(contract: Contract) -> list[RuleVerdict]:
    is_wireless = contract.technology == "fixed-wireless"
    relations = {
        "SI": (
            _part("SI.normal", "normal", "0.5" if is_wireless else "0.8"),
            _part("SI.minimum", "minimum", "0.25" if is_wireless else "0.5"),
        ),
        "LV": (_part("LV.minimum", "minimum", "0.2"),),
        "RS": (_part("RS.minimum", "minimum", "0.7"),),
        "NL": (Relation(id="NL.advertised", figure="advertised", of="maximum", at_most=True),),
    }
    found = checks.related(PHRASES, contract, *relations.get(contract.country or "", ()))
    return [*found, *checks.all_stated(contract)]


PROFILE = Profile(
    name="eu-minimum",
    country="EU",
    language="en",
    phrases=PHRASES,
    rule_version="2015-2120/1",
    checked_on=date(2026, 11, 26),
    confidence="medium-high",
    sources=(
        LegalSource(name="Regulation (EU) 2015/2120, Art. 4 (1) (d), 4 (4)", dated="2015-11-25"),
        LegalSource(name="wordings of ANACOM, IBPT, ACM and SPRK; practice in Sweden", dated="read 2026"),
    ),
    tool=None,
    own_tests="indicative",
    evidence_in=ORDINARY_EVIDENCE,
    needs=("minimum", "country (contract check)"),
    steps=("step.tool", "step.complain"),
    judge=_judge,
    checks=_checks,
)
