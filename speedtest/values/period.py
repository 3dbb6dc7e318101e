"""Read the period of a query: its start and end, each as a time or as how long ago.

`2026-01-31`, `2026-01-31T12:00`, `2026-01-31T12:00+01:00`: ISO 8601. A day is the instant at which it begins. A day or
a time without a zone is local time of the line, in every command and on the page; the caller says which zone that is
(`figures.zones`). A local time that the clocks skip counts by the offset before the change, as in RFC 5545, so a day
without midnight begins with its first hour; a local time that comes twice is the first of the two.
`24h`, `7d`, `4w`, `1y`: this many hours, days, weeks or years (of 365 days) ago.
"""

import re
from datetime import MINYEAR, UTC, datetime, timedelta, tzinfo

EXAMPLES = (
    "2026-01-31 or 2026-01-31T12:00 (local time of the line), 2026-01-31T12:00+01:00, or how long ago: 24h, 7d, 4w, 1y"
)

_AGO = re.compile(r"([0-9]{1,7})([hdwy])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


class Unclear(ValueError):
    """Text that is not a time, or a period without length. The message says what is allowed."""


def is_local(*texts: str | None) -> bool:
    """Return whether one of these texts is a day or a time without a zone, so that its meaning depends on the line."""
    return any(text and not _AGO.fullmatch(text) and _lacks_zone(text) for text in texts)


def instant(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the time that the text means at `now`, in UTC. Without a zone it is local time in `zone`.

    Raises Unclear if it means none.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now.astimezone(UTC) - int(ago[1]) * _UNITS[ago[2]]
        named = datetime.fromisoformat(text)
        return _at(named, zone) if named.tzinfo is None else named.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unclear(f"{text[:100]!r} is not a time: write {EXAMPLES}") from None


def period(
    since: str | None, until: str | None, now: datetime, zone: tzinfo
) -> tuple[datetime | None, datetime | None]:
    """Return the start (included) and the end (not included) of a period in UTC; None means no limit.

    Raises Unclear for text that is not a time, and for an end that is not after the start.
    """
    first = instant(since, now, zone) if since else None
    last = instant(until, now, zone) if until else None
    if first and last and last <= first:
        raise Unclear(f"the period from {since} to {until} is empty: the end must be after the start")
    return first, last


def _lacks_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _at(local: datetime, zone: tzinfo) -> datetime:
    """Return a local time in UTC, or the end of the calendar if that is within the same day."""
    try:
        return local.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if local.year == MINYEAR else datetime.max.replace(tzinfo=UTC)
