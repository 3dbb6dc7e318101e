"""The clocks of the daemon: the wall's, which dates things, and the monotonic one, by which it waits."""

import time
from datetime import UTC, datetime

from speedtest.process import Stop


class Clock:
    """This machine's clocks. A simulation has its own."""

    def __init__(self, stop: Stop) -> None:
        """Take what ends a wait early."""
        self._stop = stop

    def now(self) -> datetime:
        """Return the instant by the wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the end is requested; return whether it was."""
        return self._stop.wait(seconds)
