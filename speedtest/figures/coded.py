"""Long columns in little memory, 4 bytes a row."""

from array import array
from collections.abc import Iterable

import numpy as np

_PARTS = 125_000
"""In one Mbit/s these are bytes a second, which programs count; a thousandth of a ms, as programs print it, is 125."""
_NONE = 2**32 - 1


class Coded[Value]:
    """A column of few different values. Each row has in `codes` the place of its value in `values`."""

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


class Numbers:
    """A column of numbers, each exact. They take 4 bytes while all are whole numbers of 1 ÷ 125,000, else 8."""

    def __init__(self) -> None:
        """Start without rows."""
        self._whole = array("I")
        self._exact: array[float] | None = None

    def extend(self, numbers: np.ndarray) -> None:
        """Add the numbers of further rows, NaN where there is none."""
        if self._exact is None:
            is_none = np.isnan(numbers)
            if (is_none | ((numbers >= 0) & (numbers < _NONE / _PARTS))).all():
                codes = np.where(is_none, _NONE, np.rint(numbers * _PARTS)).astype(np.uint32)
                if np.array_equal(_decoded(codes), numbers, equal_nan=True):
                    self._whole.frombytes(codes.tobytes())
                    return
            self._exact, self._whole = array("d", self.at(slice(None)).tobytes()), array("I")
        self._exact.frombytes(numbers.tobytes())

    def at(self, places: slice | np.ndarray) -> np.ndarray:
        """Return the numbers of these rows."""
        return _decoded(np.asarray(self._whole)[places]) if self._exact is None else np.asarray(self._exact)[places]


def _decoded(codes: np.ndarray) -> np.ndarray:
    numbers = codes / _PARTS
    numbers[codes == _NONE] = np.nan
    return numbers
