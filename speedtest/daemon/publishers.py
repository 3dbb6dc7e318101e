"""When the receivers of numbers are visited: after each row, when the line goes down or comes back, and by the clock.

Each receiver has a child of its own (`handlers.publish`), so that one that is slow or refuses does not hold up others.
"""

from collections.abc import Mapping

from speedtest.daemon.clock import Clock
from speedtest.daemon.errands import Errand
from speedtest.environment import Settings
from speedtest.process import Stop

REFRESH_SECONDS = 300.0
"""How often receivers are visited without a reason: for late rows, retries, and the latency between tests."""
LIMIT_SECONDS = 600.0
"""The time limit of a child. It ends by itself before."""


class Publishers:
    """The receivers that are set. None is, unless a variable names it: then nothing is ever started."""

    def __init__(self, settings: Settings, clock: Clock, environment: Mapping[str, str], stop: Stop) -> None:
        """Visit each receiver as soon as the daemon waits for its first slot."""
        self._clock = clock
        self._errands = [
            Errand(
                f"publishing to {name}",
                "speedtest.handlers.publish",
                "--due",
                name,
                seconds=LIMIT_SECONDS,
                failed="publish_failed",
                ended="publish_ended",
                environment=environment,
                stop=stop,
            )
            for name in settings.receivers
        ]
        self._wanted = set(self._errands)
        self._visited = clock.monotonic()
        self._line: str | None = None

    def __bool__(self) -> bool:
        """Whether there is any receiver."""
        return bool(self._errands)

    def want(self) -> None:
        """Visit every receiver: there is a new row. One that is being visited now is visited again afterwards."""
        self._wanted = set(self._errands)

    def visit(self, line: str | None) -> None:
        """Start what is wanted or due; never waits. `line`: what the watch has written last, which a child reads."""
        if not self._errands:
            return
        now = self._clock.monotonic()
        if line != self._line or now - self._visited >= REFRESH_SECONDS:
            self.want()
        self._line = line
        if self._wanted:
            self._visited = now
        self._wanted = {errand for errand in self._wanted if not errand.start()}

    def join(self) -> None:
        """Wait for the children, which a stop ends early."""
        for errand in self._errands:
            errand.join()
