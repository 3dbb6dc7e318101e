"""What a summary says in sentences: how the line did, and what the figures leave out.

Missing data is never good news: what nobody knows is said to be unknown.
"""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from speedtest.figures.providers import ProviderChange
from speedtest.figures.quality import MARKS
from speedtest.figures.types import Far, Summary
from speedtest.report import diagnosis, words
from speedtest.values import amounts

PLACES = {
    "link": "at this machine's link",
    "router": "at the router",
    "beyond-router": "behind the router",
    "unknown-place": "at an unknown place",
    "dns": "of the resolvers",
}
"""The places of outages in words."""
_LEFT_OUT = (
    "They are left out where tests are compared with the plan; `speedsnake report --all-tests`, and `marked=1` in an "
    "address, take them in."
)
_NOTHING_THROUGH_IT = "No test in this period names this provider."


def lead(summary: Summary) -> str:
    """Say in a few sentences how the line did."""
    zone = ZoneInfo(summary.zone)
    if not summary.rows:
        return "Nothing was measured in this period." if summary.isp is None else _NOTHING_THROUGH_IT
    period = (
        f"From {words.day(summary.first or summary.since, zone)} to {words.day(summary.last or summary.until, zone)}"
    )
    return f"{period} {_measured(summary)}. {outages(summary)}.{_providers(summary)}"


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
    up = availability(summary)
    start = f"{up}. The" if up is not None else "the"
    return f"{start} median test measured {' and '.join(speeds)} ({words.harmless(best.name)})"


def availability(summary: Summary) -> str | None:
    """Say for which share of the time the line worked, and who knows; None if nobody does."""
    if summary.availability_percent is None:
        return None
    if summary.availability_of == "watch" and summary.watch:
        watched = amounts.duration(summary.watch.watched_seconds)
        up = amounts.availability(summary.availability_percent)
        return f"the line was up {up} of the {watched} in which it was watched"
    share = amounts.share(summary.availability_percent)
    why = "no row says how long the line was watched" if summary.watch else "nobody watched the line"
    return f"uptime was {share} (of slots, because {why})"


def outages(summary: Summary) -> str:
    """Say how many outages there were, or that nobody knows."""
    if summary.outages_in_all is None:
        why = "no test had a slot" if summary.tests else "there was no test"
        why = why if summary.isp is None else "failed tests name no provider"
        return f"Whether there were outages is unknown: {why}"
    if summary.watch and not summary.outages:
        return f"No outages in {amounts.duration(summary.watch.watched_seconds)} of watching"
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
    return f"{text}{start} {amounts.duration(longest.seconds)} on {day}{_places(summary)}"


def _places(summary: Summary) -> str:
    """Say where the outages were that the watch saw."""
    if not summary.watch or not summary.watch.by_place:
        return ""
    places = (f"{each.outages:,} {PLACES.get(each.name, each.name)}" for each in summary.watch.by_place)
    return f" ({', '.join(places)})"


def _providers(summary: Summary) -> str:
    """Say whether the tests went through more than one provider."""
    providers = summary.providers
    if not providers.changes_in_all:
        return ""
    main, *others = providers.found
    rest = amounts.count(sum(each.tests for each in others), "test")
    changed = amounts.count(providers.changes_in_all, "time")
    return f" The provider changed {changed}: {rest} did not go through {_named(main.isp, vpn=main.vpn)}."


def _far(far: Far, zone: ZoneInfo) -> str:
    rows = amounts.count(far.rows, "row is", "rows are")
    first, last = words.day(far.first, zone), words.day(far.last, zone)
    dates = first if first == last else f"{first} to {last}"
    return f"{rows} dated far from all others ({dates}), perhaps because the clock was wrong."


def change(each: ProviderChange, zone: ZoneInfo) -> str:
    """Say from which provider to which a line changed, and when."""
    before, after = _named(each.before, vpn=each.vpn_before), _named(each.after, vpn=each.vpn_after)
    seen = f"{words.instant(each.last_before, zone)} and {words.instant(each.first_after, zone)}"
    return f"from {before} to {after}, between {seen} ({words.harmless(each.engine or 'unknown program')})"


def _named(isp: str, *, vpn: bool) -> str:
    return words.harmless(isp) + (" (tunnel)" if vpn else "")


def notes(summary: Summary) -> list[str]:
    """Say what the first sentences leave out."""
    return list(_notes(summary))


def _notes(summary: Summary) -> Iterator[str]:
    yield from diagnosis.notes(summary)
    other = summary.slots.failed - summary.slots.down
    if other:
        yield (
            f"In {amounts.count(other, 'slot')} the test failed while the line was up, or for a reason that a dead "
            "line does not have, such as a busy server or a rate limit. They count as failed, and are no outage."
        )
    quality = summary.quality
    if quality.marked:
        found = ", ".join(f"{number:,} {MARKS.get(name, name)}" for name, number in quality.by_mark.items())
        tests = f"{quality.marked:,} of {amounts.count(quality.tests, 'successful test')} may say little about the line"
        held = "They are held against the plan all the same." if quality.counted else _LEFT_OUT
        yield f"{tests}: {found}. {held}"
    if summary.failed_by_hand:
        failed = amounts.count(summary.failed_by_hand, "failed test had", "failed tests had")
        yield f"{failed} no slot (made by hand, or by another monitor). They are in no uptime and in no outage."
    if summary.far:
        yield f"{_far(summary.far, ZoneInfo(summary.zone))} They are in no other figure. `export` has them."
    if summary.elsewhere:
        days = amounts.count(summary.elsewhere.days, "day is", "days are")
        yield f"{days} only at {words.harmless(summary.elsewhere.store)}. Their rows are in no figure here."
    if summary.without_status:
        rows = amounts.count(summary.without_status, "row has", "rows have")
        yield f"{rows} no known status, so nobody can say what they are. They are in no other figure."
