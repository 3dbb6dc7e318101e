"""Local times of the line as instants. The zone is that of the C library, which `TZ` sets, as in `daemon.schedule`."""

import time
from datetime import UTC, date, datetime, timedelta


def instant(day: date, clock: str) -> datetime:
    """Return the instant of a local day at which the clock on the wall shows `HH:MM`; of two, the first."""
    hour, minute = map(int, clock.split(":"))
    at = time.mktime((day.year, day.month, day.day, hour, minute, 0, 0, 0, -1))
    return datetime.fromtimestamp(at, UTC)


def day_of(when: datetime) -> date:
    """Return the local day of an instant."""
    local = time.localtime(when.timestamp())
    return date(local.tm_year, local.tm_mon, local.tm_mday)


def clock_of(when: datetime) -> tuple[int, int]:
    """Return what the clock on the wall shows at an instant: hour and minute."""
    local = time.localtime(when.timestamp())
    return local.tm_hour, local.tm_min


def shown(when: datetime) -> str:
    """Return an instant as local day and time, with the difference to UTC."""
    return time.strftime("%a %Y-%m-%d %H:%M %z", time.localtime(when.timestamp()))


def next_day(day: date, days: int = 1) -> date:
    """Return the day so many days later."""
    return day + timedelta(days=days)
