"""The zone of a line, by which a day or a time without a zone is read (`values.period`)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from speedtest.figures import calendar, state
from speedtest.figures.rows import Rows
from speedtest.values import period


def of(rows: Rows, locations: Sequence[str], now: datetime) -> ZoneInfo:
    """Return the zone of the newest row, if there is one location: the named one, or the only one that has rows.

    Of several locations, or without rows, it is the zone of a row without one: `TZ`, else this machine's. Raises the
    errors of `Rows.of`.
    """
    names = sorted({*locations}) or rows.locations()
    return calendar.zone_of(state.newest(rows, names[0], now)) if len(names) == 1 else calendar.zone(None)


def between(
    rows: Rows, locations: Sequence[str], since: str | None, until: str | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the period that these texts mean, as `period.period` does. The zone is looked for only if it matters.

    Raises Unclear, and the errors of `Rows.of`.
    """
    zone = of(rows, locations, now) if period.is_local(since, until) else UTC
    return period.period(since, until, now, zone)
