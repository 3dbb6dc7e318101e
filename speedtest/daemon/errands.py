"""Run a child of the daemon in the background, such as a conversion, and log how it ended.

An errand runs once at a time. What its child logs on standard error (`speedtest.logging`) goes into the daemon's log. A
child that says the same as the one before it is no news: it is logged at level DEBUG.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Mapping

from speedtest import logging as logs
from speedtest.events import Event
from speedtest.logging import Events
from speedtest.process import Finished, Stop, run

events = Events(__name__)

_BUSY = os.EX_TEMPFAIL
"""The exit code of a child if another one does the same in this folder, perhaps for another daemon."""

_TIMESTAMP = re.compile(rb'"timestamp": *"[^"]*"')


class Errand:
    """One kind of background work, done by `python -m MODULE`."""

    def __init__(  # noqa: PLR0913 (what an errand is)
        self,
        name: str,
        module: str,
        *arguments: str,
        seconds: float,
        failed: Event,
        ended: Event,
        environment: Mapping[str, str],
        stop: Stop,
    ) -> None:
        """Take its name in the log ("conversion"), its time limit, and the events that say how its child ended.

        The arguments are those of the module.
        """
        self.name = name
        self._command = (sys.executable, "-m", module, *arguments)
        self._seconds = seconds
        self._failed: Event = failed
        self._ended: Event = ended
        self._environment = environment
        self._stop = stop
        self._thread: threading.Thread | None = None
        self._complaint: bytes | None = None

    @property
    def is_running(self) -> bool:
        """Whether a child of this errand runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> bool:
        """Start the child, if none runs and no stop is requested; return whether it was started. Never waits."""
        if self.is_running or self._stop.requested:
            return False
        thread = threading.Thread(target=self._run, name=self.name)
        thread.start()
        self._thread = thread
        return True

    def join(self) -> None:
        """Wait until the child has ended. A stop ends it early."""
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            finished = run(self._command, seconds=self._seconds, stop=self._stop, environment=self._environment)
        except OSError as error:
            events.error(self._failed, "could not start the %s: %s; the next cycle retries", self.name, error)
            return
        complaint = _TIMESTAMP.sub(b"", finished.stderr) if finished.exit_code else None
        is_news = complaint is None or complaint != self._complaint
        self._complaint = complaint
        logs.relay(finished.stderr, is_news=is_news and finished.exit_code != _BUSY)
        self._log(finished, is_news=is_news)

    def _log(self, finished: Finished, *, is_news: bool) -> None:
        match finished.ended:
            case "stopped":
                why = "ended the %s because the daemon is stopping; the next start continues it"
                events.info(self._ended, why, self.name)
            case "timeout":
                why = "ended the %s after its time limit of %d s; the next cycle continues it"
                events.error(self._ended, why, self.name, self._seconds)
            case "exit" if finished.exit_code == _BUSY:
                level = logging.INFO if is_news else logging.DEBUG
                events.log(level, self._ended, "another %s is running; a later cycle does what is left", self.name)
            case "exit" if finished.exit_code:
                level = logging.ERROR if is_news else logging.DEBUG
                why = "the %s failed with exit code %d; the next cycle retries"
                events.log(level, self._failed, why, self.name, finished.exit_code, exit_code=finished.exit_code)
            case _:
                events.debug(self._ended, "the %s took %.1f s", self.name, finished.seconds)
