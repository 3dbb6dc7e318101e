"""The daemon's state between cycles, and the steps of a cycle."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from msgspec.structs import replace

from speedtest.daemon import data_use, memory, schedule
from speedtest.daemon.alarm import Alarm
from speedtest.daemon.aligned import AlignedTicks
from speedtest.daemon.attempts import Attempts
from speedtest.daemon.campaign_ticks import LOOK_SECONDS as CAMPAIGN_LOOK_SECONDS, CampaignTicks
from speedtest.daemon.circumstances import BEFORE_SECONDS
from speedtest.daemon.clock import Clock
from speedtest.daemon.clock_watch import ClockWatch
from speedtest.daemon.deliveries import Deliveries
from speedtest.daemon.due import Ticks
from speedtest.daemon.errands import Errand
from speedtest.daemon.household import Household
from speedtest.daemon.outages import Outages
from speedtest.daemon.proofs import Proofs
from speedtest.daemon.publishers import Publishers
from speedtest.daemon.router import Router
from speedtest.daemon.schedule import BUSY, Memory
from speedtest.daemon.stratified import StratifiedTicks
from speedtest.data import heartbeat, partitions, results
from speedtest.data.heartbeat import Heartbeat
from speedtest.data.row_queue import RowQueue
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Measurement
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot
from speedtest.values import amounts

events = Events(__name__)

OUTAGE_SECONDS = 5.0
"""How often the outages that the watch has seen are looked for."""
LOOK_SECONDS = 30.0
"""How often the clocks are looked at while rows are held for their dates, or while the wall clock times the slots."""
CONVERSION_SECONDS = 600.0
"""The time limit of a conversion. The next cycle converts what is left."""


class Daemon:
    """One running daemon."""

    def __init__(  # noqa: PLR0913 (what was found at the start)
        self,
        *,
        settings: Settings,
        programs: Mapping[str, Program],
        remembered: Memory,
        clock: Clock,
        environment: Mapping[str, str],
        stop: Stop,
    ) -> None:
        """Take what was found at the start; nothing has been measured yet."""
        self.settings = settings
        self.clock = clock
        self.stop = stop
        ticks = _ticks(settings, clock)
        self._is_by_wall_clock = isinstance(ticks, AlignedTicks)
        self.ticks = CampaignTicks(ticks, settings, clock)
        self.waiting = RowQueue(settings.result_dir)
        self._dates = ClockWatch(clock, settings.result_dir)
        self._router = Router(settings, stop, environment)
        household = Household(self._router)
        self.outages = Outages(settings, clock, self._dates, household=household)
        self._memory = remembered
        self._refused: set[str] = set()
        self._attempts = Attempts(
            programs=programs,
            settings=settings,
            remembered=remembered,
            clock=clock,
            dates=self._dates,
            watch=self.outages.watch,
            household=household,
            environment=environment,
            stop=stop,
            remember=self._remember,
        )
        self._cost_told = False
        self._conversion = Errand(
            "conversion",
            "speedtest.handlers.convert",
            seconds=CONVERSION_SECONDS,
            failed="conversion_failed",
            ended="conversion_ended",
            environment=environment,
            stop=stop,
        )
        self._proofs = Proofs(settings, clock, environment, stop)
        self._deliveries = Deliveries(settings, clock, environment, stop)
        self._publishers = Publishers(settings, clock, environment, stop)
        self._alarm = Alarm(settings, clock, environment, stop)
        self._heartbeat = Heartbeat(
            pid=os.getpid(),
            interval_seconds=settings.sleep_seconds,
            timeout_seconds=settings.speedtest_timeout_seconds,
            next_due=clock.now(),
            next_due_monotonic=clock.monotonic(),
            boot=heartbeat.boot_id(),
            machine=heartbeat.machine_digest(),
            location=settings.speedtest_location_uuid,
        )

    def wait_for_next_slot(self) -> bool:
        """Wait until the next slot is due; False if a stop was requested."""
        self.ticks.look()
        self._beat(self.ticks.next_due)
        self._publishers.visit(self.outages.line)
        while (left := self.ticks.next_due - self.clock.monotonic()) > 0:
            longest = LOOK_SECONDS if self._is_by_wall_clock or self._dates.holds else CAMPAIGN_LOOK_SECONDS
            if self.outages.watch or self._publishers:
                longest = min(longest, OUTAGE_SECONDS)
            elif self._alarm.is_on:
                longest = min(longest, LOOK_SECONDS)
            if left > BEFORE_SECONDS:
                longest = min(longest, left - BEFORE_SECONDS)
            elif left > BEFORE_SECONDS / 2:  # a wait may end a moment early: the look stands then
                self._attempts.look_early()
            if self.clock.wait(min(left, longest)):
                return False
            self._look()
            self.ticks.look()
            self.outages.keep()
            self._alarm.look(self.outages.line)
            self._measure_after_outage(left)
            self._publishers.visit(self.outages.line)
            if left - longest > BEFORE_SECONDS:
                self._beat(self.ticks.next_due)
        return not self.clock.wait(0.0)

    def _look(self) -> None:
        """Look at the clocks, and give held rows their places when that is possible. Rows in memory come first."""
        self._dates.look()
        if not (self.waiting or self.outages.waits):
            self._dates.settle()

    def measure(self, slot: Slot) -> Iterator[Measurement]:
        """Yield the row of each attempt for this slot, or one row that says why there is no attempt.

        Yields no further row once a stop is requested.
        """
        self._beat(slot.ends)
        seen = self.outages.watch.since_last_slot() if self.outages.watch else {}
        status = None
        for measurement in self._attempts.of(slot):
            yield replace(measurement, **seen, campaign=slot.campaign)
            status = measurement.status
            self.ticks.note(slot, measurement)
            seen.clear()
            self.outages.keep()
            self._beat(max(slot.ends, self.clock.monotonic()))
        self.ticks.settle(slot)
        if status == "ok" and self.settings.speedtest_second_opinion and not slot.campaign:
            second = self._attempts.second_opinion()
            self._remember()  # also when the next one is due
            if second:
                yield second
        if self.outages.watch and seen:  # a stop has ended the slot without a row
            self.outages.watch.carry(seen["watched_seconds"] or 0.0, seen["down_seconds"] or 0.0)

    def _measure_after_outage(self, left: float) -> None:
        """Measure once after a long outage: how the line came back. The row belongs to no slot.

        Not if the next slot is so near (`left` seconds) that it shows the same.
        """
        if not self.settings.speedtest_after_outage or not self.outages.take_due_test():
            return
        if left <= self.settings.speedtest_timeout_seconds:
            return
        for measurement in itertools.islice(self._attempts.of(Slot(self.clock.now())), 1):
            if measurement.status != "skipped":
                self.keep(replace(measurement, slot=None, attempt=None, interval_seconds=None))

    def begin(self) -> None:
        """Begin to watch the line, after making rows of the outages that an earlier run left behind.

        The router is looked for in the background.
        """
        self.outages.begin()
        self._router.begin()

    def release(self) -> None:
        """Move the rows that an earlier run held to their days, with the dates they have."""
        self._dates.release()

    def missed(self) -> Iterator[Measurement]:
        """Yield a row for each slot that became due while the last test ran."""
        for slot in self.ticks.missed():
            yield replace(schedule.skipped(slot, BUSY, self.settings), clock_synced=self._dates.look().synced)

    def keep(self, measurement: Measurement) -> None:
        """Save the row, or let it wait for the disk, and log what was measured."""
        path = self.waiting.keep(results.encode(measurement, held=self._dates.hold(measurement)))
        _log(measurement, str(path) if path else None)
        self._publishers.want()
        is_second = measurement.slot is None and measurement.engine == self.settings.speedtest_second_opinion
        if measurement.status == "skipped" or is_second:
            self._remember()
            return
        self._heartbeat.last_attempt = measurement.started_at
        if measurement.status == "ok":
            self._heartbeat.last_success = measurement.started_at
            self._heartbeat.failures_in_a_row = 0
        else:
            self._heartbeat.failures_in_a_row += 1
        self._cost_told = self._cost_told or data_use.tell(self.settings, measurement)
        self._remember()

    def convert_complete_days(self) -> None:
        """Start a conversion in the background if a day is complete, no conversion is running and no row waits."""
        self._look()
        self._publishers.visit(self.outages.line)
        if not (self._conversion.is_running or self.waiting) and self._has_complete_day():
            self._conversion.start()
            self._deliveries.converted()
        if not (self._conversion.is_running or self.waiting):
            self._proofs.start(self.ticks.completed)

    def deliver(self) -> None:
        """Start a delivery in the background if one is due and no conversion is running."""
        if not self._conversion.is_running:
            self._deliveries.look()

    def alert(self) -> None:
        """Let people be told of what this cycle has brought."""
        self._alarm.rows_kept()
        self._alarm.look(self.outages.line)

    def _has_complete_day(self) -> bool:
        """Look for a day to convert. Also true if a folder cannot be read: the conversion then reports why."""
        hidden: list[OSError] = []
        found = any(partitions.complete_days(self.settings.result_dir, self.clock.now().date(), hidden.append))
        return found or bool(hidden)

    def _beat(self, next_due: float) -> None:
        """Write the heartbeat: when the next test is due, by the monotonic clock."""
        self._heartbeat.next_due_monotonic = next_due
        self._heartbeat.next_due = self.clock.now() + timedelta(seconds=next_due - self.clock.monotonic())
        self._heartbeat.rows_waiting = len(self.waiting)
        self._heartbeat.files_waiting, self._heartbeat.files_waiting_since = self._deliveries.waiting
        self._write("the heartbeat", lambda: heartbeat.write(self._heartbeat, self.settings.result_dir))

    def _remember(self) -> None:
        self._write("the schedule's notes", lambda: memory.write(self._memory, self.settings.result_dir))

    def _write(self, what: str, write: Callable[[], None]) -> None:
        """Write a file that holds no rows. If the disk refuses it, warn the first time only."""
        try:
            write()
        except OSError as error:
            if what not in self._refused:
                events.warning("note_refused", "could not write %s: %s; measuring continues", what, error)
            self._refused.add(what)
        else:
            self._refused.discard(what)

    def close(self) -> None:
        """Wait for the work in the background, which a stop ends early; then save the waiting rows, or print them."""
        self.outages.end()
        self._router.end()
        self._conversion.join()
        self._proofs.join()
        self._deliveries.join()
        self._publishers.join()
        self._alarm.join()
        self.waiting.save()
        if not self.outages.waits:
            self._dates.release()
        self.waiting.give_up()


def _ticks(settings: Settings, clock: Clock) -> Ticks:
    """Return the slots that `SAMPLING` and `SLEEP_ALIGN` ask for."""
    if settings.sampling == "stratified":
        return StratifiedTicks(settings, clock)
    return AlignedTicks(settings, clock) if settings.sleep_align else Ticks(settings, clock)


def _log(measurement: Measurement, path: str | None) -> None:
    fields = {
        "path": path,
        "engine": measurement.engine,
        "download_mbps": measurement.download_mbps,
        "upload_mbps": measurement.upload_mbps,
        "latency_ms": measurement.latency_ms,
        "error_kind": measurement.error_kind,
    }
    extra = {name: value for name, value in fields.items() if value is not None}
    if measurement.status == "skipped":
        events.info("skipped", "skipped (%s): %s", measurement.error_kind, measurement.error, **extra)
    elif measurement.status == "ok":
        events.info(
            "measured",
            "measured %s Mbit/s down, %s Mbit/s up",
            amounts.amount(measurement.download_mbps),
            amounts.amount(measurement.upload_mbps),
            **extra,
        )
    else:
        events.warning("test_failed", "the test failed (%s): %s", measurement.error_kind, measurement.error, **extra)
