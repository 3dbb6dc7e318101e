"""The data that tests use: logged after the first test, and as a warning when the data budget is nearly used."""

import logging

from speedtest.daemon import schedule
from speedtest.daemon.schedule import BYTES_PER_GB, DAYS_PER_MONTH
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Measurement
from speedtest.values import amounts

events = Events(__name__)

WARN_AT = 0.8
"""The used part of `DATA_BUDGET_GB_PER_MONTH` at which to warn."""


def rate(settings: Settings) -> str:
    """Return in words how many tests a day and a month the interval gives."""
    a_day = schedule.slots_per_day(settings)
    return f"{amounts.amount(a_day)} tests a day, {amounts.amount(a_day * DAYS_PER_MONTH)} a month"


def tell(settings: Settings, measurement: Measurement) -> bool:
    """Log what tests like this one use in a day and a month; False if the program did not report its bytes."""
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
        "this test used %s; one test a slot uses %s a day and %s a month%s",
        amounts.data(measurement.data_bytes),
        amounts.data(a_day * BYTES_PER_GB),
        amounts.data(a_month * BYTES_PER_GB),
        f", more than DATA_BUDGET_GB_PER_MONTH={budget:g}: raise SLEEP_SECONDS" if too_much else "",
        gb_per_day=round(a_day, 3),
        gb_per_month=round(a_month, 3),
    )
    return True


def warn(settings: Settings, before: float, after: float) -> None:
    """Warn if the last test took this month's data use, in GB, past 80 % of the data budget, or past all of it."""
    budget = settings.data_budget_gb_per_month
    if budget is None:
        return
    for part in (1.0, WARN_AT):
        if before < part * budget <= after:
            rest = "no more tests until next month" if part == 1 else f"tests stop at {budget:g} GB"
            events.warning(
                "data_budget",
                "used %.3f GB this month, %.0f %% of the data budget: %s",
                after,
                after / budget * 100,
                rest,
            )
            return
