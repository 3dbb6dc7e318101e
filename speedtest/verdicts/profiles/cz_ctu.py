"""Czechia: large deviations of the speed, as the ČTÚ defines them.

General authorisation VO-S/1/08.2020-9, in force since 1 January 2021, and the help pages of the ČTÚ. A speed below the
minimum counts as an outage. A speed below the normal one for longer than 70 minutes is a lasting deviation. Recurring
drops of 3.5 minutes cannot be seen by a test of ten seconds.

The measuring frame is six tests, 15 minutes apart. How exact 15 minutes must be is our own choice.
"""

from collections.abc import Iterator
from datetime import date
from functools import partial

import numpy as np

from speedtest.verdicts import checks, counting, sampling
from speedtest.verdicts.case import Case, Judged, Sample, local_days
from speedtest.verdicts.checks import Relation
from speedtest.verdicts.contract import Contract, share
from speedtest.verdicts.local_time import MINUTE
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rows import Mask
from speedtest.verdicts.rules import Facing, RuleOutcome, SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases, percent
from speedtest.verdicts.types import LegalSource, OfficialTool, RuleVerdict, Said

TESTS, STEP_MINUTES, TOLERANCE_SECONDS = 6, 15.0, 90.0
LONGEST_FRAME, LONGEST_BELOW = 90 * MINUTE, 70 * MINUTE
NORMAL_SHARE, MINIMUM_SHARE = "0.6", "0.3"
TOOL_LIMIT = {"download": 500.0, "upload": 250.0}
"""Mbit/s: above these the authority's own tool is not meant for a line."""

PHRASES = Phrases(
    "cz-ctu",
    {
        "title": "Czechia: large deviations of the speed, as the ČTÚ defines them",
        "binds": "providers",
        "sample": "The newest six tests of one local day, 15 minutes apart, at most 90 minutes from the first to the"
        " last. One frame a day.",
        "choice.distance": "15 minutes may be 90 seconds more or less",
        "Rmin": "No test is below the minimum: that would count as an outage.",
        "Rper": "The speed is not below the normal one for longer than 70 minutes.",
        "Rrec": "The speed does not drop below the normal one again and again, for 3.5 minutes or more each time.",
        "R95": "Of all tests of the day, 95 % reach the normal speed: a figure, no rule.",
        "normal_share": "The normal speed is at least 60 % of the advertised one.",
        "minimum_share": "The minimum speed is at least 30 % of the advertised one.",
        "no_frame": "it needs six tests that count, 15 minutes apart, on one day; the most in a row are {most}. Set"
        " SLEEP_SECONDS=900, SLEEP_ALIGN=1",
        "per.none": "never below the normal speed",
        "per.sure": "below the normal speed for at least {minutes} minutes",
        "per.possible": "below the normal speed for {sure} minutes at least; between which tests it began and ended is"
        " not known, so it may have been longer than 70 minutes",
        "per.short": "below the normal speed for less than 70 minutes at a time",
        "rec": "{drops} separate drops below the normal speed; a test of seconds cannot show how long each was",
        "day_share": "{have} of {of} tests of the day reach the normal speed ({share} %), {side} 95 %",
        "tool_limit": "the advertised speed is above {limit} Mbit/s: the authority's own tool is not meant for it",
        "step.tool": "Measure with nettest.ctu.gov.cz in its certified mode: only that counts.",
        "step.complain": "Complain to the provider first; the ČTÚ decides after that.",
    },
)


def _samples(case: Case) -> Iterator[Sample]:
    for _, day in reversed(local_days(case.rows, case.fit)):
        starts = case.rows.start[day]
        for last in range(len(day) - 1, TESTS - 2, -1):
            frame = sampling.chain(starts, last, TESTS, STEP_MINUTES, TOLERANCE_SECONDS)
            if frame and starts[frame[-1]] - starts[frame[0]] <= LONGEST_FRAME:
                yield Sample(groups=(day[frame],))
                break


def _missing(case: Case) -> Said:
    """Say how many tests in a row are the most on the newest day."""
    _, day = local_days(case.rows, case.fit)[-1]
    starts = case.rows.start[day]
    most = 1
    for last in range(len(day)):
        while sampling.chain(starts, last, most + 1, STEP_MINUTES, TOLERANCE_SECONDS) and most < TESTS:
            most += 1
    return PHRASES.say("no_frame", most=most)


