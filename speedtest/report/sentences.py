"""What a summary says in sentences: how the line did, and what the figures leave out.

Missing data is never good news: what nobody knows is said to be unknown.
"""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from speedtest.figures.types import Summary
from speedtest.report import words
from speedtest.values import amounts


def lead(summary: Summary) -> str:
    """Say in a few sentences how the line did."""
    zone = ZoneInfo(summary.zone)
    if not summary.rows:
        return "Nothing was measured in this period."
    period = (
        f"From {words.day(summary.first or summary.since, zone)} to {words.day(summary.last or summary.until, zone)}"
    )
    return f"{period} {_measured(summary)}. {outages(summary)}."


def _measured(summary: Summary) -> str:
    if not summary.tests:
        return "no test was made"
    best = next((engine for engine in summary.engines if engine.download or engine.upload), None)
    if not best:
        failed = amounts.count(summary.failed, "test")
        return f"no test {'succeeded' if summary.failed == summary.tests else 'measured a speed'}: {failed} failed"
    speeds = [
        f"{amounts.amount(spread.median)} Mbit/s {way}"
        for way, spread in (("down", best.download), ("up", best.upload))
        if spread
    ]
    up = summary.uptime_percent
    start = f"uptime was {amounts.share(up)}. The" if up is not None else "the"
    return f"{start} median test measured {' and '.join(speeds)} ({words.harmless(best.name)})"


def outages(summary: Summary) -> str:
    """Say how many outages there were, or that nobody knows."""
    if summary.outages_in_all is None:
        return (
            f"Whether there were outages is unknown: {'no test had a slot' if summary.tests else 'nothing tested it'}"
        )
    if not summary.outages:
        missing = summary.slots.not_measured + summary.slots.skipped
        rest = f"; {amounts.count(missing, 'slot')} had no test" if missing else ""
        return f"No outages in {amounts.count(summary.slots.tested, 'tested slot')}{rest}"
    longest = max(summary.outages, key=lambda outage: outage.seconds)
    text = amounts.count(summary.outages_in_all, "outage")
    if not longest.seconds:
        return f"{text} of one slot{' each' if summary.outages_in_all > 1 else ''}"
    start = " of" if summary.outages_in_all == 1 else ", the longest"
    day = words.day(longest.start, ZoneInfo(summary.zone))
    return f"{text}{start} {amounts.duration(longest.seconds)} on {day}"


def notes(summary: Summary) -> list[str]:
    """Say what the first sentences leave out."""
    return list(_notes(summary))


def _notes(summary: Summary) -> Iterator[str]:
    other = summary.slots.failed - summary.slots.down
    if other:
        yield (
            f"In {amounts.count(other, 'slot')} the test failed for a reason that a dead line does not have, such as "
            "a busy server or a rate limit. They count as failed, and are no outage."
        )
    if summary.failed_by_hand:
        failed = amounts.count(summary.failed_by_hand, "failed test had", "failed tests had")
        yield f"{failed} no slot (made by hand, or by another monitor). They are in no uptime and in no outage."
    if summary.without_status:
        rows = amounts.count(summary.without_status, "row has", "rows have")
        yield f"{rows} no known status, so nobody can say what they are. They are in no other figure."
