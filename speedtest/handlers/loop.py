"""Run the daemon: measure, save, convert complete days, wait, and repeat until SIGTERM, SIGINT or SIGHUP.

Exit codes: 0 stopped by a signal · 69 no speed-test program found · 75 another daemon uses this RESULT_DIR ·
78 wrong configuration, or a folder cannot be written. `--check` prints the settings, the programs and whether the
folders can be written, and exits with 0, 69 or 78.
"""

import functools
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from speedtest import logging as logs, programs
from speedtest.daemon import data_use, memory
from speedtest.daemon.clock import Clock
from speedtest.daemon.cycle import Daemon
from speedtest.data import files, partitions
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot
from speedtest.terminal import exits, startup

events = Events("speedtest.handlers.loop")

LOCK_NAME = ".speedtest.lock"
USAGE = "usage: python -m speedtest.handlers.loop [--check]\n"


def loop(cycle: Callable[[Daemon, Slot], None]) -> Callable[[Daemon], None]:
    """Turn a cycle into a daemon: call it whenever a slot is due, until a stop is requested.

    Slots are one interval of the monotonic clock apart. If a cycle raises, the error is logged and the next cycle comes
    at its time: the daemon never stops by itself.
    """

    @functools.wraps(cycle)
    def forever(daemon: Daemon) -> None:
        while daemon.wait_for_next_slot():
            try:
                cycle(daemon, daemon.ticks.take())
            except Exception:  # noqa: BLE001 (the daemon never stops by itself; the log has the traceback)
                events.bug("this cycle failed with an unexpected error; please report it")

    return forever


@loop
def run(daemon: Daemon, slot: Slot) -> None:
    """Run one cycle; the decorator waits for the next."""
    for measurement in daemon.measure(slot):
        daemon.keep(measurement)
    for measurement in daemon.missed():
        daemon.keep(measurement)
    daemon.convert_complete_days()
    daemon.deliver()
    daemon.alert()


def main() -> None:
    """Start the daemon, or check its settings."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if our parent ignores it, we could not wait for children
    match sys.argv[1:]:
        case []:
            _serve(startup.settings())
        case ["--check"]:
            from speedtest.handlers.check import check  # noqa: PLC0415 (the daemon loads only what it needs)

            check()
        case ["--help" | "-h"]:
            sys.stdout.write(f"{USAGE}\n{__doc__}")
        case _:
            exits.end(os.EX_USAGE, USAGE)


def _serve(settings: Settings) -> None:
    stop = Stop()
    stop.on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    logs.configure(settings.log_level, settings.log_dir, commit_hash=settings.commit_hash)
    startup.warn_of_unknown_variables()
    startup.warn_of_arguments(settings)
    folders = {"RESULT_DIR": settings.result_dir, "UPLOAD_DIR": settings.upload_dir}
    with startup.take_lock(LOCK_NAME, "another daemon uses this RESULT_DIR", **folders):
        found = programs.find_all(settings, os.environ, stop)
        if stop.requested:
            return
        if not found:
            exits.end(exits.NO_PROGRAM, startup.no_program(settings))
        daemon = Daemon(
            settings=settings,
            programs=found,
            remembered=memory.recall(settings.result_dir),
            clock=Clock(stop),
            environment=os.environ,
            stop=stop,
        )
        _measure_until_stopped(daemon, found)


def _measure_until_stopped(daemon: Daemon, found: Mapping[str, Program]) -> None:
    _sweep(daemon.settings.result_dir)
    daemon.release()
    daemon.begin()
    events.info(
        "started",
        "started: %s every %g s, %s",
        ", ".join(f"{program.engine.name} {program.version}" for program in found.values()),
        daemon.settings.sleep_seconds,
        data_use.rate(daemon.settings),
        program=", ".join(str(program.path) for program in found.values()),
        location=daemon.settings.speedtest_location_uuid,
    )
    try:
        run(daemon)
    finally:
        daemon.close()
    events.info("stopped", "stopped by %s", daemon.stop.signal.name if daemon.stop.signal else "nothing")


def _sweep(result_dir: Path) -> None:
    try:
        removed = files.sweep(partitions.temporaries(result_dir))
    except OSError as error:
        events.warning("swept", "could not remove incomplete files of an earlier run: %s; they do no harm", error)
        return
    if removed:
        events.info("swept", "removed %d incomplete files of an earlier run", removed)


if __name__ == "__main__":
    main()
