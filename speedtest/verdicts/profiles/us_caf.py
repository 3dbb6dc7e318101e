"""United States: the speed of a subsidised carrier, as the FCC has it tested (Connect America Fund and its successors).

DA 18-710, FCC 19-104, and USAC's statement of 12 December 2024: of the tests in the evening hours of a week, 80 % must
reach 80 % of the required speed, and 95 % of the latencies, one a minute, must be 100 ms or less. It binds the carrier
towards the FCC and gives a subscriber no right. The server should be at an FCC exchange point.
"""

from datetime import date

import numpy as np

from speedtest.verdicts import peak_hours, sampling
from speedtest.verdicts.case import Case, Judged, Sample
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rules import SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases, percent
from speedtest.verdicts.types import LegalSource, RuleVerdict

LATENCY_MS = 100.0

PHRASES = Phrases(
    "us-caf",
    {
        "title": "United States: the speed of a subsidised carrier, as the FCC has it tested",
        "binds": "subsidised carriers towards the FCC",
        "sample": "The newest seven consecutive local days with at least 35 of 42 evening tests: the first test that"
        " counts in each hour from 18:00 to 24:00.",
        "choice.enough": "35 of 42 tests are enough",
        "Rspeed": "At least 80 % of the tests reach 80 % of the required speed.",
        "Rlatency": "At least 95 % of the latencies are 100 ms or less, with one sample a minute.",
        "latency": "{have} of {of} tests have a latency of 100 ms or less ({share} %); the rule wants one sample a"
        " minute, which a speed test does not give",
        "no_latency": "no test of the sample has a latency",
        "note": "The rule binds the carrier towards the FCC. It gives a subscriber no right. The server should be at an"
        " FCC exchange point.",
        "step.note": "Complain to the carrier, or to the FCC's consumer help centre.",
    },
)
RULES = (SampleRule(id="Rspeed", figure="required", count=peak_hours.speeds),)
SAMPLING = Sampling(find=peak_hours.weeks, missing=peak_hours.missing, choices=("choice.enough",))


def latency(phrases: Phrases, case: Case, sample: Sample | None) -> RuleVerdict:
    """Return the share of latencies that are low enough, as a figure."""
    found = case.rows.latency[sample.rows] if sample else np.zeros(0)
    known = found[~np.isnan(found)]
    have, of = int((known <= LATENCY_MS).sum()), len(known)
    reason = phrases.say("latency", have=have, of=of, share=percent(have, of)) if of else phrases.say("no_latency")
    return RuleVerdict(
        id="Rlatency",
        direction=None,
        verdict="not_assessed",
        text=phrases.say("Rlatency"),
        basis="verified",
        reason=reason,
        have=have,
        of=of,
        threshold=LATENCY_MS,
        unit="ms",
    )


def _judge(case: Case) -> Judged:
    judged = sampling.judged(case, PHRASES, SAMPLING, RULES)
    judged.rules.append(latency(PHRASES, case, judged.sample))
    judged.notices.append(PHRASES.say("note"))
    return judged


PROFILE = Profile(
    name="us-caf",
    country="US",
    language="en",
    phrases=PHRASES,
    rule_version="2024-12-12/1",
    checked_on=date(2026, 11, 26),
    confidence="high",
    sources=(
        LegalSource(name="FCC, DA 18-710", dated="2018"),
        LegalSource(name="FCC 19-104", dated="2019"),
        LegalSource(name="USAC, statement", dated="2024-12-12"),
    ),
    tool=None,
    own_tests="yardstick",
    needs=("required",),
    steps=("step.note",),
    judge=_judge,
)
