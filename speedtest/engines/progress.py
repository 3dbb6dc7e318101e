"""Separate a running program's progress lines from the rest of its output."""

from collections.abc import Callable

from speedtest.engines.engine import Progress

LONGEST_LINE = 64 * 1024
"""The most bytes of an unfinished line to hold back; a progress line has 200."""


class Listener:
    """A sieve for `process.run` that reports progress. The row is the same with and without it."""

    def __init__(self, read: Callable[[bytes], Progress | None], tell: Callable[[Progress], None]) -> None:
        """Parse each line with `read` and report its progress to `tell`."""
        self._read = read
        self._tell = tell
        self._begun = b""

    def __call__(self, chunk: bytes) -> bytes:
        """Return the complete lines that are not progress. For an empty chunk, also return what was held back."""
        *lines, rest = (self._begun + chunk).split(b"\n")
        kept = b"".join(line + b"\n" for line in lines if not self._is_progress(line))
        if chunk and len(rest) <= LONGEST_LINE:
            self._begun = rest
            return kept
        self._begun = b""
        return kept if self._is_progress(rest) else kept + rest

    def _is_progress(self, line: bytes) -> bool:
        progress = self._read(line)
        if progress:
            self._tell(progress)
        return progress is not None
