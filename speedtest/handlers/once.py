"""Measure now and save the row: `speedsnake once`. The row belongs to no slot.

Exit codes: 0 measured · 1 the test failed, or its row could not be saved · 69 no speed-test program found · 75 another
`speedsnake once` is running · 78 wrong configuration, or a folder cannot be written · 130 ended by Ctrl-C, without a
row.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from speedtest import logging as logs, programs, speedtest
from speedtest.daemon import memory, schedule
from speedtest.daemon.circumstances import Circumstances
from speedtest.daemon.clock import is_synchronised
from speedtest.daemon.household import Household
from speedtest.daemon.router import Router
from speedtest.data import results
from speedtest.data.row_queue import RowQueue
from speedtest.engines.progress import Listener
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import COMMON_COLUMNS, Measurement
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot
from speedtest.terminal import console, exits, row, startup
from speedtest.terminal.command import alone
from speedtest.terminal.live_bar import LiveBar

events = Events("speedtest.handlers.once")

LOCK_NAME = ".once.lock"
SUFFIX = "_once"
"""Added to the file's name, because the daemon may write a row of the same second."""


def once(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the common columns as one JSON object.")] = False,
) -> None:
    """Measure now and save the row.

    Uses the first speed-test program of SPEEDTEST_ENGINE that is found. Ignores QUIET_HOURS and the data budget, but
    its data counts towards the budget. Also works while the daemon runs; if both measure at the same time, they share
    the line and both results may be too low.

    Exit codes: 0 measured, 1 the test failed or its row could not be saved, 69 no speed-test program found, 75 another
    `speedsnake once` is running, 78 wrong configuration or a folder cannot be written, 130 ended by Ctrl-C.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if our parent ignores it, we could not wait for children
    settings = startup.settings()
    logs.configure(settings.log_level, commit_hash=settings.commit_hash)
    startup.warn_of_unknown_variables()
    startup.warn_of_arguments(settings)
    stop = Stop()
    stop.on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    with startup.take_lock(LOCK_NAME, "another `speedsnake once` is running", RESULT_DIR=settings.result_dir):
        program = programs.find(settings, os.environ, stop)
        if program is None and not stop.requested:
            exits.end(exits.NO_PROGRAM, startup.no_program(settings))
        kept = _measure(program, settings, stop) if program else None
    if kept is None:
        exits.end(exits.INTERRUPTED, "ended before there was a result: no row was saved")
    measurement, path = kept
    if as_json:
        columns = {name: getattr(measurement, name) for name in COMMON_COLUMNS}
        sys.stdout.write(msgspec.json.encode(columns).decode() + "\n")
    else:
        row.show(measurement, path)
    sys.exit(exits.OK if measurement.status == "ok" and path else exits.FAILED)


def _measure(program: Program, settings: Settings, stop: Stop) -> tuple[Measurement, Path | None] | None:
    """Make one attempt and save its row; return None if a signal ended it. The bar is shown until the row is saved."""
    clock_synced = is_synchronised()
    remembered = memory.recall(settings.result_dir)
    watching = LiveBar(console.console(errors=True), program.engine.name)
    listener = Listener(program.engine.progress, watching.tell) if program.engine.progress else None
    household = Household(Router(settings, stop, os.environ))
    if settings.router_ask:
        household.router.find()
    with watching.shown():
        household.begin()
        with Circumstances(settings) as around:
            slot, sieve = Slot(datetime.now(UTC)), listener if console.watched() else None
            measurement = speedtest.run(program, settings, slot, os.environ, stop, sieve=sieve)
        if measurement is None:
            assumed = schedule.assumed(remembered, program.engine.name)
            _count(assumed if around.moved is None else around.moved, settings.result_dir)
            return None
        measurement = household.told(schedule.with_count(around.told(measurement), around.moved, remembered))
        _count(schedule.counted(measurement), settings.result_dir)
        measurement = msgspec.structs.replace(
            measurement, slot=None, attempt=None, interval_seconds=None, clock_synced=clock_synced
        )
        return measurement, _keep(measurement, settings.result_dir)


def _count(moved: int, result_dir: Path) -> None:
    """Count the bytes towards the daemon's data budget."""
    try:
        memory.count_by_hand(result_dir, moved, datetime.now(UTC))
    except OSError as error:
        why = "could not write %s: %s; the %d bytes of this test do not count towards the data budget"
        events.warning("note_refused", why, result_dir / memory.BY_HAND_FILE_NAME, error.strerror, moved)


def _keep(measurement: Measurement, result_dir: Path) -> Path | None:
    """Save the row and return its path. If the disk refuses it, print it on standard error and return None."""
    waiting = RowQueue(result_dir, suffix=SUFFIX)
    path = waiting.keep(results.encode(measurement))
    waiting.give_up()
    return path


if __name__ == "__main__":
    alone(once)
