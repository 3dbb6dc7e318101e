"""Measure one direction: sample what has moved ten times a second, and decide when that is enough.

The first two seconds (of a short test a quarter) and fifteen round trips, in which connections become fast, are
thrown away. Then follow up to eight seconds. A speed that is steady ends the test earlier, so that it moves less data.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from speedtest.http_test.latency import RoundTrips
from speedtest.http_test.load import Counted, Stretch
from speedtest.http_test.trouble import Trouble
from speedtest.values.samples import Samples

SECONDS = 8
WARM_UP_SECONDS, WARM_UP_TRIPS = 2.0, 15
SAMPLE_SECONDS = 0.1
STALL_SECONDS = 5.0
"""If nothing moves for so long, the test has failed."""
STEADY_SECONDS = 3.0
"""How long a speed must be steady to end the test."""
STEADY_PARTS, STEADY_SPREAD, STEADY_DRIFT = 6, 0.04, 0.01
"""It is, if the means of six parts of that time differ by less than 4 %, and those of its halves, and of that time and
all since the warm-up, by less than 1 %."""
HIGH_PERCENT, MEDIUM_PERCENT = 5.0, 20.0
"""The most that half-second means may deviate for a high and for a medium confidence."""

_PART_SECONDS = 0.5
_FEW_SECONDS = 2.0
_TOLD_EACH = 2
_BITS = 8e-6

type Confidence = Literal["high", "medium", "low"]


class Moving(Protocol):
    """A load in one direction, as `load.Load` is one."""

    counted: Counted
    trouble: Trouble | None
    cuts: int

    @property
    def direction(self) -> Literal["download", "upload"]:
        """Which way the data moves."""
        ...

    @property
    def over(self) -> bool:
        """Whether the server has ended it in good order, so that no more will come."""
        ...

    def start(self) -> None:
        """Begin to move data."""
        ...

    def stop(self) -> None:
        """End, and wait for that."""
        ...

    def moved(self) -> int:
        """Return the bytes moved so far."""
        ...

    def spans(self) -> Sequence[Stretch]:
        """Return the requests that were answered, where only these count."""
        ...


class Trips(Protocol):
    """Round trips that are measured beside a load."""

    def stop(self, since: float) -> RoundTrips | None:
        """End, and return the figures of those begun after `since`, on the monotonic clock."""
        ...


class Trier(Protocol):
    """Starts to measure round trips beside a load, as `latency.Probe` does."""

    def loaded(self) -> Trips:
        """Start."""
        ...


class Mark(NamedTuple):
    """How much had been moved at a time, in seconds since the start of the phase."""

    seconds: float
    moved: int


class Measured(NamedTuple):
    """What one direction gave."""

    mbps: float
    seconds: float
    """How long was measured, after the warm-up."""
    moved: int
    """All bytes, those of the warm-up too."""
    steady: bool
    """Whether a steady speed ended it early."""
    deviation_percent: float
    """By how much half-second means deviate from their mean (standard deviation)."""
    confidence: Confidence
    counted: Counted
    loaded: RoundTrips | None
    """Round trips under this load."""
    samples: Samples


def measure(
    load: Moving, probe: Trier, seconds: float, trip_ms: float, tell: Callable[[float, float, float], None]
) -> Measured:
    """Measure in one direction for up to so many seconds after the warm-up. Raises Trouble.

    `trip_ms` is an idle round trip. `tell` gets the part done, from 0 to 1, the speed so far and that of the last half
    second, in Mbit/s.
    """
    warm_up = min(WARM_UP_SECONDS, seconds / 4) + WARM_UP_TRIPS * trip_ms / 1000
    started = time.monotonic()
    load.start()
    trips = probe.loaded()
    try:
        marks, steady = _watch(load, started, warm_up, seconds, tell)
    finally:
        load.stop()
        loaded = trips.stop(started + warm_up)
    if load.trouble:
        raise load.trouble
    if load.counted == "confirmed":
        marks = _spread(load.spans(), started, [mark.seconds for mark in marks])
    return _measured(load, marks, warm_up, loaded, steady=steady)


def _watch(
    load: Moving, started: float, warm_up: float, seconds: float, tell: Callable[[float, float, float], None]
) -> tuple[list[Mark], bool]:
    """Sample until the time is over, or until the speed is steady, which the second value says.

    If nothing has moved after the warm-up, it goes on, until something does or that is a stall.
    """
    marks = [Mark(0.0, 0)]
    whole = warm_up + seconds
    while marks[-1].seconds < whole or not (load.counted == "confirmed" or rate(marks, warm_up)):
        time.sleep(max(started + len(marks) * SAMPLE_SECONDS - time.monotonic(), 0))
        moved = load.moved()
        marks.append(Mark(time.monotonic() - started, moved))
        if load.trouble:
            raise load.trouble
        if _stalled(marks):
            raise Trouble("timeout", f"the {load.direction} stalled: nothing moved for {STALL_SECONDS:.0f} s")
        if len(marks) % _TOLD_EACH == 0:
            since = warm_up if marks[-1].seconds > warm_up + _PART_SECONDS else 0.0
            tell(min(marks[-1].seconds / whole, 1.0), rate(marks, since), rate(marks, marks[-1].seconds - 0.5))
        if load.over:  # the last sample has a moment after the end
            return marks[:-1], False
        if load.counted != "confirmed" and is_steady(marks, warm_up):
            return marks, True
    return marks, False


def rate(marks: Sequence[Mark], since: float, until: float | None = None) -> float:
    """Return the speed between two times, in Mbit/s; 0 if there is nothing in between."""
    first = next((mark for mark in marks if mark.seconds >= since), marks[-1])
    last = marks[-1] if until is None else next((mark for mark in marks if mark.seconds >= until), marks[-1])
    took = last.seconds - first.seconds
    return (last.moved - first.moved) * _BITS / took if took > 0 else 0.0


def parts(marks: Sequence[Mark], since: float, until: float, count: int) -> list[float]:
    """Return the speeds of so many parts of equal length, in Mbit/s."""
    edges = [since + (until - since) * number / count for number in range(count + 1)]
    return [rate(marks, one, other) for one, other in itertools.pairwise(edges)]


def is_steady(marks: Sequence[Mark], warm_up: float) -> bool:
    """Return whether the last three seconds, all after the warm-up, had a steady speed."""
    now = marks[-1].seconds
    if now < warm_up + STEADY_SECONDS:
        return False
    found = parts(marks, now - STEADY_SECONDS, now, STEADY_PARTS)
    mean, half = statistics.fmean(found), STEADY_PARTS // 2
    drift = abs(statistics.fmean(found[:half]) - statistics.fmean(found[half:]))
    drift = max(drift, abs(mean - rate(marks, warm_up)))
    return mean > 0 and max(found) - min(found) <= STEADY_SPREAD * mean and drift <= STEADY_DRIFT * mean


def _stalled(marks: Sequence[Mark]) -> bool:
    before = int(STALL_SECONDS / SAMPLE_SECONDS)
    return len(marks) > before and marks[-1].moved == marks[-1 - before].moved


def _spread(spans: Sequence[Stretch], started: float, times: Sequence[float]) -> list[Mark]:
    """Return the marks at these times if each request moved its bytes evenly from its beginning to its end."""
    marks: list[Mark] = []
    for seconds in times:
        moved = 0.0
        for span in spans:
            part = (started + seconds - span.began) / max(span.ended - span.began, 1e-9)
            moved += span.size * min(max(part, 0.0), 1.0)
        marks.append(Mark(seconds, int(moved)))
    return marks


def _measured(
    load: Moving, marks: Sequence[Mark], warm_up: float, loaded: RoundTrips | None, *, steady: bool
) -> Measured:
    first = next((mark for mark in marks if mark.seconds >= warm_up), marks[-1])
    seconds = marks[-1].seconds - first.seconds
    found = parts(marks, first.seconds, marks[-1].seconds, max(round(seconds / _PART_SECONDS), 1))
    mean = statistics.fmean(found)
    deviation = 100 * statistics.pstdev(found) / mean if mean else 100.0
    return Measured(
        mbps=rate(marks, warm_up),
        seconds=seconds,
        moved=load.moved(),
        steady=steady,
        deviation_percent=deviation,
        confidence=_confidence(deviation, seconds, load.cuts),
        counted=load.counted,
        loaded=loaded,
        samples=_samples(marks),
    )


def _confidence(deviation: float, seconds: float, cuts: int) -> Confidence:
    if deviation > MEDIUM_PERCENT:
        return "low"
    return "high" if deviation <= HIGH_PERCENT and seconds >= _FEW_SECONDS and not cuts else "medium"


def _samples(marks: Sequence[Mark]) -> Samples:
    speeds = [
        (after.moved - before.moved) * _BITS / max(after.seconds - before.seconds, 1e-3)
        for before, after in itertools.pairwise(marks)
    ]
    return Samples(round(SAMPLE_SECONDS * 1000), tuple(speeds))
