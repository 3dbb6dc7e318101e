"""Questions about a period, one for each location, and their answers."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from speedtest.figures import comparison, evidence, router_link, zones
from speedtest.figures.evidence import Evidence
from speedtest.figures.rows import Rows
from speedtest.figures.summary import summarise
from speedtest.figures.types import Comparison, Plan, Question, Summary
from speedtest.values.period import Unclear


class Wanted(NamedTuple):
    """A side of a comparison, as far as it is named. Times are as `values.period` reads them."""

    location: str | None = None
    since: str | None = None
    until: str | None = None


def questions(
    rows: Rows,
    since: datetime | None,
    until: datetime,
    locations: Sequence[str],
    isp: str | None = None,
) -> Iterator[Question]:
    """Yield a question for each named location, or for all that have rows if none is named.

    Without `since`, a question starts at the location's first day. A location with an empty period has no question.
    """
    for location in locations or rows.locations():
        first, far = rows.first(location), rows.far(location, since, until)
        start = since or first
        if start and first and far and start < first < until:
            start = first  # the period of the others, not the one that a wrong clock stretches
        if start and start < until:
            elsewhere = rows.elsewhere(location, since, until)
            before = first is not None and first < start
            yield Question(location, start, until, before, isp, far=far, elsewhere=elsewhere)


def by_zone(  # noqa: PLR0913 (what `questions` needs, and the time)
    rows: Rows,
    since: str | None,
    until: str | None,
    now: datetime,
    locations: Sequence[str],
    *,
    isp: str | None = None,
) -> Iterator[Question]:
    """Yield the questions about a period that is written as `values.period` reads it, each in the zone of its line.

    Raises Unclear, and the errors of `Rows.of`.
    """
    for location in locations or rows.locations():
        first, last = zones.between(rows, [location], since, until, now)
        yield from questions(rows, first, min(last or now, now), [location], isp)


def sides(rows: Rows, this: Wanted, other: Wanted, now: datetime) -> list[Question]:
    """Return the two questions of a comparison, each in the zone of its line.

    The other side, as far as it is not named, is the period of the same length right before, or, of another location,
    the same period. Raises Unclear if a period is empty, if both overlap at one location, or if there are no rows, and
    the errors of `Rows.of`.
    """
    known = rows.locations()
    if not known:
        raise Unclear("there are no rows to compare: run `speedsnake status` to see whether the daemon runs")
    first = _side(rows, this._replace(location=this.location or known[0]), now)
    second = _other(rows, first, other, now)
    if first.location == second.location and first.since < second.until and second.since < first.until:
        raise Unclear(f"the two periods of {first.location} overlap: let one end before the other begins")
    return [first, second]


def _other(rows: Rows, first: Question, other: Wanted, now: datetime) -> Question:
    location = other.location or first.location
    if other.since or other.until:
        return _side(rows, other._replace(location=location), now)
    if location != first.location:
        return _question(location, first.since, first.until)
    try:
        return _question(location, first.since - (first.until - first.since), first.since)
    except OverflowError:
        raise Unclear("the period before would begin before the calendar: choose a later start") from None


def _side(rows: Rows, wanted: Wanted, now: datetime) -> Question:
    location = wanted.location or ""
    first, last = zones.between(rows, [location], wanted.since, wanted.until, now)
    start, end = first or rows.first(location), min(last or now, now)
    if start is None or start >= end:
        raise Unclear(f"the period of {location} is empty: choose a start before its end, and before now")
    return _question(location, start, end)


def _question(location: str, since: datetime, until: datetime) -> Question:
    return Question(location, since, until, known_before=False)


def compared(rows: Rows, asked: Sequence[Question], plan: Plan) -> Comparison:
    """Return how the first of two questions differs from the other. Raises the errors of `Rows.of`."""
    this, other = ((each, rows.pieces(each.since, each.until, each.location, each.isp)) for each in asked)
    return comparison.compare(this, other, plan)


def summaries(rows: Rows, asked: Sequence[Question], plan: Plan) -> list[Summary]:
    """Return the answer to each question."""
    return [answer(rows, each, plan) for each in asked]


def answer(rows: Rows, asked: Question, plan: Plan) -> Summary:
    """Return the answer to a question. Raises the errors of `Rows.of`."""
    summary = summarise(rows.pieces(asked.since, asked.until, asked.location, asked.isp), asked, plan)
    return msgspec.structs.replace(summary, router=router_link.of(rows, asked.location, summary.last, plan))


def with_evidence(rows: Rows, asked: Sequence[Question], plan: Plan) -> list[tuple[Summary, Evidence]]:
    """Return the answer to each question, with the files that it comes from."""
    return [
        (summary, evidence.of(rows.folders, each))
        for summary, each in zip(summaries(rows, asked, plan), asked, strict=True)
    ]
