"""Which questions a person asks with a period and some locations: one for each location."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from speedtest.figures import evidence
from speedtest.figures.evidence import Evidence
from speedtest.figures.rows import Rows
from speedtest.figures.summary import summarise
from speedtest.figures.types import Plan, Question, Summary


def questions(rows: Rows, since: datetime | None, until: datetime, locations: Sequence[str]) -> Iterator[Question]:
    """Ask for each location, all that have rows if none is named; without `since` from its first day on."""
    for location in locations or rows.locations():
        first = rows.first(location)
        start = since or first
        if start and start < until:
            yield Question(location, start, until, first is not None and first < start)


def summaries(rows: Rows, asked: Sequence[Question], plan: Plan) -> list[Summary]:
    """Answer each question."""
    return [summarise(rows.of(each.since, each.until, each.location), each, plan) for each in asked]


def with_evidence(rows: Rows, asked: Sequence[Question], plan: Plan) -> list[tuple[Summary, Evidence]]:
    """Answer each question, and tell which files the answer comes from."""
    return [
        (summary, evidence.of(rows.folders, each))
        for summary, each in zip(summaries(rows, asked, plan), asked, strict=True)
    ]
