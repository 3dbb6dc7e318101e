"""The attempts of one slot: one engine after the other, retries after a delay, and a confirmation of a low result."""

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import timedelta

from msgspec.structs import replace

from speedtest import programs, speedtest
from speedtest.daemon import data_use, memory, schedule
from speedtest.daemon.circumstances import BEFORE_SECONDS, Circumstances, Look, look, other_traffic_mbps
from speedtest.daemon.clock import Clock, Reading
from speedtest.daemon.clock_watch import ClockWatch, dated
from speedtest.daemon.schedule import Memory
from speedtest.daemon.watch import LineBefore, Watch
from speedtest.engines.engine import Target
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Measurement
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot

events = Events(__name__)

IDLE_SECONDS = 1.0
CAMPAIGN_IDLE_MBPS = 1.0
"""More than this makes the test of a campaign wait, if SPEEDTEST_WAIT_FOR_IDLE_MBPS does not say another rate."""
MOST_OF_AN_INTERVAL = 1 / 3
"""How long a test waits for a quiet line, and how often it looks."""


class Attempts:
    """The programs that measure, in the order in which they are tried."""

    def __init__(  # noqa: PLR0913 (programs, settings and surroundings, all by name)
        self,
        *,
        programs: Mapping[str, Program],
        settings: Settings,
        remembered: Memory,
        clock: Clock,
        dates: ClockWatch,
        watch: Watch | None,
        environment: Mapping[str, str],
        stop: Stop,
        remember: Callable[[], None],
    ) -> None:
        """Take the programs by item of `SPEEDTEST_ENGINE`, what the last run remembered, and how to write it."""
        self._programs = dict(programs)
        self._settings = settings
        self._memory = remembered
        self._clock = clock
        self._dates = dates
        self._watch = watch
        self._environment = environment
        self._stop = stop
        self._remember = remember
        self.earlier: Look | None = None
        """A look at the counters from a few seconds before the next attempt."""
        self._count_lost(None)
        self._slot: Slot
        self._pinned = True
        self._turn = 0

    def of(self, slot: Slot) -> Iterator[Measurement]:
        """Yield each row of a slot as soon as it exists: at least one, unless the daemon is told to stop.

        Pauses and data use are noted before a row is yielded, so the caller may take all rows at once.
        """
        if why := self._refusal():
            yield replace(schedule.skipped(slot, why, self._settings), clock_synced=self._dates.look().synced)
            return
        limit = self._settings.speedtest_wait_for_idle_mbps or (CAMPAIGN_IDLE_MBPS if slot.campaign else None)
        if limit and not self._wait_for_idle(slot, limit):
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
        """Make an attempt, and one more at once if the pinned server is gone; None if it may not start."""
        where = self._where(item)
        row = self._run(item, where)
        if row is None:
            return None
        yield row
        if not speedtest.has_vanished(self._programs[item].engine, where, row):
            return row
        events.warning(
            "server_vanished",
            "server %s does not exist any more: %s chooses another one for this test; change SPEEDTEST_SERVER_ID",
            where.server_id,
            row.engine,
        )
        self._pinned = False
        row = self._run(item, self._where(item))
        if row:
            yield row
        return row

    def _confirm(self, item: str, row: Measurement) -> Iterator[Measurement]:
        """Measure once more after a low result, on another server if the program can choose one."""
        if schedule.is_below(self._settings, row) and self._clock.monotonic() < self._slot.ends:
            confirming = self._run(item, speedtest.elsewhere(self._where(item), row))
            if confirming:
                yield confirming

    def _run(self, item: str, where: Target) -> Measurement | None:
        """Make one attempt; None if a stop was requested, or if pauses or the data budget now forbid it."""
        if self._stop.requested or (self._slot.attempt > 1 and self._refusal()):
            return None
        if not self._programs[item].is_unchanged():
            self._programs[item] = programs.find_one(item, self._environment, self._stop) or self._programs[item]
        self._memory.running = self._programs[item].engine.name
        self._remember()
        before = self._look()
        with Circumstances(self._settings, self.earlier) as around, LineBefore(self._watch) as line:
            row = speedtest.run(
                self._programs[item],
                self._settings,
                self._slot,
                self._environment,
                self._stop,
                where=where,
                started_at=before.wall,
            )
            line.test_failed = row is not None and row.status != "ok"
        if row is None:
            events.info("test_cancelled", "cancelled the running test because the daemon is stopping: it has no row")
            self._count_lost(around.moved)
        else:
            row = dated(replace(around.told(row), line=line.state), before, self._look())
            row = schedule.with_count(row, around.moved, self._memory)
            self._note(row)
        self._slot = replace(self._slot, attempt=self._slot.attempt + 1)
        return row

    def _look(self) -> Reading:
        """Look at the clocks. If the wall clock has jumped, the slot keeps its moment by the new time."""
        before = self._dates.offset
        now = self._dates.look()
        by = timedelta(seconds=round(self._dates.offset - before, 3))
        self._slot = replace(self._slot, due=self._slot.due + by) if by else self._slot
        return now

    def _count_lost(self, moved: int | None) -> None:
        """Count the bytes of the test that has no row: it was cancelled now, or the last run ended during it."""
        if engine := self._memory.running:
            moved = schedule.assumed(self._memory, engine) if moved is None else moved
            schedule.count(self._memory.bytes_by_month, moved, self._clock.now())
            self._memory.running = None
            self._remember()

    def _note(self, row: Measurement) -> None:
        """Note pauses and data use for later attempts, and warn when the data budget is nearly or fully used."""
        now = self._clock.now()
        before = schedule.gigabytes(self._memory, now)
        schedule.note(self._memory, row, now)
        self._memory.running = None
        data_use.warn(self._settings, before, schedule.gigabytes(self._memory, now))

    def _wait_for_idle(self, slot: Slot, limit: float) -> bool:
        """Wait until little else moves over the test's interface; False at a stop.

        Waits at most a third of the interval, or as long as the campaign lets this test wait.
        """
        began = self._clock.monotonic()
        most = slot.patience if slot.campaign else self._settings.sleep_seconds * MOST_OF_AN_INTERVAL
        longest = min(most, slot.ends - began)
        looks = [self.earlier] if self.earlier else []
        while True:
            looks = [*looks, look()][-round(BEFORE_SECONDS / IDLE_SECONDS) - 1 :]
            waited = self._clock.monotonic() - began
            mbps = other_traffic_mbps(self._settings, looks[0], looks[-1])
            is_quiet = len(looks) > 1 and (mbps or 0.0) <= limit
            if is_quiet or waited + IDLE_SECONDS > longest:
                break
            if self._clock.wait(IDLE_SECONDS):
                return False
        self.earlier = looks[0]
        if waited > 2 * IDLE_SECONDS:
            how = (
                "now it is quiet" if is_quiet else f"{mbps or 0.0:.1f} Mbit/s still move: the test starts all the same"
            )
            events.info("waited", "waited %.0f s for a quiet line: %s", waited, how)
        return True

    def _wait_for_retry(self, retry: int) -> bool:
        """Wait before a retry; False if it would be too late for this slot, or if no test may start."""
        seconds = schedule.retry_delay(self._settings, self._slot.due, retry)
        if self._refusal() or self._clock.monotonic() + seconds >= self._slot.ends:
            return False
        if self._clock.wait(max(seconds - BEFORE_SECONDS, 0)):
            return False
        self.earlier = look()
        return not self._clock.wait(min(seconds, BEFORE_SECONDS))

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
        self._memory.by_hand = memory.by_hand(self._settings.result_dir, self._memory.by_hand)
        return schedule.refusal(self._settings, engines, self._memory, self._clock.now())
