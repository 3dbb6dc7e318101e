"""The spread of numbers, and how well it is known, as `figures.types` has them. A number that is NaN counts as none."""

import numpy as np

from speedtest.figures import grades, intervals
from speedtest.figures.types import Bufferbloat, Estimate, Kept, Spread

PLAN_REACHED = 0.9
"""A test reaches the plan if it measures at least this part of it."""
_LOW, _MIDDLE, _HIGH = 0.1, 0.5, 0.9


def spread(numbers: np.ndarray) -> Spread | None:
    """Return the spread of numbers, None if there is none."""
    there = _there(numbers)
    if not there.size:
        return None
    low, median, high = np.quantile(there, [_LOW, _MIDDLE, _HIGH], overwrite_input=True).tolist()
    return Spread(len(there), median, low, high, float(there.min()), float(there.max()))


def median(numbers: np.ndarray) -> float | None:
    """Return the median of numbers, None if there is none."""
    there = _there(numbers)
    return float(np.median(there, overwrite_input=True)) if there.size else None


def mean(numbers: np.ndarray) -> float | None:
    """Return the mean of numbers, None if there is none."""
    there = _there(numbers)
    return float(there.mean()) if there.size else None


def estimate(numbers: np.ndarray, seconds: np.ndarray) -> Estimate | None:
    """Return the spread of numbers and how well it is known, None if there is none.

    `seconds`: when each was measured, since 1970.
    """
    found = sample(numbers, seconds)
    return of_sample(found) if found else None


def sample(numbers: np.ndarray, seconds: np.ndarray) -> intervals.ByDay | None:
    """Return the numbers with their days, None if there is none."""
    is_there = ~np.isnan(numbers)
    return intervals.sample(numbers[is_there], seconds[is_there]) if is_there.any() else None


def kept(numbers: np.ndarray, seconds: np.ndarray, plan_mbps: float, left_out: int) -> Kept | None:
    """Return how often speeds reached the plan, None if there is none. `left_out`: tests that are not among them."""
    found = sample(numbers, seconds)
    if found is None:
        return None
    reached = found.unsorted >= PLAN_REACHED * plan_mbps
    share = 100 * int(np.count_nonzero(reached)) / len(reached)
    return Kept(plan_mbps, share, intervals.of_share(reached, found), of_sample(found), left_out)


def bufferbloat(idle: np.ndarray, down: np.ndarray, up: np.ndarray, seconds: np.ndarray) -> Bufferbloat | None:
    """Return the bufferbloat of tests from their latencies, None if no test measured all three."""
    increase = (np.maximum(down - idle, 0) + np.maximum(up - idle, 0)) / 2
    found = estimate(increase, seconds)
    return Bufferbloat(found, grades.bufferbloat(found.median)) if found else None


def of_sample(of: intervals.ByDay) -> Estimate:
    """Return the spread of a sample, and how well it is known."""
    tests = len(of.numbers)
    interval = intervals.of_quantile(of, _MIDDLE)
    is_few = not intervals.are_enough(tests, _MIDDLE)
    low, middle, high = (intervals.quantile(of.numbers, part) for part in (_LOW, _MIDDLE, _HIGH))
    return Estimate(
        tests,
        middle,
        low,
        high,
        float(of.numbers[0]),
        float(of.numbers[-1]),
        of.days,
        interval,
        None if interval else "tests" if is_few else "days",
        not intervals.are_enough(tests, _LOW),
    )


def _there(numbers: np.ndarray) -> np.ndarray:
    return numbers[~np.isnan(numbers)]
