"""Keep files open until their names are deleted, then close them in other threads, many at a time.

A file's blocks are freed when its last name is deleted or, if it is still open then, when it is closed. On a disk that
discards freed blocks at once (ext4 without a journal, mounted with `discard`), freeing takes ten times as long as
deleting the name. Closing in other threads saves the deleting thread that wait; one call closes a whole day.
"""

import os
import resource
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

_AT_ONCE = 2
"""Threads that close files; more are not faster."""


class DeferredClose:
    """Closes descriptors a little later. For use by one thread."""

    def __init__(self) -> None:
        """Use the lower half of the descriptors that this process may open; leave the rest for other files."""
        self._numbers = range(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "close")
        self._under_way: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all descriptors are closed."""
        self._wait(0)
        self._threads.shutdown()

    def keep(self, descriptor: int, kept: list[int]) -> None:
        """Add a descriptor to `kept`, or close it at once if too many are open."""
        if descriptor in self._numbers:
            kept.append(descriptor)
        else:
            os.close(descriptor)

    def close(self, kept: list[int]) -> None:
        """Close these descriptors in the background. Blocks while two earlier batches are still closing."""
        self._wait(_AT_ONCE - 1)
        self._under_way.append(self._threads.submit(_close, kept))

    def _wait(self, most: int) -> None:
        while len(self._under_way) > most:
            self._under_way.popleft().result()


def _close(descriptors: list[int]) -> None:
    for first, last in _runs(sorted(descriptors)):
        os.closerange(first, last + 1)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last of each run of consecutive numbers. All are ours, so one call may close a run."""
    first = 0
    for at, number in enumerate(numbers):
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            yield numbers[first], number
            first = at + 1
