"""Whether intervals hold the truth as often as they say: lines are simulated whose truth is known.

`python -m tests.benchmarks statistics [--runs N]` simulates each line 10,000 times (some minutes) and prints a
table. It ends with exit code 1 if an interval that is promised 95 % holds the truth in less than 93 or more than 97 %
of the runs, or if two equal periods are told apart in more than 5 %.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from speedtest.figures import intervals
from tests.benchmarks.report import grid

LEAST, MOST, ALARMS = 0.93, 0.97, 0.05
RUNS = 10_000
_AT_ONCE = 100
_MEDIAN_MBPS = 250.0
_NOISE = 0.05
_RHO = 0.6
_TESTS_A_DAY = 12
_TRUTH_TESTS = 600_000


class Simulated(NamedTuple):
    """A line: how its tests deviate from its daily curve."""

    words: str
    deviations: Callable[[np.random.Generator, int, int], np.ndarray]
    """Return for each run a row of numbers, one a test, with a standard deviation of 1."""
    promised: bool = True
    """Whether coverage and false alarms must be within their limits."""


def chained(chance: np.random.Generator, runs: int, steps: int) -> np.ndarray:
    """Return chains of numbers, each of which has a correlation of 0.6 with the one before."""
    fresh = chance.standard_normal((steps, runs))
    fresh[1:] *= (1 - _RHO**2) ** 0.5
    for step in range(1, steps):
        fresh[step] += _RHO * fresh[step - 1]
    return fresh.T


def independent(chance: np.random.Generator, runs: int, days: int) -> np.ndarray:
    """Every test is a draw of its own."""
    return chance.standard_normal((runs, days * _TESTS_A_DAY))


def of_tests(chance: np.random.Generator, runs: int, days: int) -> np.ndarray:
    """Each test is like the one before: a quarter of them count."""
    return chained(chance, runs, days * _TESTS_A_DAY)


def of_days(chance: np.random.Generator, runs: int, days: int) -> np.ndarray:
    """Half of the variance is that of whole days, which are independent; within them tests are correlated."""
    whole = np.repeat(chance.standard_normal((runs, days)), _TESTS_A_DAY, axis=1)
    return (whole + of_tests(chance, runs, days)) / 2**0.5


def of_neighbours(chance: np.random.Generator, runs: int, days: int) -> np.ndarray:
    """The same, and each day is like the one before."""
    whole = np.repeat(chained(chance, runs, days), _TESTS_A_DAY, axis=1)
    return (whole + of_tests(chance, runs, days)) / 2**0.5


LINES = (
    Simulated("tests independent", independent),
    Simulated("correlation 0.6 from test to test", of_tests),
    Simulated("and slow and fast days", of_days),
    Simulated("and 0.6 from day to day", of_neighbours, promised=False),
)
DAYS = (6, 14, 30, 365)


def speeds(deviations: np.ndarray) -> np.ndarray:
    """Return speeds: slower in the evening, skewed to slow ones, around a daily curve."""
    hours = np.arange(deviations.shape[1]) % _TESTS_A_DAY * (24 / _TESTS_A_DAY)
    curve = 1 - 0.25 * np.exp(-(((hours - 20.5) / 2.6) ** 2))
    return _MEDIAN_MBPS * curve * (2 - np.exp(_NOISE * deviations))


def truth() -> float:
    """Return the median of all tests that such a line could ever make. It is the same for each of `LINES`."""
    quantiles = (np.arange(_TRUTH_TESTS // _TESTS_A_DAY) + 0.5) / (_TRUTH_TESTS // _TESTS_A_DAY)
    normal = np.array([intervals.NormalDist().inv_cdf(each) for each in quantiles])
    return float(np.median(speeds(np.repeat(normal, _TESTS_A_DAY)[None, :])))


class Found(NamedTuple):
    """What came of a line's runs over so many days."""

    line: Simulated
    days: int
    coverage: float
    alarms: float
    half_width: float
    """Of the interval of the median, as a part of it: the mean."""

    @property
    def is_wrong(self) -> bool:
        return self.line.promised and not (LEAST <= self.coverage <= MOST and self.alarms <= ALARMS)


def runs(line: Simulated, days: int, count: int, true: float) -> Found:
    """Simulate a line so many times, in pairs of periods that are equal."""
    chance = np.random.default_rng(days)
    seconds = np.arange(days * _TESTS_A_DAY) * (86_400 // _TESTS_A_DAY)
    covered = alarms = pairs = 0
    width, before = 0.0, None
    for numbers in _batches(line, chance, days, count):
        sample = intervals.sample(numbers, seconds)
        interval = intervals.of_quantile(sample, 0.5)
        drawn = intervals.quantile_drawn(sample, 0.5)
        if interval is None or drawn is None:
            raise ValueError(f"{days} days have no interval")
        covered += interval.low <= true <= interval.high
        width += (interval.high - interval.low) / 2 / true
        if before:
            apart = intervals.difference(before, drawn)
            alarms, pairs, before = alarms + (not apart.low <= 0 <= apart.high), pairs + 1, None
        else:
            before = drawn
    return Found(line, days, covered / count, alarms / max(pairs, 1), width / count)


def _batches(line: Simulated, chance: np.random.Generator, days: int, count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, _AT_ONCE):
        yield from speeds(line.deviations(chance, min(_AT_ONCE, count - start), days))


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def main(arguments: Sequence[str]) -> None:
    """Simulate all lines and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks statistics", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how often each line is simulated ({RUNS})")
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # pyrefly: ignore[missing-attribute]
    true = truth()
    found = []
    for line in LINES:
        for days in DAYS:
            found.append(runs(line, days, options.runs, true))
            sys.stdout.write(f"{line.words}, {days} days: {found[-1].coverage:.3f} {found[-1].alarms:.3f}\n")
    table = [[each.line.words, each.days, *map(_percent, each[2:])] for each in found]
    sys.stdout.write("\n" + grid(["line", "days", "holds the truth", "false alarms", "± of the median"], table))
    if wrong := [each for each in found if each.is_wrong]:
        sys.exit(f"{len(wrong)} of {len(found)} are outside of their limits")
