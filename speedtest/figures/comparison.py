"""Two periods or two locations beside each other: how far their medians differ, and whether that is more than chance.

Tests that something else may have made slow are left out (see `figures.quality`). Both sides need tests on six days or
more, because only days tell how much days differ (see `figures.intervals`).
"""

from array import array
from collections import Counter

import numpy as np
import pandas as pd

from speedtest.figures import calendar, estimates, intervals
from speedtest.figures.coded import Numbers
from speedtest.figures.intervals import ByDay
from speedtest.figures.quality import QualityTally
from speedtest.figures.rows import Pieces
from speedtest.figures.types import Comparison, Difference, EngineDifferences, Finding, Interval, Plan, Question, Side

QUANTITIES = ("download_mbps", "upload_mbps", "latency_ms", "download_latency_ms", "upload_latency_ms")
MOST_ENGINES = 6
_MIDDLE = 0.5


def compare(this: tuple[Question, Pieces], other: tuple[Question, Pieces], plan: Plan) -> Comparison:
    """Return how the line of the first question differs from that of the other. Raises the errors of `Rows.of`."""
    sides = [_Collected(*each, plan) for each in (this, other)]
    first, second = sides
    both = [name for name, _ in (first.used + second.used).most_common() if first.used[name] and second.used[name]]
    return Comparison(
        first.side(),
        second.side(),
        [
            EngineDifferences(
                name, [_difference(each, first.sample(name, each), second.sample(name, each)) for each in QUANTITIES]
            )
            for name in both[:MOST_ENGINES]
        ],
        sorted({*first.used} ^ {*second.used})[:MOST_ENGINES],
    )


def _difference(quantity: str, this: ByDay | None, other: ByDay | None) -> Difference:
    first, second = (None if each is None else estimates.of_sample(each) for each in (this, other))
    if this is None or other is None:
        return Difference(quantity, first, second, None, None, "cannot-tell")
    drawn, versus = (intervals.quantile_drawn(each, _MIDDLE) for each in (this, other))
    interval = intervals.difference(versus, drawn) if drawn and versus else None
    middle, other_middle = (intervals.quantile(each.numbers, _MIDDLE) for each in (this, other))
    return Difference(quantity, first, second, middle - other_middle, interval, _finding(interval))


def _finding(interval: Interval | None) -> Finding:
    if interval is None:
        return "cannot-tell"
    return "more" if interval.low > 0 else "less" if interval.high < 0 else "no-difference"


class _Measured:
    """The tests of one engine: their numbers, and when they were made (seconds since 1970)."""

    def __init__(self) -> None:
        self.numbers = {quantity: Numbers() for quantity in QUANTITIES}
        self.seconds = array("I")


class _Collected:
    """The tests of one side."""

    def __init__(self, asked: Question, pieces: Pieces, plan: Plan) -> None:
        self._asked = asked
        self._quality = QualityTally(plan.download_mbps, plan.isps, counted=asked.marked)
        self._engines: dict[str, _Measured] = {}
        self.used: Counter[str] = Counter()
        self._left_out = 0
        for rows in pieces:
            self._add(rows[rows["status"] == "ok"])

    def _add(self, good: pd.DataFrame) -> None:
        left_out = self._quality.add(good)
        self._left_out += int(left_out.sum())
        good = good[~left_out]
        self.used.update(map(str, good["engine"].dropna()))
        for name, members in good.groupby("engine", sort=False):
            of = self._engines.setdefault(str(name), _Measured())
            of.seconds.frombytes(calendar.seconds(members).tobytes())
            for quantity, numbers in of.numbers.items():
                numbers.extend(members[quantity].to_numpy(dtype=float))

    def side(self) -> Side:
        asked = self._asked
        return Side(asked.location, asked.since, asked.until, self._quality.quality().tests, self._left_out)

    def sample(self, engine: str, quantity: str) -> ByDay | None:
        of = self._engines[engine]
        return estimates.sample(of.numbers[quantity].at(slice(None)), np.asarray(of.seconds))
