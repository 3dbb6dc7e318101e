"""The times at which tests are due: at the start and after every interval, by the monotonic clock."""

from datetime import timedelta

from speedtest.daemon import schedule
from speedtest.daemon.clock import Clock
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.speedtest import Slot

events = Events(__name__)

MOST_MISSED = 1000
"""The most slots that one test can miss. If more are missed, the daemon was suspended together with the test."""


class Ticks:
    """The slots in order. Tick k is at start + k * interval; its slot is up to `SLEEP_JITTER_SECONDS` later."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Start now."""
        self._settings = settings
        self._clock = clock
        self._first = clock.monotonic()
        self._next = 0

    @property
    def next_due(self) -> float:
        """Return when the next slot is due, by the monotonic clock."""
        return self._due(self._next)

    def take(self) -> Slot:
        """Return the latest slot that is due, and advance to the next one.

        Slots missed before it have no row: the process or the machine was suspended.
        """
        held = self._latest() - self._next
        self._warn_of_held(held)
        self._next += max(held, 0)
        slot = self._slot(self._next)
        self._next += 1
        return slot

    def missed(self) -> list[Slot]:
        """Return the slots that became due while a test ran, and advance past them."""
        missed = range(self._next, self._latest() + 1)[:MOST_MISSED]
        self._next += len(missed)
        return [self._slot(tick) for tick in missed]

    def _warn_of_held(self, held: int) -> None:
        if held > 0:
            events.warning(
                "slots_missed", "skipped %d tests: the process or the machine was suspended", held, slots=held
            )

    def _latest(self) -> int:
        """Return the latest tick whose slot is due now."""
        now = self._clock.monotonic()
        tick = int((now - self._first) // self._settings.sleep_seconds)
        return tick if self._due(tick) <= now else tick - 1

    def _due(self, tick: int) -> float:
        return self._first + tick * self._settings.sleep_seconds + schedule.jitter(self._settings, tick)

    def _slot(self, tick: int) -> Slot:
        due = self._clock.now() + timedelta(seconds=self._due(tick) - self._clock.monotonic())
        return Slot(due, ends=self._due(tick + 1))
