"""Hear a running program: what its lines tell of its progress goes to whoever watches, all else is kept as ever."""

from collections.abc import Callable

from speedtest.engines.engine import Progress

LONGEST_LINE = 64 * 1024
"""Bytes without a line's end that are held back; a line of progress has 200."""


class Listener:
    """A sieve for `process.run`: a row made with it is the same as one without."""

    def __init__(self, read: Callable[[bytes], Progress | None], tell: Callable[[Progress], None]) -> None:
        """Take what reads a line, and who is told."""
        self._read = read
        self._tell = tell
        self._begun = b""

    def __call__(self, chunk: bytes) -> bytes:
        """Return the whole lines that are no progress; with nothing to take, what was held back."""
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
