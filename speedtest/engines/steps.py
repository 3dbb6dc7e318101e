"""The runs of a program that make up one attempt: one after the other, within one time limit."""

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
    """The steps of one attempt; `ended` are those that ran so far."""

    def __init__(
        self, path: Path, seconds: float, stop: Stop, environment: Mapping[str, str], sieve: Sieve | None = None
    ) -> None:
        """Give them so many seconds together, from now on."""
        self.ended: list[Finished] = []
        self._path = path
        self._limit = seconds
        self._deadline = time.monotonic() + seconds
        self._stop = stop
        self._environment = environment
        self._sieve = sieve

    @property
    def seconds(self) -> float:
        """How long the program ran so far, all steps together."""
        return sum(finished.seconds for finished in self.ended)

    def run(self, arguments: Sequence[str]) -> Finished:
        """Run the program once and return how it ended, if that was by itself.

        Raises Failure if its time was up or a signal ended it, Stopped, and OSError where it cannot be started.
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
