"""Read the period of a query: its start and end, each as a time or as how long ago.

`2026-01-31`, `2026-01-31T12:00`, `2026-01-31T12:00+01:00`: ISO 8601. Without a zone it is UTC, like paths and days.
`24h`, `7d`, `4w`, `1y`: this many hours, days, weeks or years (of 365 days) ago.
"""

import re
from datetime import UTC, datetime, timedelta

EXAMPLES = "2026-01-31, 2026-01-31T12:00+01:00, or how long ago: 24h, 7d, 4w, 1y"

_AGO = re.compile(r"([0-9]{1,7})([hdwy])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


class Unclear(ValueError):
    """Text that is not a time, or a period without length. The message says what is allowed."""


def instant(text: str, now: datetime) -> datetime:
    """Return the time that the text means at `now`, in UTC. Raises Unclear if it means none."""
    try:
        if ago := _AGO.fullmatch(text):
            return now.astimezone(UTC) - int(ago[1]) * _UNITS[ago[2]]
        named = datetime.fromisoformat(text)
        return named.replace(tzinfo=UTC) if named.tzinfo is None else named.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unclear(f"{text[:100]!r} is not a time: write {EXAMPLES}") from None


def period(since: str | None, until: str | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the start (included) and the end (not included) of a period in UTC; None means no limit.

    Raises Unclear for text that is not a time, and for an end that is not after the start.
    """
    first = instant(since, now) if since else None
    last = instant(until, now) if until else None
    if first and last and last <= first:
        raise Unclear(f"the period from {since} to {until} is empty: the end must be after the start")
    return first, last
