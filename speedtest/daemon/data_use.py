"""What testing costs in data, told before somebody is surprised: after the first test, and when the budget nears."""

import logging

from speedtest.daemon import schedule
from speedtest.daemon.schedule import BYTES_PER_GB, DAYS_PER_MONTH
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Measurement
from speedtest.values import amounts

events = Events(__name__)

WARN_AT = 0.8
"""The part of `DATA_BUDGET_GB_PER_MONTH` from which a person should know."""


def rate(settings: Settings) -> str:
    """Return how many tests a day and a month the interval makes, in words."""
    a_day = schedule.slots_per_day(settings)
    return f"{amounts.amount(a_day)} tests a day, {amounts.amount(a_day * DAYS_PER_MONTH)} a month"


def tell(settings: Settings, measurement: Measurement) -> bool:
    """Log what tests like this one make of a day and a month; False if this one did not say what it moved."""
    if not measurement.data_bytes:
        return False
    gigabytes = measurement.data_bytes / BYTES_PER_GB
    a_day = gigabytes * schedule.slots_per_day(settings)
    a_month = a_day * DAYS_PER_MONTH
    budget = settings.data_budget_gb_per_month
    too_much = budget is not None and a_month > budget
    events.log(
        logging.WARNING if too_much else logging.INFO,
        "data_use",
        "this test moved %s; one in every slot moves %s a day and %s a month%s",
        amounts.data(measurement.data_bytes),
        amounts.data(a_day * BYTES_PER_GB),
        amounts.data(a_month * BYTES_PER_GB),
        f", more than DATA_BUDGET_GB_PER_MONTH={budget:g}: raise SLEEP_SECONDS" if too_much else "",
        gb_per_day=round(a_day, 3),
        gb_per_month=round(a_month, 3),
    )
    return True


def warn(settings: Settings, before: float, after: float) -> None:
    """Log that this month's gigabytes have come to a warning's part of the budget, or to its end, if they just have."""
    budget = settings.data_budget_gb_per_month
    if budget is None:
        return
    for part in (1.0, WARN_AT):
        if before < part * budget <= after:
            rest = "no more tests until the next month" if part == 1 else f"tests stop at {budget:g} GB"
            events.warning(
                "data_budget", "%.3f GB moved this month, %.0f %% of the budget: %s", after, after / budget * 100, rest
            )
            return
