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

from speedtest.figures import calendar, estimates
from speedtest.figures.coded import Coded, Numbers
from speedtest.figures.types import Bin, EngineFigures, Estimate, Hour, Kept, Plan, ServerFigures

MOST_SERVERS = 20
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
        self._seconds = array("I")
        """When each test was made, in seconds since 1970."""
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
        self._seconds.frombytes(calendar.seconds(good).tobytes())
        self._servers.extend(zip(good["server_id"].fillna(""), good["server_name"].fillna(""), strict=True))
        self._open.append(good[list(_MEASURED)].assign(bin=bins[good.index]))
        self._close(tests["timestamp"].iloc[-1].timestamp() - _LATE_SECONDS)

    def figures(self, plan: Plan, zone: ZoneInfo) -> EngineFigures:
        """Return the figures of all tests. `zone`: where bins of days begin at midnight."""
        self._close(math.inf)
        idle, down, up = (self._all(name) for name in ("latency_ms", "download_latency_ms", "upload_latency_ms"))
        return EngineFigures(
            name=self._name,
            versions=sorted(self._versions)[:MOST_SERVERS],
            tests=self._tests,
            failed=self._tests - self._good,
            download=self._estimate("download_mbps"),
            upload=self._estimate("upload_mbps"),
            latency=self._estimate("latency_ms"),
            jitter=estimates.spread(self._all("jitter_ms")),
            download_latency=self._estimate("download_latency_ms"),
            upload_latency=self._estimate("upload_latency_ms"),
            bufferbloat=estimates.bufferbloat(idle, down, up, np.asarray(self._seconds)),
            loss=estimates.spread(self._all("packet_loss_percent")),
            mean_loss_percent=estimates.mean(self._all("packet_loss_percent")),
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

    def _estimate(self, quantity: str) -> Estimate | None:
        return estimates.estimate(self._all(quantity), np.asarray(self._seconds))

    def _kept(self, quantity: str, plan_mbps: float | None) -> Kept | None:
        if plan_mbps is None:
            return None
        left_out = np.asarray(self._left_out).astype(bool)
        numbers, seconds = self._all(quantity)[~left_out], np.asarray(self._seconds)[~left_out]
        return estimates.kept(numbers, seconds, plan_mbps, int(left_out.sum()))

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
                download=estimates.spread(numbers["download_mbps"]),
                upload=estimates.spread(numbers["upload_mbps"]),
                latency_ms=estimates.median(numbers["latency_ms"]),
                download_latency_ms=estimates.median(numbers["download_latency_ms"]),
                upload_latency_ms=estimates.median(numbers["upload_latency_ms"]),
                packet_loss_percent=estimates.mean(numbers["packet_loss_percent"]),
            )

    def _by(self, keys: np.ndarray, wanted: Iterable[int]) -> Iterator[tuple[int, _Medians]]:
        """Yield each of these keys that a successful test has, with the medians of the tests that have it."""
        for key in wanted:
            places = np.flatnonzero(keys == key)
            if places.size:
                medians = (estimates.median(self._numbers[quantity].at(places)) for quantity in _Medians._fields[1:])
                yield key, _Medians(places.size, *medians)

    def _most_used(self) -> Iterator[ServerFigures]:
        servers, codes = self._servers.values(), np.asarray(self._servers.codes)
        used = np.bincount(codes)
        most = sorted(range(len(servers)), key=lambda number: (-used[number], servers[number]))[:MOST_SERVERS]
        for number, medians in self._by(codes, most):
            id_, name = servers[number]
            yield ServerFigures(id_ or None, name or None, *medians)
