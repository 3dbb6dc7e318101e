"""United Kingdom: the minimum guaranteed download, by Ofcom's Broadband Speeds Codes.

The version in force since 21 December 2022. The codes are voluntary: they bind those who signed them. A customer who
complains gives the provider 30 calendar days to repair the line; after that there may be a right to leave. Whether the
speed is still below is for the provider's own test to say: the text names no number of tests. That three days with four
tests each are enough here is our own choice.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from speedtest.verdicts import counting, local_time, rules, sampling
from speedtest.verdicts.case import Case, Judged, Sample, local_days
from speedtest.verdicts.contract import Direction
from speedtest.verdicts.local_time import HOUR
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.rows import Floats, Indices
from speedtest.verdicts.rules import Facing, RuleOutcome, SampleRule
from speedtest.verdicts.sampling import Sampling
from speedtest.verdicts.texts import Phrases
from speedtest.verdicts.types import LegalSource, OfficialTool, RuleVerdict, Said, VerdictValue

CLOCK_DAYS, DAYS, TESTS_A_DAY = timedelta(days=30), 3, 4
PEAK = {"home": (20 * HOUR, 22 * HOUR), "business": (12 * HOUR, 14 * HOUR)}
_MOST_DAYS = 30
DOWNLOAD: tuple[Direction, ...] = ("download",)

PHRASES = Phrases(
    "uk-ofcom",
    {
        "title": "United Kingdom: the minimum guaranteed download, by Ofcom's codes",
        "binds": "providers who signed the codes",
        "sample": "The newest three local days after the 30 days that the provider has, with at least four tests each.",
        "choice.days": "three days with four tests each; the text names no number",
        "Rmin": "After the 30 days the download is not below the minimum guaranteed speed.",
        "Rup": "The upload: the codes guarantee none.",
        "up": "the codes guarantee no upload",
        "not_bound": "the provider has not signed the codes: they do not bind it",
        "unknown": "whether the provider has signed the codes is not known: set contract.signatory",
        "no_complaint": "the clock has not started: complain to the provider and set dates.complaint. Below the"
        " guaranteed speed on {days} days so far",
        "running": "the provider has until {until} to repair the line",
        "too_few": "it needs three days after {after} with at least four tests each; {have} are there",
        "all": "all {of} tests on three days are below",
        "none": "none of {of} tests on three days is below",
        "some": "below in {inside} of {of_inside} tests from {hours} and in {outside} of {of_outside} tests outside;"
        " below on {evenings} of {of_evenings} evenings",
        "step.complain": "Complain to the provider. Its own test decides, and it has 30 days to repair the line.",
        "step.leave": "If it does not, ask for the right to leave without a charge.",
    },
)


def _samples(case: Case) -> Iterator[Sample]:
    after = _last_day(case)
    if after is None:
        return
    days = [tests for day, tests in local_days(case.rows, case.fit) if day > after and len(tests) >= TESTS_A_DAY]
    while len(days) >= DAYS:
        yield Sample(groups=tuple(days[-DAYS:]))
        days = days[:-DAYS]


def _last_day(case: Case) -> int | None:
    """Return the last local day of the provider's 30 days."""
    complaint = case.contract.dates.complaint
    return local_time.day_number(complaint + CLOCK_DAYS) if complaint else None


def _missing(case: Case) -> Said:
    after = _last_day(case) or 0
    have = sum(day > after and len(tests) >= TESTS_A_DAY for day, tests in local_days(case.rows, case.fit))
    return PHRASES.say("too_few", after=local_time.day(after).isoformat(), have=have)


def _minimum(facing: Facing) -> RuleOutcome:
    speeds, rows = facing.speeds(), facing.sample.rows
    low = counting.below(rows, speeds, facing.figure)
    values: tuple[VerdictValue, Said]
    if len(low) == len(rows):
        values = "fail", PHRASES.say("all", of=len(rows))
    elif not low:
        values = "pass", PHRASES.say("none", of=len(rows))
    else:
        values = "insufficient", _shares(facing)
    return RuleOutcome(
        verdict=values[0],
        reason=values[1],
        threshold=facing.figure,
        have=len(rows) - len(low),
        need=len(rows),
        of=len(rows),
        figures=counting.figures(facing),
        deciding=low,
    )


