"""How well a figure is known: 95 % intervals of quantiles and shares, and of the difference of two medians.

Tests of one day: order statistics. Two of the sorted tests enclose the quantile with a probability that follows from
the binomial distribution alone, whatever the tests are distributed like (David and Nagaraja, Order Statistics, 7.1). It
exists from 6 tests for the median, from 11 for quartiles, from 29 for deciles, and from 59 for the 5th and the 95th
percentile. It takes the tests for independent.

Tests of several days are not: a slow evening makes many slow tests. So whole days are drawn, with replacement, and each
draw gives another figure (bootstrap). Their spread is the figure's standard error, and Student's distribution makes it
an interval, because a few days tell little of how days differ. A slow day is often followed by another, so the error
grows with the correlation of neighbours, as that of a mean does. More than `MOST_BLOCKS` days are drawn in blocks of
several days. From two to five days there is no interval. `./bootstrap.sh bench statistics` shows how often these
intervals hold the truth.

The draws are the same each time, so the same tests have the same interval.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from speedtest.figures.types import Interval

CONFIDENCE = 0.95
FEWEST_DAYS = 6
"""Days that an interval over more than one day needs."""
MOST_BLOCKS = 52
DRAWS = 1000
_STACK = 25
_DAY_SECONDS = 86400
_SEED = 20_260_101
_TAIL = (1 - CONFIDENCE) / 2
_FEWEST_FOR_CORRELATION = 8
_MOST_CORRELATION = 0.85
_WINDOW_ERRORS, _WINDOW_STEPS, _COARSE_STEPS = 6.0, 60, 32
_ROUNDING = 1e-12
_DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 60, math.inf)
_STUDENT = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.179,
    2.131,
    2.086,
    2.042,
    2.0003,
    1.96,
)
"""Student's distribution at 97.5 %, by degrees of freedom."""


class ByDay(NamedTuple):
    """Numbers, and the block of days of each."""

    numbers: np.ndarray
    """In ascending order."""
    unsorted: np.ndarray
    blocks: np.ndarray
    """The number of the block of each number of `unsorted`."""
    block_count: int
    days: int


class Drawn(NamedTuple):
    """A figure, and how well the draws know it."""

    value: float
    error: float
    """The standard error."""
    degrees: float
    """Degrees of freedom: how well the error is known."""


