"""Rows for the tests of reports and pages: an hour or a year, with cases put in by hand."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

from samples import HOME, keep, measured

from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.figures.rows import Rows
from speedtest.figures.summary import summarise
from speedtest.figures.types import Plan, Question, Summary
from speedtest.measurement import Measurement

INTERVAL = timedelta(minutes=10)


def good(due: datetime, address: str = HOME, seed: int = 0, **more: object) -> Measurement:
    """Return a successful test of a slot."""
    return _of_slot(measured(due + timedelta(seconds=20), address, seed), due, **more)


def failed(due: datetime, address: str = HOME, words: str = "no route to host", **more: object) -> Measurement:
    """Return a failed test of a slot."""
    row = Measurement(timestamp=due, status="failed", error_kind="exit", error=words, engine="ookla", exit_code=2)
    row.engine_version, row.speedtest_address = "1.2.0.84", address
    return _of_slot(row, due, **more)


def skipped(due: datetime, address: str = HOME, **more: object) -> Measurement:
    """Return the row of a slot without a test."""
    row = Measurement(timestamp=due, status="skipped", error_kind="quiet-hours", error="it is in QUIET_HOURS")
    row.speedtest_address = address
    row = _of_slot(row, due, **more)
    row.attempt = None
    return row


def _of_slot(row: Measurement, due: datetime, **more: object) -> Measurement:
    row.slot, row.attempt, row.started_at = due, 1, due
    row.interval_seconds, row.timezone = INTERVAL.total_seconds(), "Europe/Berlin"
    for name, value in more.items():
        setattr(row, name, value)
    return row


def folders(folder: Path, rows: Iterable[Measurement], converted_before: date | None = None) -> Folders:
    """Save rows in a folder, and convert those of the days before `converted_before`."""
    lake = Folders(folder / "results", folder / "uploads")
    keep(list(rows), lake.result_dir)
    if converted_before:
        assert not convert(lake, HOME, converted_before)
    return Folders(lake.result_dir, lake.upload_dir)


def summary(
    where: Folders, since: datetime, until: datetime, plan: Plan | None = None, *, known_before: bool = False
) -> Summary:
    """Summarise the rows of the location `home`."""
    asked = Question(HOME, since, until, known_before)
    return summarise(Rows(where).pieces(since, until, HOME), asked, plan or Plan())
