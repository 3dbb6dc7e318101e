"""A summary ready to show, in the report and on the page: its words, its charts, and what the templates need."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
import msgspec
from markupsafe import Markup

from speedtest.figures.evidence import Evidence
from speedtest.figures.one_test import OneTest
from speedtest.figures.types import EngineFigures, Plan, Summary
from speedtest.report import charts, curve, knowledge, sentences, words
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
_PROBES = [
    Curve("idle", "latency between tests", lambda each: each.latency_ms),
    Curve("upload", "95th percentile", lambda each: each.latency_p95_ms),
    Curve("download", "latency to the router", lambda each: each.router_latency_ms),
]
_PROBES_LOST = [Curve("loss", "probes lost", lambda each: each.loss_percent)]


class Both(msgspec.Struct, frozen=True):
    """A chart in two widths, for a screen and for a phone."""

    wide: Chart
    narrow: Chart


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the templates show of one line."""

    summary: Summary
    sentence: str
    notes: Sequence[str]
    outages: str
    changes: Sequence[str]
    zone: ZoneInfo
    zones: str
    engines: Sequence[EngineFigures]
    planned: bool
    plans: dict[str, float | None]
    shares: Sequence[tuple[str, str, str, float, float]]
    throughput: dict[str, list[tuple[str, Both]]]
    latency: dict[str, Both]
    loss: dict[str, Both]
    probes: dict[str, Both]
    """What the watch saw between tests: `latency` and `loss`; empty if nobody watched."""
    availability: str | None
    places: dict[str, str]
    hours: dict[str, Both]
    week: dict[str, Both]
    months: Sequence[tuple[str, int]]
    evidence: Evidence | None


def view(summary: Summary, plan: Plan, evidence: Evidence | None = None) -> View:
    """Draw a summary."""
    zone = ZoneInfo(summary.zone)
    engines = summary.engines[:MOST_DRAWN]
    plans = {"download": plan.download_mbps, "upload": plan.upload_mbps}

    papers = [Paper(summary, zone, width) for width in (WIDE, NARROW)]

    def lines(over: list[Curve], unit: str) -> dict[str, Both]:
        return {
            engine.name: Both(*(charts.lines(paper, engine.bins, over, unit) for paper in papers)) for engine in engines
        }

    return View(
        summary=summary,
        sentence=sentences.lead(summary),
        notes=sentences.notes(summary),
        outages=sentences.outages(summary),
        changes=[sentences.change(each, zone) for each in summary.providers.changes],
        zone=zone,
        zones=", ".join(map(words.harmless, summary.timezones)) or f"{summary.zone} (the rows name none)",
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
        probes=_probes(summary, papers),
        availability=sentences.availability(summary),
        places=sentences.PLACES,
        hours={
            engine.name: Both(*(charts.hours(engine.hours, width) for width in (WIDE, NARROW))) for engine in engines
        },
        week={engine.name: Both(*(charts.week(engine.week, width) for width in (WIDE, NARROW))) for engine in engines},
        months=list(summary.bytes_by_month.items())[-_MONTHS_SHOWN:],
        evidence=evidence,
    )


def curves(test: OneTest) -> list[tuple[str, Both]]:
    """Draw the directions of one test whose program keeps its speeds over time."""
    return [
        (way, Both(*(curve.curve(series, way, width) for width in (WIDE, NARROW))))
        for way, series in (("download", test.download), ("upload", test.upload))
        if series
    ]


def _probes(summary: Summary, papers: Sequence[Paper]) -> dict[str, Both]:
    """Draw latency and loss between tests, with a band for each outage."""
    if not summary.watch or not summary.watch.bins:
        return {}
    bins = summary.watch.bins

    def drawn(paper: Paper, over: list[Curve], unit: str) -> Chart:
        chart = charts.lines(paper, bins, over, unit)
        return msgspec.structs.replace(chart, shapes=[*charts.outages(paper), *chart.shapes])

    return {
        "latency": Both(*(drawn(paper, _PROBES, "ms") for paper in papers)),
        "loss": Both(*(drawn(paper, _PROBES_LOST, "%") for paper in papers)),
    }


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
    filters: dict[str, Callable[..., object]] = {
        "amount": amounts.amount,
        "availability": amounts.availability,
        "count": amounts.count,
        "data": amounts.data,
        "day": words.day,
        "duration": amounts.duration,
        "harmless": words.harmless,
        "rise": knowledge.rise,
        "instant": words.instant,
        "is_few": knowledge.is_few,
        "known": knowledge.known,
        "range_of": knowledge.range_of,
        "share_known": knowledge.share,
        "moment": words.moment,
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
