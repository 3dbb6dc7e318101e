"""What the page is asked: a line and a period, and how long an answer stays valid."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from speedtest.values import period

FRESH_SECONDS = 60
"""A summary is not computed again within this time."""
STALE_SECONDS = 600
"""After this time a summary is computed again even without new rows, because its period has moved."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Query(msgspec.Struct, frozen=True):
    """A line and a period, as `values.period` reads it. Defaults: since its first row, until now."""

    location: str
    since: str | None = None
    until: str | None = None
    isp: str | None = None
    marked: bool = False
    """Whether marked tests are held against the plan too (see `figures.quality`)."""
    zone: str = "UTC"
    """That of days and times without a zone. `Queries` sets it to that of the line."""


def settled(asked: Query, begun: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the start and the end, within the time from the first row to now. Raises Unclear."""
    first, last = period.period(asked.since, asked.until, now, ZoneInfo(asked.zone))
    until = min(last or now, now)
    if first and first >= now:
        raise period.Unclear(f"{asked.since} is in the future: choose a start before now")
    since = max(first or begun or _EPOCH, begun or _EPOCH)
    return min(since, until), until


def is_fresh(when: datetime, now: datetime, *, same: bool) -> bool:
    """Return whether an answer of this age still holds. `same`: there are no new rows."""
    age = (now - when).total_seconds()
    return age < (STALE_SECONDS if same else FRESH_SECONDS)
