"""Make each outage exactly one row, whatever ends the daemon. `data.watch_state` says how.

The watch calls `note` in its own thread, so that no slow disk delays a probe; the daemon's loop calls `keep`.
"""

import logging
import sys
import threading
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from speedtest.daemon.clock import Clock
from speedtest.daemon.clock_watch import ClockWatch
from speedtest.daemon.household import AfterOutage, Household
from speedtest.daemon.watch import Watch
from speedtest.data import files, heartbeat, results, watch_state
from speedtest.data.partitions import held_folder
from speedtest.data.watch_state import LineOutage, Unsaved, WatchState
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Measurement

events = Events(__name__)

LEAST_SECONDS, UP_SECONDS = 60.0, 30.0
"""After an outage of this length a test is due, once the line has been up for this long."""


class Outages:
    """The watch over the line, its file, and the rows of its outages."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        dates: ClockWatch,
        watch: Watch | None = None,
        household: Household | None = None,
    ) -> None:
        """Watch nothing yet. With `WATCH_SECONDS=0` there is no watch, but outages of an earlier run are kept."""
        self._settings, self._clock, self._dates = settings, clock, dates
        self._household = household
        self.watch = watch
        if watch is None and settings.watch_seconds:
            self.watch = Watch.here(settings, clock, self.note)
        self._unsaved: list[Unsaved] = []
        self._saving = threading.Lock()
        self._refused = self._told = self._recalled = self._has_file = False
        self.is_test_due = False
        """Whether an outage has ended after which the daemon should measure."""

    def begin(self) -> None:
        """Make rows of what an earlier run left behind, then begin to watch."""
        self._save()
        if self.watch:
            self.watch.start()

    @property
    def waits(self) -> bool:
        """Whether rows wait in memory, or may be in the file. Until then no held row may be re-dated.

        A row that is still in the file is published again at the next start, under the name that it has there.
        """
        return bool(self._unsaved) or self._refused

    def keep(self) -> bool:
        """Make a row of each outage that is over, and save it. The next call retries what the disk refuses.

        Return whether all these outages are durable, as rows or in the file.
        """
        if self.watch:
            after = self._ask_router()
            with self._saving:
                ended = self.watch.take_ended()
                self._unsaved += [self._row(outage, after=after) for outage in ended]
            self.is_test_due |= any(outage.seconds >= LEAST_SECONDS for outage in ended)
        return self._save() if self.waits else True

    def _ask_router(self) -> AfterOutage | None:
        """Ask the router if an outage has ended. The watch goes on meanwhile, and its file has the outage."""
        if self._household and self.watch and self.watch.has_ended():
            return self._household.after_outage()
        return None

    def take_due_test(self) -> bool:
        """Return whether a test after an outage is due now; once for each."""
        if not (self.is_test_due and self.watch and self.watch.up_for() >= UP_SECONDS):
            return False
        self.is_test_due = False
        return True

    def end(self) -> bool:
        """End the watch and save the last rows; print those that cannot be saved and are not in the file either.

        Return whether none had to be printed.
        """
        if self.watch:
            self.watch.end()
        self.keep()
        self.note()
        lost = self._unsaved if self._refused else []
        for row in lost:
            sys.stderr.write(msgspec.json.encode({"unsaved_row": row.data, "path": row.path}).decode() + "\n")
        sys.stderr.flush()
        return not lost

    def note(self) -> bool:
        """Log what is new, and write the file; return whether that is durable. Any thread may call this."""
        for news in self.watch.take_news() if self.watch else ():
            events.log(logging.WARNING if news.is_bad else logging.INFO, news.event, "%s", news.words)
        with self._saving:
            return self._write()

    def _save(self) -> bool:
        """Write the file with the rows, publish them, and take them out of the file.

        Return whether they are durable, in the file at least.
        """
        with self._saving:
            self._recall()
            if not self._write():
                return False
            left: list[Unsaved] = []
            base = self._settings.result_dir
            for row in self._unsaved:
                try:
                    files.publish(base / row.path, row.data.encode(), base=base)
                except OSError as error:
                    left.append(row)
                    self._refuse("save the row of an outage", error)
                else:
                    events.info("outage_saved", "saved an outage of the line", path=row.path)
            published = len(left) < len(self._unsaved)
            self._unsaved = left
            if published:
                self._write()
            return True

    def _write(self) -> bool:
        """Replace the file; return whether that is durable. Nothing is written if there is nothing to say.

        What an earlier run left in the file is never overwritten before it has been taken over.
        """
        if not self._recalled:
            return False
        if self.watch:
            seen = self.watch.seen()
        elif self._has_file:
            seen = WatchState(seen=self._clock.now(), interval_seconds=0, state="unknown")
        else:
            return True
        try:
            watch_state.write(replace(seen, unsaved=self._unsaved), self._settings.result_dir)
        except OSError as error:
            self._refuse("save what the watch sees", error)
            return False
        self._refused = False
        self._told &= bool(self._unsaved)
        return True

    def _refuse(self, what: str, error: OSError) -> None:
        if not self._told:
            why = "could not %s in %s: %s; the watch goes on, and outages wait in memory: make room or fix the disk"
            events.error("row_refused", why, what, self._settings.result_dir, error.strerror or error)
        self._refused = self._told = True

    def _recall(self) -> None:
        """Take over, once, what an earlier run left: rows that may be saved, and outages that have no row yet."""
        if self._recalled:
            return
        path = self._settings.result_dir / watch_state.FILE_NAME
        left: WatchState | None = None
        try:
            files.temporary_of(path).unlink(missing_ok=True)
            left = watch_state.read(self._settings.result_dir)
            self._has_file = True
        except FileNotFoundError:
            pass
        except msgspec.MsgspecError as error:
            self._has_file = True
            events.warning("memory_lost", "%s cannot be read: %s; an outage that it held is lost", path, error)
        except OSError as error:  # the next call tries again
            self._refuse("read what an earlier run saw", error)
            return
        self._recalled = True
        if left:
            self._take_over(left)

    def _take_over(self, left: WatchState) -> None:
        if self.watch and left.location == self._settings.speedtest_location_uuid:
            self.watch.carry(left.slot_watched_seconds, left.slot_down_seconds)
        base = self._settings.result_dir
        if any((base / row.path).is_relative_to(held_folder(base)) for row in left.unsaved):
            self._dates.look_for_others()
        self._unsaved += left.unsaved
        self._unsaved += [self._row(outage, left) for outage in left.ended]
        unknown = "the daemon ended meanwhile: the end is when the outage was last seen"
        for outage in left.open:
            self._unsaved.append(self._row(replace(outage, words=f"{outage.words}; {unknown}"), left))

    def _row(self, outage: LineOutage, left: WatchState | None = None, after: AfterOutage | None = None) -> Unsaved:
        """Return the row of an outage. One of an earlier start of the machine keeps the date it had."""
        now = self._dates.look()
        by_elapsed = left is None or (left.boot is not None and left.boot == heartbeat.boot_id())
        if by_elapsed:
            started_at = now.wall - timedelta(seconds=now.elapsed - outage.started_elapsed)
            outage = replace(outage, started_at=started_at)
        words, fields = "", dict[str, str]()
        if after:
            started_ago = now.elapsed - outage.started_elapsed
            words, fields = after.of(started_ago, started_ago - outage.seconds, now.wall)
        outage = replace(outage, words=outage.words + words)
        measurement = self._measurement(outage, now.synced if by_elapsed or left is None else left.synced)
        measurement = replace(measurement, raw=measurement.raw | fields)
        name = f"outage-{outage.id}"
        row = results.encode(measurement, held=self._dates.hold(measurement, name) if by_elapsed else None)
        path = results.path(row, self._settings.result_dir, f"_{name}").relative_to(self._settings.result_dir)
        return Unsaved(str(path), row.data.decode())

    def _measurement(self, outage: LineOutage, clock_synced: bool | None) -> Measurement:  # noqa: FBT001 (the column's value)
        settings = self._settings
        return Measurement(
            timestamp=outage.started_at,
            started_at=outage.started_at,
            status="outage",
            error_kind=outage.place,
            error=outage.words,
            duration_seconds=outage.seconds,
            interval_seconds=outage.exact_seconds,
            speedtest_address=settings.speedtest_location_uuid,
            commit_hash=settings.commit_hash,
            timezone=settings.tz,
            clock_synced=clock_synced,
            machine=heartbeat.machine_digest(),
            raw={"outage": outage.id},
        )
