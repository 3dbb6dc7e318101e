"""A long column of few different values: each value is in memory once, and each row takes 4 bytes."""

from array import array
from collections.abc import Iterable


class Coded[Value]:
    """The values in the order in which they came, as `codes`: the places of each in `values`."""

    def __init__(self) -> None:
        """Start without rows."""
        self.codes = array("I")
        self._numbers: dict[Value, int] = {}

    def extend(self, values: Iterable[Value]) -> None:
        """Add the values of further rows."""
        numbers = self._numbers
        self.codes.extend(numbers.setdefault(value, len(numbers)) for value in values)

    def values(self) -> list[Value]:
        """Return the different values."""
        return list(self._numbers)
