"""What a digest says: the first sentences of the report, and six figures."""

from datetime import datetime

from speedtest.alerts.conditions import Words
from speedtest.data.partitions import Folders
from speedtest.environment import Settings
from speedtest.figures import questions
from speedtest.figures.rows import Rows
from speedtest.figures.types import EngineFigures, Plan, Summary
from speedtest.report import render, sentences
from speedtest.values import amounts, names


def of(settings: Settings, since: datetime, until: datetime, days: int) -> tuple[Words, str | None]:
    """Return the words of a digest, and the report as one HTML file; None if there are no rows.

    Raises the errors of `Rows.of`.
    """
    location = settings.speedtest_location_uuid
    rows = Rows(Folders(settings.result_dir, settings.upload_dir))
    plan = Plan(settings.plan_download_mbps, settings.plan_upload_mbps, names.split(settings.expect_isp))
    asked = list(questions.questions(rows, since, until, [location]))
    period = f"{since:%a %d %b %Y}" if days == 1 else f"summary of the week from {since:%a %d %b %Y}"
    found = questions.with_evidence(rows, asked, plan)
    if not found or not found[0][0].rows:
        return Words(f"{location}: nothing was measured, {period}", f"{location} has no rows for this time."), None
    summary = found[0][0]
    subject = f"{location}: {period}"
    return Words(subject, sentences.lead(summary), (*_facts(summary),)), render.html(found, since, until, plan)


def _facts(summary: Summary) -> list[tuple[str, str]]:
    """Return the six figures: download, upload, latency, availability, outages, failed tests."""
    best = next((engine for engine in summary.engines if engine.download or engine.upload), None)
    failed = f"{summary.failed:,} of {amounts.count(summary.tests, 'test')} failed"
    return [
        ("Download", _median(best, "download", "Mbit/s")),
        ("Upload", _median(best, "upload", "Mbit/s")),
        ("Latency", _median(best, "latency", "ms")),
        ("Availability", amounts.availability(summary.availability_percent)),
        ("Outages", "unknown" if summary.outages_in_all is None else f"{summary.outages_in_all:,}"),
        ("Tests", failed),
    ]


def _median(engine: EngineFigures | None, name: str, unit: str) -> str:
    spread = getattr(engine, name, None)
    return f"{amounts.amount(spread.median)} {unit} (median)" if spread else amounts.NONE
