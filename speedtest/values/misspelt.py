"""Find the known name that somebody meant when they misspelt one."""

from collections.abc import Iterable, Sequence

_SHORT = 6
"""Names shorter than this are near to too many others: only one edit away counts."""


def misspelt(given: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """Return the given names that are one or two edits away from a known one, each with the nearest of those.

    Upper and lower case count as one edit together.
    """
    found: dict[str, str] = {}
    for name in given:
        near = [each for each in known if each[:1] == name[:1].upper() and _is_near(name, each)]
        if near:
            found[name] = nearest(name.upper(), near)
    return found


def _is_near(name: str, known: str) -> bool:
    most = 1 if len(known) < _SHORT else 2
    if abs(len(name) - len(known)) > most or len(name) <= most:
        return False
    case = 0 if name == name.upper() else 1
    return edits(name.upper(), known) + case <= most


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known name with the fewest edits to this one."""
    return min(known, key=lambda other: edits(name, other))


def edits(one: str, other: str) -> int:
    """Return how many characters must be added, removed, replaced or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and (a, b) == (other[j - 2], one[i - 2]):
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
