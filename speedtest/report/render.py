"""The report: one self-contained HTML file without scripts or requests, or a summary for a terminal."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from speedtest.figures.evidence import Evidence
from speedtest.figures.providers import Providers
from speedtest.figures.slots import Outage
from speedtest.figures.types import Estimate, Plan, Spread, Summary
from speedtest.figures.watched import Watched
from speedtest.report import drawing, knowledge, sentences, words
from speedtest.report.drawing import View
from speedtest.values import amounts

NOTHING = "No rows were found. Run `speedsnake status` to see whether the daemon runs and where it saves its rows."
_SHOWN = 5
"""Outages, providers and changes of the provider in the terminal, at most."""


def html(answers: Iterable[tuple[Summary, Evidence]], since: datetime | None, until: datetime, plan: Plan) -> str:
    """Return the report as one HTML file."""
    views = [drawing.view(summary, plan, evidence) for summary, evidence in answers]
    return (
        drawing.templates()
        .get_template("report.html")
        .render(
            views=views,
            style=drawing.style(),
            made=datetime.now(UTC),
            since=since,
            until=until,
            utc=ZoneInfo("UTC"),
        )
    )


def text(summary: Summary, plan: Plan) -> str:
    """Return a summary for a terminal. Control characters in rows are escaped."""
    shown: View = drawing.view(summary, plan)
    lines = [f"{words.harmless(summary.location)}", shown.sentence, *shown.notes, ""]
    if not summary.rows:
        return "\n".join(lines)
    lines.append(f"Slots      {_slots(summary)}")
    if summary.watch:
        lines.append(f"Watch      {_watch(summary.watch)}")
    for engine in summary.engines:
        lines.append(
            f"{words.harmless(engine.name):10} {amounts.count(engine.tests, 'test')}, {engine.failed:,} failed"
        )
        lines += [
            f"  {name:9}{_spread(spread, unit)}"
            for name, spread, unit in (
                ("download", engine.download, "Mbit/s"),
                ("upload", engine.upload, "Mbit/s"),
                ("latency", engine.latency, "ms"),
                ("loaded", engine.download_latency, "ms"),
            )
            if spread
        ]
        if engine.loss:
            lines.append(f"  loss     {_loss(engine.loss)}")
        if engine.bufferbloat:
            lines.append(f"  bloat    {engine.bufferbloat.grade}: {knowledge.rise(engine.bufferbloat)}")
        lines += [
            f"  plan     {way}: {amounts.share(kept.share)} of tests reached 90 % of "
            f"{amounts.amount(kept.plan_mbps)} Mbit/s{knowledge.share(kept)}"
            for way, kept in (("download", engine.plan_download), ("upload", engine.plan_upload))
            if kept
        ]
    for outage in summary.outages[:_SHOWN]:
        written = words.moment if outage.place else words.instant
        end = written(outage.end, shown.zone) if outage.end else "an unknown end"
        said = f": {words.harmless(outage.words[0])}" if outage.words else ""
        start = written(outage.start, shown.zone)
        lines.append(f"Outage     {start} to {end}, {_length(outage)}{said}")
    lines += _providers(summary.providers, shown.zone)
    lines.append(f"Data       {amounts.data(summary.data_bytes)}")
    return "\n".join(lines)


def _length(outage: Outage) -> str:
    """Return how long an outage was, and where, or how many slots it had if nobody watched."""
    if outage.place is None:
        return amounts.count(outage.slots, "slot")
    return f"{amounts.duration(outage.seconds)} {sentences.PLACES.get(outage.place, words.harmless(outage.place))}"


def _providers(providers: Providers, zone: ZoneInfo) -> Iterator[str]:
    for change in providers.changes[:_SHOWN]:
        yield f"Provider   changed {sentences.change(change, zone)}"
    for each in providers.found[:_SHOWN]:
        tunnel = " (tunnel)" if each.vpn else ""
        addresses = amounts.count(each.addresses_in_all, "external address", "external addresses")
        tests = f"{amounts.count(each.tests, 'test')} from {words.instant(each.first, zone)} on"
        yield f"Provider   {words.harmless(each.isp)}{tunnel}: {tests}, {addresses}"


def _slots(summary: Summary) -> str:
    slots = summary.slots
    if not slots.due:
        return "none: no row has a slot, so the uptime is unknown"
    up = "unknown" if summary.uptime_percent is None else amounts.share(summary.uptime_percent)
    return (
        f"{slots.due:,}: {slots.ok:,} successful, {slots.failed:,} failed, {slots.skipped:,} skipped, "
        f"{slots.not_measured:,} not measured; uptime {up}"
    )


def _watch(watch: Watched) -> str:
    """Return what the watch saw, in one line."""
    up = "unknown" if watch.availability_percent is None else amounts.availability(watch.availability_percent)
    loss = amounts.percent(100 * watch.probes_lost / watch.probes_sent) if watch.probes_sent else "not measured"
    return (
        f"{amounts.duration(watch.watched_seconds)} watched, availability {up}; "
        f"{amounts.count(watch.outages_in_all, 'outage')} of {amounts.duration(watch.outage_seconds)} in all; "
        f"probes lost {loss}"
    )


def _spread(of: Estimate, unit: str) -> str:
    return f"{amounts.amount(of.median):>8} {unit} median ({knowledge.known(of)}), {knowledge.range_of(of)}"


def _loss(of: Spread) -> str:
    most = f"{amounts.amount(of.most)} % at most"
    return f"{amounts.amount(of.median):>8} % median, {most}, of {amounts.count(of.tests, 'test')}"
