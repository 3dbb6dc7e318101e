"""How long to wait after failures in a row: a pause that doubles with each, up to a longest one."""

from datetime import timedelta

_DOUBLINGS = 20
"""So many give the longest pause anywhere; a larger power would overflow."""


def pause(failures: int, shortest: timedelta, longest: timedelta) -> timedelta:
    """Return the pause after so many failures in a row; after none it is that after one."""
    return min(shortest * 2 ** min(max(failures - 1, 0), _DOUBLINGS), longest)
