"""A summary ready to show, in the report and on the page: its words, its charts, and what the templates need."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
import msgspec
from markupsafe import Markup

from speedtest.figures.evidence import Evidence
from speedtest.figures.types import EngineFigures, Plan, Summary
from speedtest.report import charts, words
from speedtest.report.charts import NARROW, WIDE, Chart, Curve, Paper
from speedtest.values import amounts

TEMPLATES = Path(__file__).parent / "templates"
MOST_DRAWN = 3
_MONTHS_SHOWN = 24
_LATENCIES = [
    Curve("idle", "idle latency", lambda each: each.latency_ms),
    Curve("download", "latency while downloading", lambda each: each.download_latency_ms),
    Curve("upload", "latency while uploading", lambda each: each.upload_latency_ms),
]
_LOSS = [Curve("loss", "packet loss", lambda each: each.packet_loss_percent)]


class Both(msgspec.Struct, frozen=True):
    """A chart in two widths, for a screen and for a phone."""

    wide: Chart
    narrow: Chart


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the templates show of one line."""

    summary: Summary
    sentence: str
    zone: ZoneInfo
    zones: str
    engines: Sequence[EngineFigures]
    planned: bool
    plans: dict[str, float | None]
    shares: Sequence[tuple[str, str, str, float, float]]
    throughput: dict[str, list[tuple[str, Both]]]
    latency: dict[str, Both]
    loss: dict[str, Both]
    hours: dict[str, Both]
    week: dict[str, Both]
    months: Sequence[tuple[str, int]]
    evidence: Evidence | None


def view(summary: Summary, plan: Plan, evidence: Evidence | None = None) -> View:
    """Draw a summary."""
    zone = words.zone(summary.timezones)
    engines = summary.engines[:MOST_DRAWN]
    plans = {"download": plan.download_mbps, "upload": plan.upload_mbps}

    papers = [Paper(summary, zone, width) for width in (WIDE, NARROW)]

    def lines(over: list[Curve], unit: str) -> dict[str, Both]:
        return {
            engine.name: Both(*(charts.lines(paper, engine.bins, over, unit) for paper in papers)) for engine in engines
        }

    return View(
        summary=summary,
        sentence=sentence(summary),
        zone=zone,
        zones=", ".join(map(words.harmless, summary.timezones)) or "UTC (the rows name no time zone)",
        engines=engines,
        planned=any(engine.plan_download or engine.plan_upload for engine in engines),
        plans=plans,
        shares=_shares(summary),
        throughput={
            engine.name: [
                (way, Both(*(charts.throughput(paper, engine.bins, way, mbps) for paper in papers)))
                for way, mbps in plans.items()
            ]
            for engine in engines
        },
        latency=lines(_LATENCIES, "ms"),
        loss=lines(_LOSS, "%"),
        hours={
            engine.name: Both(*(charts.hours(engine.hours, width) for width in (WIDE, NARROW))) for engine in engines
        },
        week={engine.name: Both(*(charts.week(engine.week, width) for width in (WIDE, NARROW))) for engine in engines},
        months=list(summary.bytes_by_month.items())[-_MONTHS_SHOWN:],
        evidence=evidence,
    )


def sentence(summary: Summary) -> str:
    """Say in a few sentences how the line did."""
    zone = words.zone(summary.timezones)
    if not summary.rows:
        return "Nothing was measured in this period."
    period = (
        f"From {words.day(summary.first or summary.since, zone)} to {words.day(summary.last or summary.until, zone)}"
    )
    best = next((engine for engine in summary.engines if engine.download or engine.upload), None)
    if not best:
        return f"{period} no test succeeded: {amounts.count(summary.tests, 'test')} failed. {_outages(summary)}."
    up = summary.slots.availability
    lead = f"uptime was {amounts.share(up)}. The" if up is not None else "the"
    speeds = [
        f"{amounts.amount(spread.median)} Mbit/s {way}"
        for way, spread in (("down", best.download), ("up", best.upload))
        if spread
    ]
    measured = f"median test measured {' and '.join(speeds)} ({words.harmless(best.name)})"
    return f"{period} {lead} {measured}. {_outages(summary)}."


def _outages(summary: Summary) -> str:
    if not summary.outages:
        return "No outages"
    zone = words.zone(summary.timezones)
    longest = max(summary.outages, key=lambda outage: outage.seconds)
    text = amounts.count(summary.outages_in_all, "outage")
    if not longest.seconds:
        return f"{text} of one slot{' each' if summary.outages_in_all > 1 else ''}"
    lead = " of" if summary.outages_in_all == 1 else ", the longest"
    return f"{text}{lead} {amounts.duration(longest.seconds)} on {words.day(longest.start, zone)}"


def _shares(summary: Summary) -> Sequence[tuple[str, str, str, float, float]]:
    """Return for each state of a slot: its name, its words, its number, and its start and width out of 1000."""
    slots = summary.slots
    shares: list[tuple[str, str, str, float, float]] = []
    left = 0.0
    for name, text, number in (
        ("ok", "successful", slots.ok),
        ("failed", "failed", slots.failed),
        ("skipped", "skipped", slots.skipped),
        ("missing", "not measured", slots.not_measured),
    ):
        width = 1000 * number / max(slots.due, 1)
        shares.append((name, text, f"{number:,}", round(left, 2), round(width, 2)))
        left += width
    return shares


@cache
def templates(*more: Path) -> jinja2.Environment:
    """Return the templates here and in `more` folders, with functions for amounts and words as filters.

    Everything that a template inserts is escaped.
    """
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, *more]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "amount": amounts.amount,
        "count": amounts.count,
        "data": amounts.data,
        "day": words.day,
        "duration": amounts.duration,
        "harmless": words.harmless,
        "instant": words.instant,
        "percent": amounts.percent,
        "share": amounts.share,
    }
    found.filters.update(filters)
    return found


def sections(drawn: View) -> Markup:
    """Return the sections that the report and the page show."""
    macros = vars(templates().get_template("sections.html").module)
    return macros["sections"](drawn)


def style() -> Markup:
    """Return the style sheet of the sections."""
    return Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704 (our own file)
