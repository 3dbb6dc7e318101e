"""Read configured numbers."""

import math
from collections.abc import Callable


def number(most: float, *, least: float = 0.0, above_0: bool = False) -> Callable[[str], float]:
    """Return a reader of finite numbers from `least` to `most`. With `above_0`, 0 is not allowed."""

    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and least <= value <= most) or (above_0 and not value):
            raise ValueError(text)
        return value

    return read


def number_or_0(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of 0, which switches off, and of numbers from `least` to `most`."""
    other = number(most, least=least)

    def read(text: str) -> float:
        return number(0)(text) if not any(digit in text for digit in "123456789") else other(text)

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`, in ASCII digits, without a sign."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    return read


def pair(most: float) -> Callable[[str], tuple[float, float]]:
    """Return a reader of two numbers from 0 to `most`, written `50,10`."""
    one = number(most)

    def read(text: str) -> tuple[float, float]:
        first, second = (one(part) for part in text.split(","))
        return first, second

    return read


def some_of(most: int) -> Callable[[str], tuple[int, int]]:
    """Return a reader of two whole numbers from 1 to `most`, written `3,4`. The first is at most the second."""
    one = whole(1, most)

    def read(text: str) -> tuple[int, int]:
        some, of = (one(part.strip()) for part in text.split(","))
        if some > of:
            raise ValueError(text)
        return some, of

    return read


def switch(text: str) -> bool:
    """Read `0` or `1`."""
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"
