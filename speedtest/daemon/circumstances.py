"""The circumstances of a test: over which link it went, what else moved there, and how busy this machine was.

Where the machine does not tell, a column is null. Processors and memory are looked at once a second by a thread of
their own, because the test itself blocks the daemon.
"""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from speedtest.daemon import link
from speedtest.data.heartbeat import machine_digest
from speedtest.engines import counters
from speedtest.engines.counters import Counters
from speedtest.environment import Settings
from speedtest.measurement import Measurement

BEFORE_SECONDS = 5.0
"""How long before a test the other traffic is measured."""
_SHORTEST, _LONGEST = 4.0, 8.0
"""Seconds between which a look at the counters is one of `BEFORE_SECONDS` ago."""
_BITS = 8 / 1e6
_STAT, _MEMORY = Path("/proc/stat"), Path("/proc/meminfo")
_IDLE, _WAITING = 3, 4
"""The columns of `/proc/stat` in which the processors had nothing to do."""
_COUNTED = 8
"""The first columns; those behind them, of guests, are counted in others already."""
_TOO_SHORT = 0.5
"""Seconds of which the load is not told: the kernel counts in hundredths of a second."""


class Look(msgspec.Struct, frozen=True):
    """The counters of the interfaces at one moment."""

    counters: Counters
    at: float
    """By the monotonic clock."""


def look() -> Look:
    """Look at the counters now."""
    return Look(counters.read(), time.monotonic())


def other_traffic_mbps(settings: Settings, earlier: Look, now: Look) -> float | None:
    """Return what moved over the test's interface between two looks, in Mbit/s; None if nothing counts it."""
    name = link.interface(settings)
    seconds = now.at - earlier.at
    if name is None or name not in earlier.counters or name not in now.counters or seconds <= 0:
        return None
    return max(now.counters[name] - earlier.counters[name], 0) * _BITS / seconds


class Circumstances:
    """Observes what is around one test, from `with` to its end."""

    def __init__(self, settings: Settings, earlier: Look | None = None) -> None:
        """Take a look at the counters from `BEFORE_SECONDS` before the test, if there is one."""
        self._settings = settings
        self._earlier = earlier
        self._load = _Load()

    def __enter__(self) -> Self:
        """Begin to observe."""
        self._link = link.facts(link.interface(self._settings))
        self._before = self._after = look()
        self._load.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End to observe."""
        self._after = look()
        self._load.end()

    @property
    def moved(self) -> int | None:
        """The bytes that the test may have moved, for the data budget."""
        return counters.moved(self._before.counters, self._after.counters, self._settings.speedtest_interface)

    def told(self, row: Measurement) -> Measurement:
        """Return the row with its circumstances."""
        return msgspec.structs.replace(
            row,
            **msgspec.structs.asdict(self._link),
            other_traffic_mbps=self._traffic_before(),
            other_bytes=self._beside(row),
            cpu_percent=self._load.cpu_percent,
            memory_percent=self._load.memory_percent,
            machine=machine_digest(),
        )

    def _traffic_before(self) -> float | None:
        if self._earlier is None:
            return None
        seconds = self._before.at - self._earlier.at
        moved = self._by_interface(self._earlier, self._before)
        if moved is None or not _SHORTEST <= seconds <= _LONGEST:
            return None
        return round(moved * _BITS / seconds, 3)

    def _beside(self, row: Measurement) -> int | None:
        moved = self._by_interface(self._before, self._after)
        if moved is None or row.data_bytes is None or row.status != "ok":
            return None
        return max(moved - row.data_bytes, 0)

    def _by_interface(self, one: Look, other: Look) -> int | None:
        """Return the bytes that the test's interface moved between two looks; None if it does not count."""
        name = self._link.interface
        if name is None or name not in one.counters or name not in other.counters:
            return None
        return max(other.counters[name] - one.counters[name], 0)


class _Load:
    """The highest load of processors and memory, looked at once a second in a thread."""

    def __init__(self) -> None:
        self.cpu_percent: float | None = None
        self.memory_percent: float | None = None
        self._over = threading.Event()
        self._last: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._watch, name="load", daemon=True)

    def start(self) -> None:
        self._last = _processors()
        self._began = time.monotonic()
        self.memory_percent = _higher(None, _memory())
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            self._look()
        self._look()

    def _look(self) -> None:
        self.memory_percent = _higher(self.memory_percent, _memory())
        now = time.monotonic()
        if now - self._began < _TOO_SHORT:
            return
        last, self._last, self._began = self._last, _processors(), now
        if last and self._last and (total := self._last[1] - last[1]) > 0:
            self.cpu_percent = _higher(self.cpu_percent, 100 * (self._last[0] - last[0]) / total)


def _higher(one: float | None, other: float | None) -> float | None:
    if other is None:
        return one
    return round(min(max(one or 0.0, other), 100.0), 1)


def _processors() -> tuple[int, int] | None:
    """Return how long all processors were busy, and how long they ran, in ticks since the start of the machine."""
    try:
        with _STAT.open(encoding="ascii") as stat:
            ticks = [int(text) for text in stat.readline().split()[1 : _COUNTED + 1]]
    except (OSError, ValueError):
        return None
    return (sum(ticks) - ticks[_IDLE] - ticks[_WAITING], sum(ticks)) if len(ticks) > _WAITING else None


def _memory() -> float | None:
    try:
        lines = (line.split() for line in _MEMORY.read_text(encoding="ascii").splitlines())
        sizes = {fields[0]: int(fields[1]) for fields in lines if fields[0] in ("MemTotal:", "MemAvailable:")}
        return 100 * (1 - sizes["MemAvailable:"] / sizes["MemTotal:"])
    except (OSError, ValueError, KeyError, IndexError, ZeroDivisionError):
        return None