def _shares(facing: Facing) -> Said:
    """Say how many tests are below in the peak hours and outside, and on how many evenings."""
    first, after = PEAK[facing.contract.customer or "home"]
    inside = outside = of_inside = of_outside = evenings = of_evenings = 0
    for group in facing.sample.groups:
        clock, is_low = facing.rows.clock[group], facing.speeds(group) < facing.figure
        is_peak = (clock >= first) & (clock < after)
        inside, of_inside = inside + int((is_low & is_peak).sum()), of_inside + int(is_peak.sum())
        outside, of_outside = outside + int((is_low & ~is_peak).sum()), of_outside + int((~is_peak).sum())
        evenings, of_evenings = evenings + int((is_low & is_peak).any()), of_evenings + int(is_peak.any())
    hours = f"{first // HOUR:02}:00 to {after // HOUR:02}:00"
    return PHRASES.say(
        "some",
        inside=inside,
        of_inside=of_inside,
        outside=outside,
        of_outside=of_outside,
        evenings=evenings,
        of_evenings=of_evenings,
        hours=hours,
    )


def _no_upload(_facing: Facing) -> RuleOutcome:
    return RuleOutcome(verdict="not_assessed", reason=PHRASES.say("up"))


RULES = (
    SampleRule(id="Rmin", figure="minimum", count=_minimum, directions=DOWNLOAD),
    SampleRule(id="Rup", figure=None, count=_no_upload, directions=("upload",)),
)
SAMPLING = Sampling(find=_samples, missing=_missing, choices=("choice.days",))


def _judge(case: Case) -> Judged:
    notices = [PHRASES.say("unknown")] if case.contract.signatory is None else []
    if case.contract.signatory is False:
        return Judged(rules=_all(case, "not_assessed", PHRASES.say("not_bound")))
    last = _last_day(case)
    if last is None:
        low = _lowest_of_days(case)
        why = PHRASES.say("no_complaint", days=len(low))
        return Judged(rules=_listed(case, _all(case, "insufficient", why), low), notices=notices)
    if _newest_day(case) <= last:
        why = PHRASES.say("running", until=local_time.day(last).isoformat())
        return Judged(rules=_listed(case, _all(case, "insufficient", why), _lowest_of_days(case)), notices=notices)
    judged = sampling.judged(case, PHRASES, SAMPLING, RULES)
    judged.notices.extend(notices)
    return judged


def _all(case: Case, verdict: VerdictValue, why: Said) -> list[RuleVerdict]:
    """Return this verdict for the download; the upload is never assessed."""
    found = rules.unassessed(case, PHRASES, RULES[:1], verdict, why)
    return [*found, rules.without(PHRASES, RULES[1], "upload", "not_assessed", PHRASES.say("up"))]


def _listed(case: Case, found: list[RuleVerdict], low: list[int]) -> list[RuleVerdict]:
    """Add the days with a test below to the rule that counts them."""
    return [
        rules.with_rows(case.rows, rule, low, case.contract.download.minimum) if rule.id == "Rmin" else rule
        for rule in found
    ]


def _lowest_of_days(case: Case) -> list[int]:
    """Return the lowest test of each day that has one below the guaranteed speed, of the newest 30 such days."""
    limit = case.contract.download.minimum
    if limit is None:
        return []
    speeds = case.rows.download
    lowest = [_lowest(speeds, tests) for _, tests in local_days(case.rows, case.fit)]
    return [row for row in lowest if speeds[row] < limit][-_MOST_DAYS:]


def _lowest(speeds: Floats, tests: Indices) -> int:
    return int(tests[speeds[tests].argmin()])


def _newest_day(case: Case) -> int:
    """Return the local day of the newest row, or of the end of the period if that was chosen."""
    if not len(case.rows):
        return 0
    ahead = int(case.rows.offset[-1])
    return (case.until - 1 + ahead) // local_time.DAY


PROFILE = Profile(
    name="uk-ofcom",
    country="GB",
    language="en",
    phrases=PHRASES,
    rule_version="2022-12-21/1",
    checked_on=date(2026, 11, 26),
    confidence="medium",
    sources=(LegalSource(name="Ofcom, Broadband Speeds Codes of Practice", dated="in force 2022-12-21"),),
    tool=OfficialTool(name="the provider's own test; Ofcom has a checker of its own"),
    own_tests="supporting",
    needs=("download.minimum (guaranteed)", "signatory", "dates.complaint", "customer"),
    steps=("step.complain", "step.leave"),
    judge=_judge,
)
