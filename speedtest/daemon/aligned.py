"""The times at which tests are due by the clock on the wall: multiples of the interval since local midnight.

Local times are those of the C library's zone, which `TZ` sets. A slot is an instant at which the local time of day is a
multiple of the interval. So an hour that a change to summer time leaves out has no slots, and one that comes twice has
them twice. The wall clock is looked at again and again while the daemon waits, so a clock that is set takes effect.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import override

from speedtest.daemon import schedule
from speedtest.daemon.clock import Clock
from speedtest.daemon.due import MOST_MISSED, Ticks
from speedtest.environment import Settings
from speedtest.speedtest import Slot
from speedtest.variables import SECONDS_PER_DAY

_CLOSE = 1e-6
"""Seconds: the precision of a time as a float."""

_JUMP = 60.0
"""Seconds by which the wall clock may run ahead of the monotonic one during a test."""
LONGEST_HOUR = 3600.0
"""How much a change of the clocks can lengthen the time to the next tick."""


class AlignedTicks(Ticks):
    """The slots in order. A tick is a multiple of the interval; its slot is up to `SLEEP_JITTER_SECONDS` later."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Start with the first slot that is not over."""
        super().__init__(settings, clock)
        self._tick = self._first_after(self._now())
        self._taken = (self._now(), clock.monotonic())

    @property
    @override
    def next_due(self) -> float:
        self._look_at_the_clock()
        return self._monotonic(self._tick)

    @override
    def take(self) -> Slot:
        due = self._due_now()
        self._warn_of_held(len(due) - 1)
        self._taken = (self._now(), self._clock.monotonic())
        self._tick = next_tick(due[-1], self._settings.sleep_seconds)
        return self._slot_of(due[-1])

    @override
    def missed(self) -> list[Slot]:
        self._look_at_the_clock()
        if self._has_jumped():
            self._tick = self._first_after(self._now())
        if self._at(self._tick) > self._now():
            return []
        due = self._due_now()
        self._tick = next_tick(due[-1], self._settings.sleep_seconds)
        return [self._slot_of(tick) for tick in due]

    @property
    def _spread(self) -> float:
        """The most seconds from a tick to its slot."""
        return self._settings.sleep_jitter_seconds

    def _has_jumped(self) -> bool:
        """Return whether the wall clock was set forward since the last slot: no test ran while those slots passed."""
        wall, monotonic = self._taken
        return (self._now() - wall) - (self._clock.monotonic() - monotonic) > _JUMP

    def _due_now(self) -> list[float]:
        """Return the next tick and all later ones that are due now, but not all of a long suspension or clock jump."""
        now = self._now()
        if now - self._tick > MOST_MISSED * self._settings.sleep_seconds:
            self._tick = next_tick(now - self._farthest, self._settings.sleep_seconds)
        found = [self._tick]
        while self._at(later := next_tick(found[-1], self._settings.sleep_seconds)) <= now:
            found.append(later)
        return found

    def _look_at_the_clock(self) -> None:
        """Begin anew if the wall clock was set back, so that the next tick is farther away than any can be."""
        if self._tick - self._now() > self._farthest:
            self._tick = self._first_after(self._now())

    @property
    def _farthest(self) -> float:
        """The most seconds from an instant to the end of the next slot, over a change of the clocks."""
        return self._settings.sleep_seconds + self._spread + LONGEST_HOUR

    def _first_after(self, now: float) -> float:
        tick = next_tick(now - self._spread - _CLOSE, self._settings.sleep_seconds)
        while self._at(tick) < now - _CLOSE:
            tick = next_tick(tick, self._settings.sleep_seconds)
        return tick

    def _at(self, tick: float) -> float:
        """Return when the slot of a tick is due, by the wall clock."""
        return tick + schedule.jitter(self._settings, round(tick))

    def _monotonic(self, tick: float) -> float:
        return self._clock.monotonic() + self._at(tick) - self._now()

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _slot_of(self, tick: float) -> Slot:
        due = datetime.fromtimestamp(0, UTC) + timedelta(seconds=self._at(tick))
        return Slot(due, ends=self._monotonic(next_tick(tick, self._settings.sleep_seconds)))


def next_tick(after: float, interval: float) -> float:
    """Return the first instant after this one at which the local time of day is a multiple of the interval."""
    local = _since_midnight(after)
    here = after - local
    times = int((local + _CLOSE) // interval) + 1
    tick = here + min(times * interval, SECONDS_PER_DAY)
    if _offset(tick) == _offset(after):
        return tick
    change = _change(after, tick)
    return change if _is_multiple(_since_midnight(change), interval) else next_tick(change, interval)


def _is_multiple(seconds: float, interval: float) -> bool:
    over = seconds % interval
    return min(over, interval - over) < _CLOSE


def _since_midnight(instant: float) -> float:
    local = time.localtime(instant)
    return local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + instant % 1


def _offset(instant: float) -> int:
    return time.localtime(instant).tm_gmtoff


def _change(before: float, after: float) -> float:
    """Return the whole second at which the offset from UTC changes between two instants."""
    low, high = int(before), int(after) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle) == _offset(before) else (low, middle)
    return float(high)
