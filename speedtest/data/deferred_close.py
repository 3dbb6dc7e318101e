"""Files that stay open until their names are gone, and are closed many at a time by other threads.

The blocks of a file are freed when its last name is removed, or, if it is open then, when it is closed. A disk that
discards what is freed at once (ext4 without a journal, mounted with `discard`) takes ten times as long for that as for
the name. So the thread that removes names does not wait for it, and those that do hold nobody up: each closes a whole
day by one call.
"""

import os
import resource
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

_AT_ONCE = 2
"""Threads that close; more gain nothing."""


class DeferredClose:
    """Takes descriptors to be closed a little later. To be used by one thread."""

    def __init__(self) -> None:
        """Leave half of the numbers that this process may give to its files to others."""
        self._numbers = range(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "close")
        self._under_way: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until everything that was to be closed is."""
        self._wait(0)
        self._threads.shutdown()

    def keep(self, descriptor: int, kept: list[int]) -> None:
        """Add a descriptor to those that are `kept` open, or close it if there are too many."""
        if descriptor in self._numbers:
            kept.append(descriptor)
        else:
            os.close(descriptor)

    def close(self, kept: list[int]) -> None:
        """Have these closed from now on. Those of the calls but one before are, and their room on the disk is free."""
        self._wait(_AT_ONCE - 1)
        self._under_way.append(self._threads.submit(_close, kept))

    def _wait(self, most: int) -> None:
        while len(self._under_way) > most:
            self._under_way.popleft().result()


def _close(descriptors: list[int]) -> None:
    for first, last in _runs(sorted(descriptors)):
        os.closerange(first, last + 1)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of those that follow one another: ours all, so a call may close them all."""
    first = 0
    for at, number in enumerate(numbers):
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            yield numbers[first], number
            first = at + 1
