"""The steps of one attempt: runs of a program, one after the other, within one time limit."""

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

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

    def run(self, arguments: Sequence[str]) -> Finished:
        """Run the program once and return how it exited.

        Raises Failure at the time limit or if a signal ended it, Stopped if the daemon stops, OSError if it cannot be
        started.
        """
        command = [str(self._path), *arguments]
        events.debug("program_started", "started %s", " ".join(command))
        left = max(self._deadline - time.monotonic(), 0.0)
        finished = run(command, seconds=left, stop=self._stop, environment=self._environment, sieve=self._sieve)
        if finished.ended == "stopped":
            raise Stopped
        self.ended.append(finished)
        words = last_words(finished.stderr, finished.stdout)
        if finished.ended == "timeout":
            raise Failure("timeout", f"ended after {self._limit:g} s{': ' if words else ''}{words}")
        if finished.exit_code < 0:
            raise Failure("signal", f"ended by {_signal_name(-finished.exit_code)}{': ' if words else ''}{words}")
        return finished


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