def sample(numbers: np.ndarray, seconds: np.ndarray) -> ByDay:
    """Return a sample of these numbers, at least one, none of them NaN. `seconds`: when each was measured, in order.

    Days are stretches of 24 hours, so that a period of a day has one day whenever it begins. They are cut in the middle
    between two tests.
    """
    times = seconds.astype(np.int64)
    apart = int(np.median(np.diff(times))) if len(times) > 1 else 0
    times += min(apart, _DAY_SECONDS) // 2 - times[0]
    times //= _DAY_SECONDS
    day_of = np.concatenate([[0], np.cumsum(times[1:] != times[:-1])])
    days = int(day_of[-1]) + 1
    count = min(days, MOST_BLOCKS)
    return ByDay(np.sort(numbers), numbers, (day_of * count // days).astype(np.uint8), count, days)


def of_quantile(of: ByDay, part: float) -> Interval | None:
    """Return the interval of a quantile (0.5 is the median), None if the tests or the days are too few."""
    if not are_enough(len(of.numbers), part):
        return None
    if of.days > 1:
        drawn = quantile_drawn(of, part)
        return None if drawn is None else _limits(drawn, float(of.numbers[0]), float(of.numbers[-1]))
    first, last = ranks(len(of.numbers), part)
    return Interval(float(of.numbers[first - 1]), float(of.numbers[last - 1]))


def of_share(reached: np.ndarray, of: ByDay) -> Interval | None:
    """Return the interval of a share in percent. `reached`: whether each number of `of.unsorted` counts.

    Within a day it is that of Wilson (1927), from as many tests as the median needs.
    """
    tests = len(reached)
    if not are_enough(tests, 0.5):
        return None
    if of.days <= 1:
        return _wilson(int(np.count_nonzero(reached)), tests)
    if of.days < FEWEST_DAYS:
        return None
    share = float(np.mean(reached))
    hits = np.bincount(of.blocks, weights=reached, minlength=of.block_count)
    sizes = np.bincount(of.blocks, minlength=of.block_count)
    draws = _draws(of.block_count)
    error = _error((draws @ hits / (draws @ sizes)).ravel(), hits - share * sizes)
    return _limits(Drawn(100 * share, 100 * error, of.block_count - 1), 0.0, 100.0)


def quantile_drawn(of: ByDay, part: float) -> Drawn | None:
    """Return a quantile and those of the draws, None if the days are too few."""
    if of.days < FEWEST_DAYS:
        return None
    value = quantile(of.numbers, part)
    over = _over(of, part, value)
    edges = _edges(of, part, over)
    cells = np.searchsorted(edges, of.unsorted)
    cells += of.blocks.astype(np.int64) * len(edges)
    counts = np.bincount(cells, minlength=of.block_count * len(edges))
    up_to = np.cumsum(counts.reshape(of.block_count, len(edges)), axis=1, dtype=np.float32)
    below = np.concatenate(_draws(of.block_count) @ up_to)
    chosen = (below < part * below[:, -1:]).sum(axis=1)
    return Drawn(value, _error(edges[chosen], over), of.block_count - 1)


def difference(before: Drawn, after: Drawn) -> Interval:
    """Return the interval of `after.value - before.value` of two samples that are independent of each other."""
    parts = [(each.error**2, each.degrees) for each in (before, after)]
    whole = sum(variance for variance, _ in parts)
    below = sum(variance**2 / degrees for variance, degrees in parts)
    degrees = whole**2 / below if below else min(before.degrees, after.degrees)  # Welch and Satterthwaite
    return _limits(Drawn(after.value - before.value, math.sqrt(whole), degrees), -math.inf, math.inf)


def quantile(ascending: np.ndarray, part: float) -> float:
    """Return a quantile of sorted numbers, interpolated linearly."""
    place = part * (len(ascending) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ascending) - 1)
    first, second = float(ascending[low]), float(ascending[high])
    return first + (second - first) * (place - low)


def are_enough(tests: int, part: float) -> bool:
    """Return whether the least and the greatest of so many tests enclose a quantile with 95 %."""
    return 1 - part**tests - (1 - part) ** tests >= CONFIDENCE


@lru_cache(maxsize=256)
def ranks(tests: int, part: float) -> tuple[int, int]:
    """Return which two of the sorted tests, counted from 1, enclose a quantile. The tests must be enough.

    Of all pairs that do, it is the closest, and of those the one with the most even tails.
    """
    logs = [
        math.lgamma(tests + 1) - math.lgamma(each + 1) - math.lgamma(tests - each + 1)
        + each * math.log(part) + (tests - each) * math.log1p(-part)
        for each in range(tests + 1)
    ]  # fmt: skip
    up_to = np.minimum(np.cumsum(np.exp(logs)), 1.0)
    firsts = np.arange(1, tests + 1)
    lasts = np.searchsorted(up_to, up_to[firsts - 1] + CONFIDENCE - _ROUNDING) + 1
    fits = lasts <= tests
    firsts, lasts = firsts[fits], lasts[fits]
    uneven = np.abs(up_to[firsts - 1] - (1 - up_to[lasts - 1]))
    best = np.lexsort((uneven, lasts - firsts))[0]
    return int(firsts[best]), int(lasts[best])


def _limits(drawn: Drawn, least: float, most: float) -> Interval:
    """Return the interval of a figure, within what it can be."""
    half = _student(drawn.degrees) * drawn.error
    return Interval(max(drawn.value - half, least), min(drawn.value + half, most))


def _student(degrees: float) -> float:
    """Return Student's distribution at 97.5 %, between the rows of the table linearly in 1 ÷ degrees."""
    return float(np.interp(1 / degrees, [1 / each for each in reversed(_DEGREES)], list(reversed(_STUDENT))))


def _wilson(hits: int, tests: int) -> Interval:
    z = NormalDist().inv_cdf(1 - _TAIL)
    share, whole = hits / tests, 1 + z**2 / tests
    middle = (share + z**2 / (2 * tests)) / whole
    half = z * math.sqrt(share * (1 - share) / tests + z**2 / (4 * tests**2)) / whole
    return Interval(max(100 * (middle - half), 0.0), min(100 * (middle + half), 100.0))


def _over(of: ByDay, part: float, value: float) -> np.ndarray:
    """Return by how much each block has more numbers below a value than its part."""
    below = np.bincount(of.blocks[of.unsorted <= value], minlength=of.block_count)
    return below - part * np.bincount(of.blocks, minlength=of.block_count)


def _edges(of: ByDay, part: float, over: np.ndarray) -> np.ndarray:
    """Return numbers of the sample between which a draw's quantile is looked for: close ones near the quantile.

    `over`: see `_over`.
    """
    last = len(of.numbers) - 1
    error = math.sqrt(float(np.sum(np.square(over - over.mean())))) / len(of.numbers)
    near = part + np.linspace(-1, 1, 2 * _WINDOW_STEPS + 1) * _WINDOW_ERRORS * max(error, 1 / len(of.numbers))
    parts = np.concatenate([np.linspace(0, 1, _COARSE_STEPS + 1), near])
    return of.numbers[np.unique(np.rint(np.clip(parts, 0, 1) * last).astype(int))]


def _error(draws: np.ndarray, over: np.ndarray) -> float:
    """Return the standard error of a figure, from those of the draws.

    It is larger than their spread because blocks are few, and because neighbours are alike. `over`: see `_over`.
    """
    blocks = len(over)
    spread = float(np.std(draws)) * math.sqrt(blocks / (blocks - 1))
    apart = over - over.mean()
    whole = float(np.sum(np.square(apart)))
    if blocks < _FEWEST_FOR_CORRELATION or not whole:
        return spread
    seen = float(np.sum(apart[1:] * apart[:-1])) / whole
    likely = min(max(seen + 1 / blocks, 0.0), _MOST_CORRELATION)  # of numbers around their own mean it is seen too low
    lags = np.arange(1, blocks)
    return spread * math.sqrt(1 + 2 * float(np.sum((1 - lags / blocks) * likely**lags)))


@lru_cache(maxsize=4)
def _draws(blocks: int) -> np.ndarray:
    """Return how often each draw has each block, in stacks: small products of matrices start no threads."""
    chance = np.random.default_rng(_SEED)
    drawn = chance.multinomial(blocks, np.full(blocks, 1 / blocks), size=DRAWS).astype(np.float32)
    return drawn.reshape(-1, _STACK, blocks)
