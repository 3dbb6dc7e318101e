"""The steps of one attempt: runs of a program, one after the other, within one time limit."""

import math
import shlex
import signal
import time
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from speedtest.engines.output import last_words
from speedtest.logging import Events
from speedtest.measurement import Failure
from speedtest.process import Finished, Sieve, Stop, run

events = Events(__name__)


class Stopped(Exception):
    """The daemon was told to stop while a step ran."""


class Steps:
    """The steps of one attempt. `ended` holds those that have run."""

    def __init__(
        self, path: Path, seconds: float, stop: Stop, environment: Mapping[str, str], sieve: Sieve | None = None
    ) -> None:
        """Start the time limit, in seconds, for all steps together."""
        self.ended: list[Finished] = []
        self._path = path
        self._limit = seconds
        self._deadline = time.monotonic() + seconds
        self._stop = stop
        self._environment = environment
        self._sieve = sieve

    @property
    def seconds(self) -> float:
        """How long the program has run, all steps together."""
        return sum(finished.seconds for finished in self.ended)

    @property
    def left(self) -> float:
        """How many seconds are left for further steps; 0 if the time is up."""
        return max(self._deadline - time.monotonic(), 0.0)

    def wait(self, seconds: float) -> None:
        """Wait. Raises Stopped if the daemon stops."""
        if self._stop.wait(seconds):
            raise Stopped

    def run(self, arguments: Sequence[str], seconds: float = math.inf) -> Finished:
        """Run the program once, at most for so many seconds, and return how it exited.

        Raises Failure at the time limit or if a signal ended it, Stopped if the daemon stops, OSError if it cannot be
        started. `ended` has the step then too, unless the daemon stops.
        """
        command = [str(self._path), *arguments]
        events.debug("program_started", "started %s", shlex.join(command))
        left = self.left
        limit = min(left, seconds)
        finished = run(command, seconds=limit, stop=self._stop, environment=self._environment, sieve=self._sieve)
        finished = replace(finished, stdout=finished.stdout.removeprefix(BOM_UTF8))  # Windows programs print one
        if finished.ended == "stopped":
            raise Stopped
        self.ended.append(finished)
        words = last_words(finished.stderr, finished.stdout)
        if finished.ended == "timeout":
            after = seconds if seconds < left else self._limit
            raise Failure("timeout", f"ended after {after:g} s{': ' if words else ''}{words}")
        if finished.exit_code < 0:
            raise Failure("signal", f"ended by {_signal_name(-finished.exit_code)}{': ' if words else ''}{words}")
        return finished


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
