"""Italy: the guaranteed minimum speed and the guaranteed delay, as Ne.Me.Sys. certifies them.

AGCOM 244/08/CSP and its successors, 156/23/CONS. The official tool measures each quarter of an hour, 96 times: four in
each clock hour. What is missing after 24 hours may be filled from the same hours of the next 48. The 95th percentile
of the speeds decides; its formula is not published. Nearest rank, the floor and the interpolating definitions agree
except where four or five of 96 tests are below: there the verdict is insufficient.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np

from speedtest.verdicts import counting, describe, local_time, sampling
from speedtest.verdicts.case import Case, Judged, Sample, flaw
from speedtest.verdicts.local_time import DAY, HOUR, MINUTE
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rows import Floats, Indices
from speedtest.verdicts.rules import Facing, RuleOutcome, SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import SHARED, Phrases
from speedtest.verdicts.types import LegalSource, OfficialTool, RuleVerdict, Said, VerdictValue

QUARTER, SLOTS = 15 * MINUTE, 96
WINDOW = 3 * DAY
PASSES_UP_TO, FAILS_FROM = 3, 6
SECOND_AFTER = timedelta(days=30)

PHRASES = Phrases(
    "it-nemesys",
    {
        "title": "Italy: the guaranteed speed and delay, as Ne.Me.Sys. certifies them",
        "binds": "providers of fixed lines",
        "sample": "The newest complete set of 96 tests: one for each quarter of each clock hour. Quarters that are"
        " missing in 24 hours are filled from the same quarters of the next 48 hours.",
        "choice.start": "a set may begin with any hour; each test counts for the quarter in which it was due",
        "Rmin": "At most three of 96 tests are below the guaranteed minimum.",
        "Rdelay": "At most three of 96 tests have a delay above the guaranteed one.",
        "below": "{count} of 96 tests are below it",
        "above": "{count} of 96 tests are above it",
        "unclear": "{count} of 96 tests are on the wrong side: the outcome depends on the formula of the percentile,"
        " which is not published",
        "no_set": "{have} of 96 quarters have a test within 72 hours",
        "no_delay": "{have} of 96 tests have a latency",
        "second": "This set fails at least 30 days after the first certificate: a right to leave the contract may"
        " exist, if Ne.Me.Sys. confirms it.",
        "step.tool": "Measure with Ne.Me.Sys.: only its signed certificate counts.",
        "step.complain": "Complain to the provider with the certificate. A second one that fails 30 days or more"
        " later may give a right to leave the contract.",
    },
)


def _quarters(case: Case) -> tuple[Indices, Indices, Indices]:
    """Return the first test of each quarter of an hour, its quarter since 1970, and its quarter of the clock."""
    rows = case.fit[np.argsort(case.rows.slot[case.fit], kind="stable")]
    slot = case.rows.slot[rows]
    quarter = slot // QUARTER
    is_first = np.ones(len(rows), bool)
    is_first[1:] = quarter[1:] != quarter[:-1]
    clock = case.rows.slot_clock[rows] // QUARTER
    return rows[is_first], quarter[is_first], clock[is_first]


def _sets(case: Case) -> Iterator[Sample]:
    rows, quarter, clock = _quarters(case)
    if not len(rows):
        return
    per_hour = HOUR // QUARTER
    end = int(quarter[-1]) + 1
    begin = int(quarter[-1]) // per_hour * per_hour
    while begin >= quarter[0] - per_hour:
        first, after = np.searchsorted(quarter, [begin, min(begin + WINDOW // QUARTER, end)])
        if after - first >= SLOTS:
            found, places = np.unique(clock[first:after], return_index=True)
            if len(found) == SLOTS:
                yield Sample(groups=(np.sort(rows[first:after][places]),))
                end = begin
        begin -= per_hour


def _missing(case: Case) -> Said:
    """Say how many quarters the best of the newest 72 hours has, and which interval it needs."""
    _, quarter, clock = _quarters(case)
    newest = quarter > quarter[-1] - WINDOW // QUARTER
    return PHRASES.say("no_set", have=len(np.unique(clock[newest])))


def _verdict(count: int) -> VerdictValue:
    if count <= PASSES_UP_TO:
        return "pass"
    return "fail" if count >= FAILS_FROM else "insufficient"


def _outcome(rows: Indices, wrong: Floats, said: str, limit: float, figures: dict[str, float]) -> RuleOutcome:
    deciding = [int(row) for row in rows[wrong.astype(bool)]]
    count = len(deciding)
    verdict = _verdict(count)
    return RuleOutcome(
        verdict=verdict,
        reason=PHRASES.say("unclear" if verdict == "insufficient" else said, count=count),
        threshold=limit,
        have=SLOTS - count,
        need=SLOTS - PASSES_UP_TO,
        of=SLOTS,
        figures=figures,
        deciding=deciding,
    )


def _minimum(facing: Facing) -> RuleOutcome:
    wrong = (facing.speeds() < facing.figure).astype(float)
    return _outcome(facing.sample.rows, wrong, "below", facing.figure, counting.figures(facing))


RULES = (SampleRule(id="Rmin", figure="minimum", count=_minimum),)
SAMPLING = Sampling(find=_sets, missing=_missing, choices=("choice.start",))


def _delay(case: Case, sample: Sample | None) -> RuleVerdict:
    """Judge the delay of the same tests."""
    limit = case.contract.maximum_latency_ms
    verdict: VerdictValue = "insufficient"
    if limit is None:
        verdict, reason = "not_assessed", SHARED.say("figure_missing", figure="contract.maximum_latency_ms")
    elif sample is None:
        reason = _missing(case) if len(case.fit) else SHARED.say("no_tests")
    elif broken := flaw(case.rows, sample):
        reason = broken
    else:
        latency = case.rows.latency[sample.rows]
        known = ~np.isnan(latency)
        if known.all():
            wrong = (latency > limit).astype(float)
            outcome = _outcome(sample.rows, wrong, "above", limit, counting.spread(latency, limit))
            return RuleVerdict(
                id="Rdelay",
                direction=None,
                verdict=outcome.verdict,
                text=PHRASES.say("Rdelay"),
                basis="verified",
                reason=outcome.reason,
                have=outcome.have,
                need=outcome.need,
                of=outcome.of,
                threshold=limit,
                unit="ms",
                figures=outcome.figures,
                deciding_rows=[
                    describe.deciding(case.rows, row, float(case.rows.latency[row]), limit) for row in outcome.deciding
                ],
            )
        reason = PHRASES.say("no_delay", have=int(known.sum()))
    return RuleVerdict(
        id="Rdelay", direction=None, verdict=verdict, text=PHRASES.say("Rdelay"), basis="verified", reason=reason
    )


def _judge(case: Case) -> Judged:
    judged = sampling.judged(case, PHRASES, SAMPLING, RULES)
    judged.rules.append(_delay(case, judged.sample))
    first = case.contract.dates.first_certificate
    fails = any(rule.verdict == "fail" for rule in judged.rules)
    if judged.sample and first and fails:
        begun = local_time.day(int(case.rows.day[judged.sample.rows].min()))
        if begun - first >= SECOND_AFTER:
            judged.notices.append(PHRASES.say("second"))
    minutes = case.interval_minutes()
    if judged.sample is None and minutes and minutes != QUARTER / MINUTE:
        judged.notices.append(SHARED.say("interval_advice", minutes=f"{minutes:g}", seconds=900))
    return judged


PROFILE = Profile(
    name="it-nemesys",
    country="IT",
    language="it",
    phrases=PHRASES,
    rule_version="2023-156/1",
    checked_on=date(2026, 11, 26),
    confidence="high",
    sources=(
        LegalSource(name="AGCOM, delibera 244/08/CSP and its successors", dated="2008"),
        LegalSource(name="AGCOM, delibera 156/23/CONS", dated="2023"),
    ),
    tool=OfficialTool(name="Ne.Me.Sys.", url="https://www.misurainternet.it"),
    own_tests="indicative",
    needs=("minimum (guaranteed)", "maximum_latency_ms (guaranteed)"),
    steps=("step.tool", "step.complain"),
    judge=_judge,
)
