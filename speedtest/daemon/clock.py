"""This machine's clocks: the wall clock gives dates, the monotonic clock times the waits."""

import ctypes
import sys
import time
from datetime import UTC, datetime

import msgspec

from speedtest.process import Stop

_ELAPSED: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that no setting changes and that also counts while the machine is suspended (on macOS: CLOCK_MONOTONIC)."""
_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)."""
_READ_WITHIN = 0.05
_READINGS = 10


class Reading(msgspec.Struct, frozen=True):
    """What the clocks show at one moment."""

    wall: datetime
    elapsed: float
    """Seconds since the machine started, also while it was suspended."""
    synced: bool | None
    """Whether the wall clock is synchronised; None if the system does not say."""

    @property
    def offset(self) -> float:
        """What the wall clock is ahead of the elapsed time, in seconds. It changes only if the wall clock is set."""
        return self.wall.timestamp() - self.elapsed


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

    def elapsed(self) -> float:
        """Return the seconds since the machine started, also while it was suspended."""
        return time.clock_gettime(_ELAPSED)

    def synced(self) -> bool | None:
        """Return whether the wall clock is synchronised; None if the system does not say."""
        return is_synchronised()

    def wait(self, seconds: float) -> bool:
        """Wait until the time is over or a stop is requested; return whether a stop is requested."""
        return self._stop.wait(seconds)

    def read(self) -> Reading:
        """Return what all clocks show. If this process was paused between two of them, they are read again."""
        for _ in range(_READINGS):
            before, wall = self.elapsed(), self.now()
            if self.elapsed() - before < _READ_WITHIN:
                break
        return Reading(wall, before, self.synced())


class _Timex(ctypes.Structure):
    """The head of `struct timex`, and more than enough room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("figures", ctypes.c_long * 4),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 40),
    )


def is_synchronised() -> bool | None:
    """Return whether the kernel knows that its clock is synchronised, by NTP for instance. None if it does not say.

    Linux says so in adjtimex(2), also in a container. A kernel that nobody tells of the synchronisation (chrony without
    `rtcsync`, a virtual machine that its host sets) says that it is not synchronised.
    """
    status = _status()
    return None if status is None else not status & _UNSYNCHRONISED


def _status() -> int | None:
    """Return the status of the kernel's clock, None if the system has none or refuses to tell it."""
    if sys.platform != "linux":
        return None
    timex = _Timex()  # all zero, so that the system only reads
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):  # a C library without it
        return None
    return timex.status if state >= 0 else None
