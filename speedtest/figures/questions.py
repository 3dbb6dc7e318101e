"""Questions about a period, one for each location, and their answers."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from speedtest.figures import evidence, router_link, zones
from speedtest.figures.evidence import Evidence
from speedtest.figures.rows import Rows
from speedtest.figures.summary import summarise
from speedtest.figures.types import Plan, Question, Summary


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
