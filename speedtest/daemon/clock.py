"""The daemon's clocks: the wall clock gives dates, the monotonic clock times the waits."""

import time
from datetime import UTC, datetime

from speedtest.process import Stop


class Clock:
    """This machine's clocks. A simulation replaces them."""

    def __init__(self, stop: Stop) -> None:
        """Take the stop request that ends a wait early."""
        self._stop = stop

    def now(self) -> datetime:
        """Return the wall clock's time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the monotonic clock's time, in seconds."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait until the time is over or a stop is requested; return whether a stop is requested."""
        return self._stop.wait(seconds)
