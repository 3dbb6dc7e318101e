"""Which days a view spans: not those far from all others, which a wrong clock makes.

A day is far if no test could be made on it (before speed-test programs existed, or after tomorrow), or if it is one of
at most two days at an end that are more than a year from all others, while the others are ten times as many. Far rows
stay in the lake and in exports; views count them apart.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

_FIRST = date(2006, 1, 1)
"""Speedtest.net, the oldest of the services, began in 2006."""
_GAP = timedelta(days=366)
_MOST_FAR_DAYS = 2
_TIMES_AS_MANY = 10


def tomorrow() -> date:
    """Return the last day that a row can have: clocks may be a little early."""
    return datetime.now(UTC).date() + timedelta(days=1)


def near(days: Sequence[date]) -> list[date]:
    """Return the days without the far ones, or all if every day is far. `days` must be in order."""
    possible = [day for day in days if _FIRST <= day <= tomorrow()] or list(days)
    groups = _groups(possible)
    while len(groups) > 1 and _is_far(groups[0], groups):
        groups = groups[1:]
    while len(groups) > 1 and _is_far(groups[-1], groups):
        groups = groups[:-1]
    return [day for group in groups for day in group]


def _groups(days: Sequence[date]) -> list[list[date]]:
    groups: list[list[date]] = []
    for day in days:
        if groups and day - groups[-1][-1] <= _GAP:
            groups[-1].append(day)
        else:
            groups.append([day])
    return groups


def _is_far(group: list[date], groups: list[list[date]]) -> bool:
    others = sum(map(len, groups)) - len(group)
    return len(group) <= _MOST_FAR_DAYS and others >= _TIMES_AS_MANY * len(group)
