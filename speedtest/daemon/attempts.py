"""What becomes of a slot: one program after the other, all of them again after a pause, and once more to confirm."""

from collections.abc import Generator, Iterator, Mapping

from msgspec.structs import replace

from speedtest import programs, speedtest
from speedtest.daemon import data_use, schedule
from speedtest.daemon.clock import Clock
from speedtest.daemon.schedule import Memory
from speedtest.engines.engine import Target
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Measurement
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot

events = Events(__name__)


class Attempts:
    """The programs that measure, in the order in which they are asked."""

    def __init__(  # noqa: PLR0913 (what, by which rules, when and in what surroundings)
        self,
        *,
        programs: Mapping[str, Program],
        settings: Settings,
        remembered: Memory,
        clock: Clock,
        environment: Mapping[str, str],
        stop: Stop,
    ) -> None:
        """Take the programs by their items of `SPEEDTEST_ENGINE`, and what the last run left."""
        self._programs = dict(programs)
        self._settings = settings
        self._memory = remembered
        self._clock = clock
        self._environment = environment
        self._stop = stop
        self._slot: Slot
        self._pinned = True
        self._turn = 0

    def of(self, slot: Slot) -> Iterator[Measurement]:
        """Yield the rows of a slot, each as soon as it is there: at least one, unless the daemon is told to stop.

        What later attempts depend on, pauses and data use, is noted before a row is yielded: the caller may take all
        rows at once.
        """
        if why := self._refusal():
            yield schedule.skipped(slot, why, self._settings)
            return
        self._slot, self._pinned, self._turn = slot, True, self._memory.slots_measured
        self._memory.slots_measured += 1
        for retry in range(self._settings.speedtest_retries + 1):
            if retry and not self._wait_for_retry(retry):
                return
            for item in self._awake():
                row = yield from self._measure(item)
                if row is None:
                    return
                if row.status == "ok":
                    yield from self._confirm(item, row)
                    return

    def _measure(self, item: str) -> Generator[Measurement, None, Measurement | None]:
        """Make an attempt, and another at once where the pinned server is no more; None if there shall be none."""
        where = self._where(item)
        row = self._run(item, where)
        if row is None:
            return None
        yield row
        if not speedtest.has_vanished(self._programs[item].engine, where, row):
            return row
        events.warning(
            "server_vanished",
            "server %s of SPEEDTEST_SERVER_ID does not exist any more: %s chooses one for this test",
            where.server_id,
            row.engine,
        )
        self._pinned = False
        row = self._run(item, self._where(item))
        if row:
            yield row
        return row

    def _confirm(self, item: str, row: Measurement) -> Iterator[Measurement]:
        """Measure a low result once more, on another server where the program can choose one."""
        if schedule.is_below(self._settings, row) and self._clock.monotonic() < self._slot.ends:
            confirming = self._run(item, speedtest.elsewhere(self._where(item), row))
            if confirming:
                yield confirming

    def _run(self, item: str, where: Target) -> Measurement | None:
        """Make one attempt; None if a stop was requested, or if what came of the last one forbids it."""
        if self._stop.requested or (self._slot.attempt > 1 and self._refusal()):
            return None
        if not self._programs[item].is_unchanged():
            self._programs[item] = programs.find_one(item, self._environment, self._stop) or self._programs[item]
        row = speedtest.run(
            self._programs[item],
            self._settings,
            self._slot,
            self._environment,
            self._stop,
            where=where,
            started_at=self._clock.now(),
        )
        if row is None:
            events.info("test_cancelled", "ended the running test because the daemon stops: it has no row")
        else:
            self._note(row)
        self._slot = replace(self._slot, attempt=self._slot.attempt + 1)
        return row

    def _note(self, row: Measurement) -> None:
        """Note what later attempts depend on, and warn when the month's data budget nears its end."""
        now = self._clock.now()
        before = schedule.gigabytes(self._memory, now)
        schedule.note(self._memory, row, now)
        data_use.warn(self._settings, before, schedule.gigabytes(self._memory, now))

    def _wait_for_retry(self, retry: int) -> bool:
        """Wait before all are tried again; False if that would be too late for this slot, or not now."""
        seconds = schedule.retry_delay(self._settings, self._slot.due, retry)
        if self._refusal() or self._clock.monotonic() + seconds >= self._slot.ends:
            return False
        return not self._clock.wait(seconds)

    def _where(self, item: str) -> Target:
        where = speedtest.target(self._programs[item].engine, self._settings, self._turn)
        return where if self._pinned else speedtest.anywhere(where)

    def _awake(self) -> list[str]:
        now = self._clock.now()
        return [
            item
            for item, program in self._programs.items()
            if not schedule.is_paused(self._memory, program.engine.name, now)
        ]

    def _refusal(self) -> schedule.Skip | None:
        engines = [program.engine.name for program in self._programs.values()]
        return schedule.refusal(self._settings, engines, self._memory, self._clock.now())
