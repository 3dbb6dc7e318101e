"""Germany: a complete outage that lasts after it was reported, TKG 2021 § 58 (3).

If the provider has not repaired it by the end of the second calendar day after the report, the law names for the third
and the fourth day 5.00 euros or 10 % of the monthly fee, and from the fifth day on 10.00 euros or 20 %, whichever is
higher. Only days without any service count. That the first successful test ends the fault, so that a later outage
needs its own report, is our reading.

A failed speed test alone is no outage, and the customer may have caused it: the figures are no entitlement.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from speedtest.verdicts import describe, outage_days
from speedtest.verdicts.case import Case, Judged
from speedtest.verdicts.contract import exact
from speedtest.verdicts.outage_days import OutageDay
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.texts import SHARED, Phrases
from speedtest.verdicts.types import LegalSource, RuleVerdict, Said, VerdictValue

GRACE_DAYS, LATER_FROM = 2, 5
EARLY, LATER = (Decimal("5.00"), Decimal("0.1")), (Decimal("10.00"), Decimal("0.2"))
"""The least amount of a day, and the part of the monthly fee."""
CENT = Decimal("0.01")

PHRASES = Phrases(
    "de-tkg58",
    {
        "title": "Germany: compensation for a complete outage (§ 58 (3) TKG)",
        "binds": "every provider towards consumers",
        "out": "The service is back by the end of the second calendar day after the report.",
        "none": "the service was back on {day}, by the end of the second day after the report",
        "running": "the clock runs until the end of {until}",
        "no_rows": "no row is newer than the report of {reported}",
        "days": "consistent with a complete outage on {days}; the law names {sum} = {total} {currency} for these days",
        "days_open": "consistent with a complete outage on {days}; the law names {sum} = {total} {currency} for these"
        " days so far; the end of the outage is not in the rows",
        "uncertain": "at least {least} {currency} ({days}), up to {most} {currency} if the service was also out on"
        " {unknown}",
        "uncertain_later": "at least {least} {currency} ({days}), up to {most} {currency} if days after {partly}, when"
        " it was back for a while, are the same fault",
        "uncertain_none": "not certain: whether the service was out on {unknown} is not known; up to {most} {currency}",
        "no_days": "no complete day without service is in the rows after the second day",
        "first_good": "our reading: the first successful test ends the fault; a later outage needs its own report",
        "not_alone": "A failed speed test alone is no outage: the router, the cable or this machine may have failed.",
        "no_claim": "The amounts are those that the law names, no entitlement. They are set off against a reduction,"
        " and do not apply if the customer caused the outage or force majeure did.",
        "step.report": "Report the outage at once, in writing, and keep the number of the ticket: the days count from"
        " the report.",
        "step.claim": "Ask the provider for the compensation, with the list of the days.",
    },
)


class _Sum(msgspec.Struct):
    """The days that count so far, and what the law names for them."""

    certain: list[OutageDay] = []
    possible: Decimal = Decimal(0)
    unknown: list[date] = []
    """Days whose state is not known, or that are not over."""
    partly: list[date] = []
    back: OutageDay | None = None


def amount(day: int, fee: float) -> Decimal:
    """Return what the law names for a day, by its number after the day of the report."""
    least, part = LATER if day >= LATER_FROM else EARLY
    return max(least, (exact(fee) * part).quantize(CENT, ROUND_HALF_UP))


def _days(case: Case, reported: date) -> Iterator[OutageDay]:
    """Yield the days up to the one on which the service was back."""
    ended = case.contract.dates.fault_ended
    for day in outage_days.days(case, reported):
        if ended and day.day >= ended:
            yield msgspec.structs.replace(day, state="back")
            return
        if day.number == 0 and not (day.state == "back" and day.failed):
            continue  # the day of the report: what succeeded may have been before the outage
        yield day
        if day.state == "back":
            return


def _summed(days: Iterator[OutageDay], fee: float) -> _Sum:
    found = _Sum()
    for day in days:
        is_certain = not (found.unknown or found.partly)
        if day.state == "back":
            found.back = day
        elif day.state == "partly":
            found.partly.append(day.day)
        elif not day.is_over:
            continue  # today is not over: it does not count yet
        elif day.number > GRACE_DAYS:
            found.possible += amount(day.number, fee)
            if day.state == "out" and is_certain:
                found.certain.append(day)
            elif day.state == "unknown":
                found.unknown.append(day.day)
        elif day.state == "unknown":
            found.unknown.append(day.day)
    return found


def _said(found: _Sum, fee: float, currency: str) -> tuple[VerdictValue, Said]:
    """Return the verdict after the second day, in words."""
    amounts = [amount(day.number, fee) for day in found.certain]
    values: dict[str, str | float] = {
        "days": ", ".join(day.day.isoformat() for day in found.certain),
        "sum": " + ".join(f"{each:.2f}" for each in amounts),
        "total": f"{sum(amounts, Decimal(0)):.2f}",
        "least": f"{sum(amounts, Decimal(0)):.2f}",
        "most": f"{found.possible:.2f}",
        "unknown": ", ".join(day.isoformat() for day in found.unknown),
        "partly": ", ".join(day.isoformat() for day in found.partly),
        "currency": currency,
    }
    if found.unknown and found.possible:
        return "insufficient", PHRASES.say("uncertain" if found.certain else "uncertain_none", **values)
    if found.partly and found.possible > sum(amounts, Decimal(0)):
        return "insufficient", PHRASES.say("uncertain_later", **values)
    if not found.certain:
        return "insufficient", PHRASES.say("no_days")
    return "fail", PHRASES.say("days" if found.back else "days_open", **values)


def _verdict(case: Case, reported: date, fee: float) -> tuple[VerdictValue, Said, list[OutageDay]]:
    days = [*_days(case, reported)]
    last_of_grace = reported + timedelta(days=GRACE_DAYS)
    found = _summed(iter(days), fee)
    if not days:
        return "insufficient", PHRASES.say("no_rows", reported=reported.isoformat()), []
    if found.back and found.back.number <= GRACE_DAYS:
        return "pass", PHRASES.say("none", day=found.back.day.isoformat()), [found.back]
    is_over = any(day.number >= GRACE_DAYS and day.is_over for day in days)
    if not is_over:
        return "insufficient", PHRASES.say("running", until=last_of_grace.isoformat()), []
    value, said = _said(found, fee, case.contract.currency or "EUR")
    return value, said, found.certain


def _judge(case: Case) -> Judged:
    dates, fee = case.contract.dates, case.contract.monthly_fee
    verdict: VerdictValue
    deciding: list[OutageDay] = []
    if dates.fault_reported is None:
        verdict, reason = "insufficient", SHARED.say("fact_missing", fact="dates.fault_reported")
    elif fee is None:
        verdict, reason = "not_assessed", SHARED.say("fact_missing", fact="contract.monthly_fee")
    else:
        verdict, reason, deciding = _verdict(case, dates.fault_reported, fee)
    rule = RuleVerdict(
        id="out",
        direction=None,
        verdict=verdict,
        text=PHRASES.say("out"),
        basis="verified",
        reason=reason,
        have=len(deciding) if verdict == "fail" else None,
        deciding_rows=[describe.deciding(case.rows, day.last, None, None) for day in deciding if day.last is not None],
    )
    return Judged(rules=[rule], notices=[PHRASES.say(name) for name in ("first_good", "not_alone", "no_claim")])


PROFILE = Profile(
    name="de-tkg58",
    country="DE",
    language="de",
    phrases=PHRASES,
    rule_version="2021-12-01/1",
    checked_on=date(2026, 11, 26),
    confidence="high",
    sources=(LegalSource(name="TKG § 58 (3)", dated="2021, in force 2021-12-01"),),
    tool=None,
    own_tests="supporting",
    needs=("dates.fault_reported", "monthly_fee", "dates.fault_ended (if the rows cannot tell)"),
    steps=("step.report", "step.claim"),
    judge=_judge,
    samples=False,
)
