"""Local days and hours of instants, by the zone that a row names. This machine's own zone plays no part.

Instants are microseconds since 1970 in UTC, local times microseconds since 1970 by the clock on the wall.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

type Instants = NDArray[np.int64]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_PIECE = 6 * HOUR
"""No zone changes its offset twice within six hours."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_of(name: str) -> ZoneInfo | None:
    """Return the zone of this name, None if this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # a hostile row, or a newer database
        return None


def offsets(instants: Instants, zone: ZoneInfo) -> Instants:
    """Return how far the clock on the wall is ahead of UTC at each instant."""
    pieces, member = np.unique(instants // _PIECE, return_inverse=True)
    starts = _offsets(pieces * _PIECE, zone)
    ends = _offsets((pieces + 1) * _PIECE, zone)
    found = starts[member]
    in_change = (starts != ends)[member]
    if in_change.any():
        found[in_change] = _offsets(instants[in_change], zone)
    return found


def _offsets(instants: Instants, zone: ZoneInfo) -> Instants:
    return np.array([_offset(int(each), zone) for each in instants], np.int64)


def _offset(instant: int, zone: ZoneInfo) -> int:
    try:
        local = at(instant).astimezone(zone)
    except OverflowError:  # the first and the last day of the calendar
        return 0
    return (local.utcoffset() or timedelta()) // timedelta(microseconds=1)


def at(instant: int) -> datetime:
    """Return an instant as a time in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def instant(when: datetime) -> int:
    """Return a time with a zone as an instant."""
    return (when - _EPOCH) // timedelta(microseconds=1)


def day_number(day: date) -> int:
    """Return a local day as the number of days since 1970."""
    return (day - _EPOCH.date()).days


def day(number: int) -> date:
    """Return the local day of a number of days since 1970."""
    return _EPOCH.date() + timedelta(days=number)


def midnight(number: int, zone: ZoneInfo) -> int:
    """Return the instant at which a local day begins."""
    return instant(datetime.combine(day(number), datetime.min.time(), zone))


def written(instant_: int, zone: ZoneInfo) -> str:
    """Return an instant as ISO 8601 in local time with its offset, to the second."""
    return at(instant_).astimezone(zone).isoformat(timespec="seconds")


def written_utc(instant_: int) -> str:
    """Return an instant as ISO 8601 in UTC, to the second."""
    return at(instant_).isoformat(timespec="seconds").replace("+00:00", "Z")
