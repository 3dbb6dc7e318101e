"""`SAMPLING=stratified`: in each slot the test is due at an instant that is drawn anew.

A fixed interval meets the same minute of every hour, and so whatever happens at that minute: a backup on the hour makes
a good line look bad. Here a slot begins at each multiple of the interval since local midnight, as with `SLEEP_ALIGN`,
and every instant of it is equally likely. The draw depends on the location and the slot alone, so a restart draws the
same instant and repeats no test.

Two instants could follow each other at once. An instant that is too near to the one before is moved to
`nearest_seconds` after it. That meets a few of a hundred slots, always at their start.
"""

from typing import override

from speedtest.daemon import schedule
from speedtest.daemon.aligned import LONGEST_HOUR, AlignedTicks, next_tick
from speedtest.daemon.clock import Clock
from speedtest.environment import Settings

_PART_OF_INTERVAL = 1 / 4
_BEFORE = 3
"""Slots that an instant can depend on: a short one at midnight, one at a change of the clocks, and the one before."""


def nearest_seconds(settings: Settings) -> float:
    """Return the least time between two instants: that of the longest test, at most a quarter of the interval."""
    return min(settings.speedtest_timeout_seconds, settings.sleep_seconds * _PART_OF_INTERVAL)


class StratifiedTicks(AlignedTicks):
    """The slots in order. A tick is a multiple of the interval; its slot is due before the next tick."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Start with the first slot whose instant has not passed."""
        self._drawn: tuple[float, float] | None = None
        super().__init__(settings, clock)

    @property
    @override
    def _spread(self) -> float:
        return self._settings.sleep_seconds

    @override
    def _at(self, tick: float) -> float:
        if self._drawn is None or self._drawn[0] != tick:
            self._drawn = tick, self._instant(tick)
        return self._drawn[1]

    def _instant(self, tick: float) -> float:
        """Return the instant of a slot, from those of the slots before it."""
        ticks = [
            next_tick(tick - (_BEFORE + 1) * self._settings.sleep_seconds - LONGEST_HOUR, self._settings.sleep_seconds)
        ]
        while ticks[-1] < tick:
            ticks.append(next_tick(ticks[-1], self._settings.sleep_seconds))
        instant = -float("inf")
        for each in ticks[-_BEFORE - 1 :]:
            instant = max(self._draw(each), instant + nearest_seconds(self._settings))
        return instant

    def _draw(self, tick: float) -> float:
        length = next_tick(tick, self._settings.sleep_seconds) - tick
        return tick + length * schedule.chance(self._settings.speedtest_location_uuid, round(tick))
