"""Round trips of the smallest request on a warm connection of its own, idle and under load.

A round trip ends when the head of the answer is here. The time that the server says it took itself
(`Server-Timing: cfRequestDuration;dur=MS`) is not the line's, so it is taken off.

`jitter` is the mean difference of one round trip to the next. RFC 3550 smooths differences of one-way times, which
nobody can measure over HTTP; the two are not comparable.
"""

import itertools
import re
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from speedtest.http_test.dialects import Dialect
from speedtest.http_test.trouble import Trouble
from speedtest.http_test.wire import Cut, Wire

IDLE_TRIPS = 20
IDLE_PAUSE_SECONDS = 0.02
LOADED_PAUSE_SECONDS = 0.1
_PERCENTILE = 0.95
_SERVER_TOOK = re.compile(r"cfRequestDuration;dur=([0-9.]{1,12})")


class RoundTrips(NamedTuple):
    """The round trips of one phase, in ms."""

    median: float
    p95: float
    jitter: float | None
    count: int


def summarised(trips: Sequence[float]) -> RoundTrips:
    """Return the figures of these round trips, given in ms in order. There must be one."""
    ordered = sorted(trips)
    p95 = ordered[max(-int(-_PERCENTILE * len(ordered) // 1), 1) - 1]
    steps = [abs(one - other) for one, other in itertools.pairwise(trips)]
    return RoundTrips(statistics.median(ordered), p95, statistics.fmean(steps) if steps else None, len(trips))


class Probe:
    """Measures round trips on one connection."""

    def __init__(self, wire: Wire, dialect: Dialect) -> None:
        """Take a warm connection."""
        self._wire = wire
        self._dialect = dialect

    def idle(self, tell: Callable[[float, float], None]) -> RoundTrips:
        """Measure on the idle line. `tell` gets the part done, from 0 to 1, and each round trip. Raises Trouble."""
        trips: list[float] = []
        self._trip()  # the first one still finds cold caches
        for number in range(IDLE_TRIPS):
            trips.append(self._trip())
            tell((number + 1) / IDLE_TRIPS, trips[-1])
            time.sleep(IDLE_PAUSE_SECONDS)
        return summarised(trips)

    def loaded(self) -> "Loaded":
        """Start measuring beside a load."""
        return Loaded(self)

    def trip(self) -> float:
        """Return one round trip in ms. A connection that was closed is opened again, once."""
        try:
            return self._trip()
        except (Cut, TimeoutError):
            self._wire.renew()
            return self._trip()

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _trip(self) -> float:
        asked = "GET " + self._dialect.ping().partition("?")[0]
        began = time.perf_counter()
        self._wire.ask("GET", self._dialect.ping())
        response = self._wire.response()
        took = (time.perf_counter() - began) * 1000
        self._wire.check(asked, response)
        self._wire.drain(asked, response, expected=0)
        if response.closes:
            self._wire.renew()
        server = _SERVER_TOOK.search(response.headers.get("server-timing", ""))
        try:
            own = float(server[1]) if server else 0.0
        except ValueError:
            own = 0.0
        return took - own if 0 < own < took else took


class Loaded:
    """Round trips beside a load, in a thread of its own, until `stop`."""

    def __init__(self, probe: Probe) -> None:
        """Start."""
        self._probe = probe
        self._trips: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, since: float) -> RoundTrips | None:
        """Stop, and return the figures of the round trips begun after `since`, on the monotonic clock."""
        self._ended.set()
        self._thread.join()
        trips = [trip for began, trip in self._trips if began >= since]
        return summarised(trips) if trips else None

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self._trips.append((began, self._probe.trip()))
            except (Trouble, Cut, TimeoutError):
                return  # the load meets the same, and tells it
            self._ended.wait(LOADED_PAUSE_SECONDS)
