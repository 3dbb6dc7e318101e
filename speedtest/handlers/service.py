"""The state that the daemon carries from one cycle to the next, and the steps of a cycle."""

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from speedtest import logging as logs, speedtest
from speedtest.data import heartbeat, results
from speedtest.data.heartbeat import Heartbeat
from speedtest.data.waiting import Waiting
from speedtest.environment import Settings
from speedtest.measurement import Measurement
from speedtest.process import Finished, Stop, run as run_program
from speedtest.speedtest import Program, Slot

logger = logging.getLogger(__name__)

CONVERSION_SECONDS = 600.0
_CONVERT = (sys.executable, "-m", "speedtest.handlers.convert")


class Service:
    """One running daemon."""

    def __init__(self, settings: Settings, program: Program, stop: Stop, environment: Mapping[str, str]) -> None:
        """Take what was found at the start; nothing was measured yet."""
        self.settings = settings
        self.stop = stop
        self.waiting = Waiting(settings.result_dir)
        self._program = program
        self._environment = environment
        self._conversion: threading.Thread | None = None
        self._heartbeat_refused = False
        now = time.monotonic()
        self._state = Heartbeat(
            pid=os.getpid(),
            interval_seconds=settings.sleep_seconds,
            timeout_seconds=settings.speedtest_timeout_seconds,
            next_due=datetime.now(UTC),
            next_due_monotonic=now,
        )

    def measure(self, slot: Slot) -> Measurement | None:
        """Make one attempt; None if a stop was requested meanwhile."""
        if not self._program.is_unchanged():
            self._program = speedtest.find(self.settings, self._environment, self.stop) or self._program
        measurement = speedtest.run(self._program, self.settings, slot, self._environment, self.stop)
        if measurement is None:
            logger.info("the running test was ended because the daemon stops: no row")
        return measurement

    def keep(self, measurement: Measurement) -> None:
        """Save the row, or let it wait for the disk, and say what was measured."""
        row = results.encode(measurement)
        self.waiting.add(row)
        path = self.waiting.save().get(row)
        _log(measurement, str(path) if path else None)
        self._state.last_attempt = measurement.started_at
        if measurement.status == "ok":
            self._state.last_success = measurement.started_at
            self._state.failures_in_a_row = 0
        else:
            self._state.failures_in_a_row += 1

    def convert_complete_days(self) -> None:
        """Start a conversion beside the loop if there is a complete day, none is running and no row waits."""
        if (self._conversion and self._conversion.is_alive()) or self.waiting or self.stop.requested:
            return
        hidden: list[OSError] = []  # for the conversion to tell
        if any(results.complete_days(self.settings.result_dir, datetime.now(UTC).date(), hidden.append)) or hidden:
            self._conversion = threading.Thread(target=self._convert, name="conversion")
            self._conversion.start()

    def beat(self, next_due: float) -> None:
        """Tell health checks when the next test is due, by the monotonic clock."""
        self._state.next_due_monotonic = next_due
        self._state.next_due = datetime.now(UTC) + timedelta(seconds=next_due - time.monotonic())
        self._state.rows_waiting = len(self.waiting)
        try:
            heartbeat.write(self._state, self.settings.result_dir)
        except OSError as error:
            if not self._heartbeat_refused:
                logger.warning("the heartbeat could not be written: %s; health checks will fail", error)
            self._heartbeat_refused = True
        else:
            self._heartbeat_refused = False

    def close(self) -> None:
        """Wait for the conversion to end, which a requested stop hastens, and give up the rows that still wait."""
        if self._conversion:
            self._conversion.join()
        self.waiting.save()
        self.waiting.give_up()

    def _convert(self) -> None:
        try:
            finished = run_program(_CONVERT, seconds=CONVERSION_SECONDS, stop=self.stop, environment=self._environment)
        except OSError as error:
            logger.error("the conversion could not be started: %s; it is tried again next cycle", error)
            return
        logs.relay(finished.stderr)
        _log_conversion(finished)


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
    if measurement.status == "ok":
        logger.info(
            "measured %.2f Mbit/s down, %.2f Mbit/s up", measurement.download_mbps, measurement.upload_mbps, extra=extra
        )
    else:
        logger.warning("the test failed (%s): %s", measurement.error_kind, measurement.error, extra=extra)


def _log_conversion(finished: Finished) -> None:
    match finished.ended:
        case "stopped":
            logger.info("the conversion was ended because the daemon stops; it goes on after the next start")
        case "timeout":
            logger.error(
                "the conversion took longer than %d s and was ended; it goes on next cycle", CONVERSION_SECONDS
            )
        case "exit" if finished.exit_code:
            logger.error("the conversion ended with exit code %d; it is tried again next cycle", finished.exit_code)
        case _:
            logger.debug("the conversion took %.1f s", finished.seconds)
