"""United States: the committed tier of a BEAD project, by what others say of it.

Second-hand: the speed is tested as in `us_caf`. Outages of more than 48 hours in 365 days are marked. That figure needs
tests in 95 % of the slots, which is our own choice.
"""

from datetime import date

import numpy as np

from speedtest.verdicts import peak_hours, sampling
from speedtest.verdicts.case import Case, Judged
from speedtest.verdicts.local_time import DAY, HOUR, SECOND
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.profiles.us_caf import latency
from speedtest.verdicts.rows import NEVER
from speedtest.verdicts.rules import SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases, percent
from speedtest.verdicts.types import LegalSource, RuleVerdict

PERIOD = 365 * DAY
MARK_HOURS, ENOUGH_PERCENT = 48.0, 95

PHRASES = Phrases(
    "us-bead",
    {
        "title": "United States: the committed tier of a BEAD project",
        "binds": "subsidised carriers",
        "sample": "The newest seven consecutive local days with at least 35 of 42 evening tests: the first test that"
        " counts in each hour from 18:00 to 24:00.",
        "choice.enough": "35 of 42 tests are enough",
        "Rspeed": "At least 80 % of the tests reach 80 % of the committed speed.",
        "Rlatency": "At least 95 % of the latencies are 100 ms or less.",
        "latency": "{have} of {of} tests have a latency of 100 ms or less ({share} %)",
        "no_latency": "no test of the sample has a latency",
        "Routage": "Outages last at most 48 hours in 365 days: a figure, no rule.",
        "outage": "{hours} hours of failed slots in a row in 365 days, {side} 48; {share} % of the slots were tried",
        "coverage": "only {share} % of the slots of 365 days were tried, 95 % are needed for this figure",
        "step.note": "Complain to the carrier, or to the broadband office of your state.",
    },
)
RULES = (SampleRule(id="Rspeed", figure="required", count=peak_hours.speeds, basis="second-hand"),)
SAMPLING = Sampling(find=peak_hours.weeks, missing=peak_hours.missing, choices=("choice.enough",))


def _outages(case: Case) -> RuleVerdict:
    """Return the hours of runs of failed slots in the last 365 days, as a figure."""
    slot = case.rows.slot
    inside = np.flatnonzero((slot != NEVER) & (slot >= case.until - PERIOD) & ~case.rows.status.equal("skipped"))
    slots, member = np.unique(slot[inside], return_inverse=True)
    is_good = np.zeros(len(slots), bool)
    is_good[member[case.rows.status.equal("ok")[inside]]] = True
    interval = (case.interval_minutes() or 0.0) * 60 * SECOND
    expected = PERIOD / interval if interval else 0.0
    share = percent(min(len(slots), expected), expected)
    is_enough = expected > 0 and len(slots) * 100 >= expected * ENOUGH_PERCENT
    in_run = ~is_good & (np.concatenate(([False], ~is_good[:-1])) | np.concatenate((~is_good[1:], [False])))
    hours = float(in_run.sum()) * interval / HOUR
    side = "more than" if hours > MARK_HOURS else "at most"
    reason = (
        PHRASES.say("outage", hours=f"{hours:.1f}", side=side, share=share)
        if is_enough
        else PHRASES.say("coverage", share=share)
    )
    return RuleVerdict(
        id="Routage",
        direction=None,
        verdict="not_assessed",
        text=PHRASES.say("Routage"),
        basis="choice",
        reason=reason,
        figures={"hours": hours} if is_enough else {},
    )


def _judge(case: Case) -> Judged:
    judged = sampling.judged(case, PHRASES, SAMPLING, RULES)
    judged.rules.extend((latency(PHRASES, case, judged.sample), _outages(case)))
    return judged


PROFILE = Profile(
    name="us-bead",
    country="US",
    language="en",
    phrases=PHRASES,
    rule_version="second-hand/1",
    checked_on=date(2026, 11, 26),
    confidence="second-hand",
    sources=(LegalSource(name="BEAD performance measures, as others tell them", dated="second-hand"),),
    tool=None,
    own_tests="yardstick",
    needs=("required (committed tier)",),
    steps=("step.note",),
    judge=_judge,
    second_hand=True,
)
