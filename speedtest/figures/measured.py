"""What one engine measured, from rows that come piece by piece.

Medians and deciles are exact, so every measured number is kept, in 4 or 8 bytes (see `figures.coded`), and a test's
hour and server in 5. The figures of a bin are computed as soon as no more of its tests can come.
"""

import math
from array import array
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from speedtest.figures import calendar
from speedtest.figures.coded import Coded, Numbers
from speedtest.figures.types import Bin, EngineFigures, Hour, Kept, Plan, ServerFigures, Spread

MOST_SERVERS = 20
PLAN_REACHED = 0.9
"""A test reaches the plan if it measures at least this part of it."""
_LATE_SECONDS = 2 * 86400
"""Bins of days are days of a wall clock, which is never a whole day from UTC."""
_MEASURED = (
    "download_mbps",
    "upload_mbps",
    "latency_ms",
    "jitter_ms",
    "packet_loss_percent",
    "download_latency_ms",
    "upload_latency_ms",
)


class _Medians(NamedTuple):
    """The medians of some tests, and how many these are."""

    tests: int
    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None


class EngineTally:
    """The tests of one engine so far."""

    def __init__(self, name: str, width: int) -> None:
        """Start without tests. `width`: that of a bin, in seconds."""
        self._name = name
        self._tests = self._good = 0
        self._width = width
        self._versions: set[str] = set()
        self._numbers = {quantity: Numbers() for quantity in _MEASURED}
        self._hours = array("B")
        self._left_out = array("B")
        """1 for a successful test that is not held against the plan."""
        self._servers = Coded[tuple[str, str]]()
        """The ID and the name of each test's server; "" if there is none."""
        self._open: list[pd.DataFrame] = []
        """The successful tests in bins that may get more."""
        self._bins: dict[int, partial[Bin]] = {}
        """The figures of the other bins, without their start."""

    def add(self, tests: pd.DataFrame, bins: pd.Series, left_out: pd.Series) -> None:
        """Add tests that are newer than all before. `bins`: see `calendar.bins`; `left_out`: see `figures.quality`."""
        good = tests[tests["status"] == "ok"]
        self._tests += len(tests)
        self._good += len(good)
        self._versions.update(map(str, tests["engine_version"].dropna().unique()))
        for quantity, numbers in self._numbers.items():
            numbers.extend(good[quantity].to_numpy(dtype=float))
        self._left_out.extend(left_out[good.index].tolist())
        self._hours.extend(calendar.hours_of_week(good))
        self._servers.extend(zip(good["server_id"].fillna(""), good["server_name"].fillna(""), strict=True))
        self._open.append(good[list(_MEASURED)].assign(bin=bins[good.index]))
        self._close(tests["timestamp"].iloc[-1].timestamp() - _LATE_SECONDS)

    def figures(self, plan: Plan, zone: ZoneInfo) -> EngineFigures:
        """Return the figures of all tests. `zone`: where bins of days begin at midnight."""
        self._close(math.inf)
        spreads = {quantity: _spread(self._all(quantity)) for quantity in _MEASURED}
        return EngineFigures(
            name=self._name,
            versions=sorted(self._versions)[:MOST_SERVERS],
            tests=self._tests,
            failed=self._tests - self._good,
            download=spreads["download_mbps"],
            upload=spreads["upload_mbps"],
            latency=spreads["latency_ms"],
            jitter=spreads["jitter_ms"],
            download_latency=spreads["download_latency_ms"],
            upload_latency=spreads["upload_latency_ms"],
            loss=spreads["packet_loss_percent"],
            mean_loss_percent=_mean(self._all("packet_loss_percent")),
            plan_download=self._kept("download_mbps", plan.download_mbps),
            plan_upload=self._kept("upload_mbps", plan.upload_mbps),
            bins=[self._bins[each](start=calendar.start(each, self._width, zone)) for each in sorted(self._bins)],
            hours=[Hour(None, hour, *medians) for hour, medians in self._by(np.asarray(self._hours) % 24, range(24))],
            week=[
                Hour(hour // 24, hour % 24, *medians)
                for hour, medians in self._by(np.asarray(self._hours), range(7 * 24))
            ],
            servers=list(self._most_used()),
        )

    def _all(self, quantity: str) -> np.ndarray:
        """Return what every successful test measured, NaN if it did not."""
        return self._numbers[quantity].at(slice(None))

    def _kept(self, quantity: str, plan_mbps: float | None) -> Kept | None:
        left_out = np.asarray(self._left_out).astype(bool)
        numbers = self._all(quantity)[~left_out]
        spread = _spread(numbers)
        if plan_mbps is None or spread is None:
            return None
        reached = int(np.count_nonzero(numbers >= PLAN_REACHED * plan_mbps))
        return Kept(plan_mbps, 100 * reached / spread.tests, spread, int(left_out.sum()))

    def _close(self, before: float) -> None:
        """Compute the figures of the bins that end before this time, in seconds since 1970."""
        tests = pd.concat(self._open)
        bins = tests["bin"]
        self._open = [tests[bins + self._width > before]]
        for number in bins[bins + self._width <= before].unique().tolist():
            members = tests[bins == number]
            numbers = {quantity: members[quantity].to_numpy() for quantity in _MEASURED}
            self._bins[number] = partial(
                Bin,
                tests=len(members),
                download=_spread(numbers["download_mbps"]),
                upload=_spread(numbers["upload_mbps"]),
                latency_ms=_median(numbers["latency_ms"]),
                download_latency_ms=_median(numbers["download_latency_ms"]),
                upload_latency_ms=_median(numbers["upload_latency_ms"]),
                packet_loss_percent=_mean(numbers["packet_loss_percent"]),
            )

    def _by(self, keys: np.ndarray, wanted: Iterable[int]) -> Iterator[tuple[int, _Medians]]:
        """Yield each of these keys that a successful test has, with the medians of the tests that have it."""
        for key in wanted:
            places = np.flatnonzero(keys == key)
            if places.size:
                medians = (_median(self._numbers[quantity].at(places)) for quantity in _Medians._fields[1:])
                yield key, _Medians(places.size, *medians)

    def _most_used(self) -> Iterator[ServerFigures]:
        servers, codes = self._servers.values(), np.asarray(self._servers.codes)
        used = np.bincount(codes)
        most = sorted(range(len(servers)), key=lambda number: (-used[number], servers[number]))[:MOST_SERVERS]
        for number, medians in self._by(codes, most):
            id_, name = servers[number]
            yield ServerFigures(id_ or None, name or None, *medians)


def _there(numbers: np.ndarray) -> np.ndarray:
    return numbers[~np.isnan(numbers)]


def _spread(numbers: np.ndarray) -> Spread | None:
    there = _there(numbers)
    if not there.size:
        return None
    low, median, high = np.quantile(there, [0.1, 0.5, 0.9], overwrite_input=True).tolist()
    return Spread(len(there), median, low, high, float(there.min()), float(there.max()))


def _median(numbers: np.ndarray) -> float | None:
    there = _there(numbers)
    return float(np.median(there, overwrite_input=True)) if there.size else None


def _mean(numbers: np.ndarray) -> float | None:
    there = _there(numbers)
    return float(there.mean()) if there.size else None
