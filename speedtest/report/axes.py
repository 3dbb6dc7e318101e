"""The ticks of an axis: their positions and labels."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import floor, log10
from zoneinfo import ZoneInfo

_STEPS = (1, 2, 2.5, 5, 10)
_HOURS = (1, 2, 3, 6, 12, 24, 48, 96, 168, 336)
_MONTHS = (1, 2, 3, 6, 12, 24, 60)
_HOURS_PER_DAY, _HOURS_PER_MONTH, _MONTHS_PER_YEAR = 24, 730, 12


def numbers(most: float, ticks: int = 4) -> list[float]:
    """Return round numbers from 0 to at least `most`, in about `ticks` steps."""
    if most <= 0:
        return [0, 1]
    rough = most / ticks
    power = 10.0 ** floor(log10(rough))
    step = next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))
    steps = 1
    while steps * step < most * (1 - 1e-9):
        steps += 1
    return [round(number * step, 10) for number in range(steps + 1)]


def label(number: float) -> str:
    """Return the label of a number."""
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"


def instants(since: datetime, until: datetime, zone: ZoneInfo, ticks: int) -> list[tuple[datetime, str]]:
    """Return at most about `ticks` round local times, each with its label."""
    hours = max((until - since).total_seconds() / 3600, 1)
    step = next((step for step in _HOURS if hours / step <= ticks), None)
    if step:
        found = _by_hours(since.astimezone(zone), step)
        form = "%H:%M" if step < _HOURS_PER_DAY else "%d %b"
    else:
        step = next((step for step in _MONTHS if hours / _HOURS_PER_MONTH / step <= ticks), 120)
        found = _by_months(since.astimezone(zone), step)
        form = "%b %Y" if step < _MONTHS_PER_YEAR else "%Y"
    shown: list[tuple[datetime, str]] = []
    for when in found:
        if when > until:
            return shown
        if when >= since:
            shown.append((when, f"{when:{'%d %b' if form == '%H:%M' and not when.hour else form}}"))
    return shown


def _by_hours(first: datetime, step: int) -> Iterator[datetime]:
    """Yield local times that are `step` hours apart, from midnight of the first day on."""
    start = first.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    while True:
        yield start.replace(tzinfo=first.tzinfo)
        start += timedelta(hours=step)


def _by_months(first: datetime, step: int) -> Iterator[datetime]:
    month = (first.year * _MONTHS_PER_YEAR + first.month - 1) // step * step
    while True:
        yield first.replace(
            year=month // _MONTHS_PER_YEAR,
            month=month % _MONTHS_PER_YEAR + 1,
            day=1,
            hour=0,
            minute=0,
            second=0,
            microsecond=0,
        )
        month += step