def _runs(low: Mask) -> list[tuple[int, int]]:
    """Return the first and the last place of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], low.astype(np.int8), [0]))))
    return [(int(first), int(after) - 1) for first, after in edges.reshape(-1, 2)]


def _lasting(facing: Facing) -> RuleOutcome:
    """Judge how long the speed was below the normal one, from what is sure and from what is possible."""
    rows = facing.sample.rows
    start, end = facing.rows.start[rows], facing.rows.end[rows]
    low = facing.speeds() < facing.figure
    sure, possible = 0, 0.0
    for first, last in _runs(low):
        sure = max(sure, int(end[last] - start[first]))
        is_open = first == 0 or last == len(rows) - 1
        possible = max(possible, float("inf") if is_open else float(start[last + 1] - end[first - 1]))
    minutes = f"{sure / MINUTE:.1f}"
    if sure > LONGEST_BELOW:
        verdict, reason = "fail", PHRASES.say("per.sure", minutes=minutes)
    elif possible > LONGEST_BELOW:
        verdict, reason = "insufficient", PHRASES.say("per.possible", sure=minutes)
    else:
        verdict, reason = "pass", PHRASES.say("per.short" if low.any() else "per.none")
    return RuleOutcome(
        verdict=verdict,
        reason=reason,
        threshold=facing.figure,
        of=len(rows),
        have=int((~low).sum()),
        figures=counting.figures(facing) | {"sure_minutes": sure / MINUTE},
        deciding=[int(row) for row in rows[low]],
    )


def _recurring(facing: Facing) -> RuleOutcome:
    drops = len(_runs(facing.speeds() < facing.figure))
    return RuleOutcome(
        verdict="not_assessed",
        reason=PHRASES.say("rec", drops=drops),
        threshold=facing.figure,
        figures={"drops": float(drops)},
    )


def _day_share(facing: Facing) -> RuleOutcome:
    on_day = facing.fit[facing.rows.day[facing.fit] == facing.rows.day[facing.sample.rows[0]]]
    speeds = facing.speeds(on_day)
    have, of = int((speeds >= facing.figure).sum()), len(speeds)
    side = "below" if have * 100 < of * 95 else "at least"
    return RuleOutcome(
        verdict="not_assessed",
        reason=PHRASES.say("day_share", have=have, of=of, share=percent(have, of), side=side),
        threshold=facing.figure,
        have=have,
        of=of,
        figures={"share": have / of},
    )


def _minimum(facing: Facing) -> RuleOutcome:
    return counting.none_below(facing, facing.figure)


RULES = (
    SampleRule(id="Rmin", figure="minimum", count=_minimum),
    SampleRule(id="Rper", figure="normal", count=_lasting),
    SampleRule(id="Rrec", figure="normal", count=_recurring),
    SampleRule(id="R95", figure="normal", count=_day_share),
)
SAMPLING = Sampling(find=_samples, missing=_missing, choices=("choice.distance",))


def _judge(case: Case) -> Judged:
    judged = sampling.judged(case, PHRASES, SAMPLING, RULES)
    for direction, limit in TOOL_LIMIT.items():
        speeds = case.contract.download if direction == "download" else case.contract.upload
        if speeds.advertised and speeds.advertised > limit:
            judged.notices.append(PHRASES.say("tool_limit", limit=f"{limit:g}"))
    return judged


RELATIONS = tuple(
    Relation(id=f"{figure}_share", figure=figure, of="advertised", limit=partial(share, part), basis="second-hand")
    for figure, part in (("normal", NORMAL_SHARE), ("minimum", MINIMUM_SHARE))
)


def _checks(contract: Contract) -> list[RuleVerdict]:
    return [*checks.related(PHRASES, contract, *RELATIONS), *checks.all_stated(contract)]


PROFILE = Profile(
    name="cz-ctu",
    country="CZ",
    language="cs",
    phrases=PHRASES,
    rule_version="2021-01-01/1",
    checked_on=date(2026, 11, 26),
    confidence="high",
    sources=(
        LegalSource(name="ČTÚ, general authorisation VO-S/1/08.2020-9", dated="in force 2021-01-01"),
        LegalSource(name="ČTÚ, help pages of NetTest", dated="read 2026"),
    ),
    tool=OfficialTool(name="NetTest in certified mode", url="https://nettest.ctu.gov.cz"),
    own_tests="indicative",
    needs=("normal", "minimum", "advertised (contract check)"),
    steps=("step.tool", "step.complain"),
    judge=_judge,
    checks=_checks,
)
