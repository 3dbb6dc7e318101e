"""The plan of a campaign: what is still to be made, and what is missing in words."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from speedtest.campaigns import days, hours, local
from speedtest.campaigns.days import SamplePlan
from speedtest.campaigns.order import PlannedOutcome
from speedtest.campaigns.samples import SAMPLES


def of(profile: str, start: date, outcomes: Iterable[PlannedOutcome], now: datetime) -> SamplePlan:
    """Return what is still to be made for the sample of this profile, which must be in `SAMPLES`."""
    sample = SAMPLES[profile]
    if sample.kind == "hours":
        return hours.plan(start, outcomes, now)
    return days.plan(sample, start, outcomes, now)


def spoilt(profile: str, outcomes: Sequence[PlannedOutcome], now: datetime) -> list[date]:
    """Return the days with tests that are no measuring days and cannot become any."""
    sample = SAMPLES[profile]
    return [] if sample.kind == "hours" else days.spoilt(sample, outcomes, now)


def missing(plan: SamplePlan) -> str:
    """Return what is missing, in words."""
    if not plan.tests:
        return "nothing is missing"
    planned = sorted({local.day_of(test.due) for test in plan.tests})
    named = ", ".join(f"{day:%Y-%m-%d}" for day in planned)
    count = len(plan.tests)
    return f"{count} test{'s' * (count != 1)} on {named}; the next at {local.shown(plan.tests[0].due)}"
