"""The time that a question is about, as a person writes it: an instant, or how long ago.

`2026-01-31`, `2026-01-31T12:00`, `2026-01-31T12:00+01:00`: ISO 8601; without a zone it is UTC, as paths and days are.
`24h`, `7d`, `4w`, `1y`: so many hours, days, weeks or years of 365 days ago.
"""

import re
from datetime import UTC, datetime, timedelta

EXAMPLES = "2026-01-31, 2026-01-31T12:00+01:00, or ago: 24h, 7d, 4w, 1y"

_AGO = re.compile(r"([0-9]{1,7})([hdwy])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


class Unclear(ValueError):
    """A text that names no instant, or a period that is none; the message says what is allowed."""


def instant(text: str, now: datetime) -> datetime:
    """Return the instant in UTC that a text names, seen from `now`. Raises Unclear."""
    try:
        if ago := _AGO.fullmatch(text):
            return now.astimezone(UTC) - int(ago[1]) * _UNITS[ago[2]]
        named = datetime.fromisoformat(text)
        return named.replace(tzinfo=UTC) if named.tzinfo is None else named.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unclear(f"{text[:100]!r} is no instant: write {EXAMPLES}") from None


def period(since: str | None, until: str | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Return the instants from which (included) and to which (not included) rows are asked for; None: no limit.

    Raises Unclear for a text that names no instant, and for an end that is not after the start.
    """
    first = instant(since, now) if since else None
    last = instant(until, now) if until else None
    if first and last and last <= first:
        raise Unclear(f"no time lies between {since} and {until}: the end must be after the start")
    return first, last
