"""Write a row so that a person finds it again: local time with its offset, UTC, value, server, and its folder."""

import math
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from speedtest.data import partitions
from speedtest.verdicts import local_time
from speedtest.verdicts.rows import NEVER, LineRows
from speedtest.verdicts.types import CampaignRow, DecidingRow, ExcludedRow

_UTC = ZoneInfo("UTC")


def deciding(rows: LineRows, row: int, value: float | None, threshold: float | None) -> DecidingRow:
    """Return a row that decides a rule, with the value that was compared."""
    return DecidingRow(
        started_at=local(rows, row),
        utc=local_time.written_utc(int(rows.start[row])),
        status="ok" if rows.status.at(row) == "ok" else "failed",
        value=value,
        threshold=threshold,
        server=rows.server(row),
        folder=folder(rows, row),
        error=rows.value("error", row),
    )


def campaign(rows: LineRows, row: int) -> CampaignRow:
    """Return a test of a sample."""
    return CampaignRow(
        started_at=local(rows, row),
        utc=local_time.written_utc(int(rows.start[row])),
        slot=local_time.written_utc(int(rows.slot[row])) if rows.slot[row] != NEVER else None,
        status="ok" if rows.status.at(row) == "ok" else "failed",
        download_mbps=_number(rows.download[row]),
        upload_mbps=_number(rows.upload[row]),
        latency_ms=_number(rows.latency[row]),
        server=rows.server(row),
        link=rows.link.at(row),
        isp=rows.isp.at(row),
        folder=folder(rows, row),
    )


def excluded(rows: LineRows, row: int, reason: str) -> ExcludedRow:
    """Return a row that does not count, and why."""
    return ExcludedRow(
        started_at=local(rows, row),
        utc=local_time.written_utc(int(rows.start[row])),
        reason=reason,
        download_mbps=_number(rows.download[row]),
        upload_mbps=_number(rows.upload[row]),
        error_kind=rows.error_kind.at(row),
        error=rows.value("error", row),
        folder=folder(rows, row),
    )


def local(rows: LineRows, row: int) -> str:
    """Return the local start of a row; in UTC if its zone is not known."""
    return local_time.written(int(rows.start[row]), zone(rows, row))


def zone(rows: LineRows, row: int) -> ZoneInfo:
    """Return the zone of a row; UTC if it is not known."""
    name = rows.zone.at(row)
    return (local_time.zone_of(name) if name else None) or _UTC


def folder(rows: LineRows, row: int) -> str:
    """Return the folder of the row's day below UPLOAD_DIR, where it lies, or will lie, as Parquet."""
    when: datetime = rows.value("timestamp", row)
    return _folder(rows.value("speedtest_address", row) or "", when.date())


@cache
def _folder(location: str, day: date) -> str:
    return partitions.day_folder(partitions.location_folder(Path(), location), day).as_posix()


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
