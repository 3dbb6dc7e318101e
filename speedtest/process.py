"""Run a program, with its whole process group, within limits of time and output.

A speed-test program may hang, ignore SIGTERM, print without end, close its output and keep running, or leave children
that hold its pipes. None of that may block the daemon. A run ends when the program exits, when its time is up or when
the daemon is told to stop. Then nothing of its group is left.
"""

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Literal

import msgspec

OUTPUT_LIMIT = 1024 * 1024
"""The most bytes kept of each stream; the rest is read and dropped."""

type Sieve = Callable[[bytes], bytes]
"""Takes a chunk of standard output and returns what to keep; for an empty chunk, what it has held back."""

_CHUNK = 64 * 1024
_TERM_GRACE_SECONDS = 1.0
_PIPE_GRACE_SECONDS = 0.5
_LOOK_SECONDS = 0.25


class Stop:
    """A stop request, made by a signal. It ends a wait for time or for a program's output at once."""

    def __init__(self) -> None:
        """Start without a request."""
        self.signal: signal.Signals | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def __del__(self) -> None:
        """Close the pipe. A descriptor is free even if closing it fails."""
        for descriptor in (self._reader, self._writer):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def on(self, *signals: signal.Signals) -> None:
        """Request a stop when one of these signals comes. Signals that are ignored from the start stay ignored."""
        for number in signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
            os.write(self._writer, b"!")

    def fileno(self) -> int:
        """Return a descriptor that is readable once a stop is requested."""
        return self._reader

    @property
    def requested(self) -> bool:
        """Return whether a stop is requested."""
        return self.signal is not None

    def wait(self, seconds: float) -> bool:
        """Wait until the time is over or a stop is requested; return whether a stop is requested."""
        nothing: tuple[()] = ()
        select.select((self,), nothing, nothing, max(seconds, 0.0))
        return self.requested


class Finished(msgspec.Struct, frozen=True):
    """How a run ended and what it printed."""

    ended: Literal["exit", "timeout", "stopped"]
    exit_code: int
    """As in `subprocess`: negative if a signal ended the program."""
    stdout: bytes
    stderr: bytes
    seconds: float


class _Streams:
    """The two pipes of a child, read as they fill. Up to `OUTPUT_LIMIT` bytes of each are kept."""

    def __init__(self, child: subprocess.Popen[bytes], stop: Stop, sieve: Sieve | None) -> None:
        self._sieve = sieve or bytes
        self._selector = selectors.DefaultSelector()
        self._kept: dict[int, bytearray] = {}
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                self._kept[pipe.fileno()] = bytearray()
                self._selector.register(pipe, selectors.EVENT_READ)
        self._open = len(self._kept)
        self._stop = stop
        self._selector.register(stop, selectors.EVENT_READ)

    @property
    def open(self) -> bool:
        return self._open > 0

    def read(self, seconds: float) -> None:
        """Wait for output and read at most one chunk of each pipe."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._stop:
                self._selector.unregister(self._stop)
                continue
            chunk = os.read(key.fd, _CHUNK)
            if not chunk:
                self._selector.unregister(key.fileobj)
                self._open -= 1
            elif key.fd == next(iter(self._kept)):
                chunk = self._sieve(chunk)
            kept = self._kept[key.fd]
            kept += chunk[: OUTPUT_LIMIT - len(kept)]

    def drain(self, seconds: float) -> None:
        """Read the remaining output of an ended group. Stop if a process outside the group keeps a pipe open."""
        end = time.monotonic() + seconds
        while self.open and (left := end - time.monotonic()) > 0:
            self.read(left)

    def close(self) -> tuple[bytes, bytes]:
        self._selector.close()
        stdout, stderr = self._kept.values()
        stdout += self._sieve(b"")[: OUTPUT_LIMIT - len(stdout)]
        return bytes(stdout), bytes(stderr)


def run(
    arguments: Sequence[str],
    *,
    seconds: float,
    stop: Stop,
    environment: Mapping[str, str],
    sieve: Sieve | None = None,
) -> Finished:
    """Run a program without a shell, in its own session, and return how it ended. Raises OSError if it cannot start.

    After `seconds`, or at a requested stop, its whole group gets SIGTERM and a second later SIGKILL. What it leaves
    behind in its group is always ended. A `sieve` receives the output between checks of the time, so it must neither
    wait nor raise.
    """
    started = time.monotonic()
    with subprocess.Popen(
        arguments,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            streams = _Streams(child, stop, sieve)
            ended = _watch(child, streams, stop, started + seconds)
            took = time.monotonic() - started
            if ended != "exit":
                _end(child, streams)
        finally:
            _signal_group(child, signal.SIGKILL)
        exit_code = child.wait()
        streams.drain(_PIPE_GRACE_SECONDS)
        stdout, stderr = streams.close()
    return Finished(ended, exit_code, stdout, stderr, took)


def _watch(
    child: subprocess.Popen[bytes], streams: _Streams, stop: Stop, deadline: float
) -> Literal["exit", "timeout", "stopped"]:
    """Read until the program exits, not until its pipes close: a child of it may hold them for ever."""
    while not stop.requested:
        if _has_exited(child):
            return "exit"
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout"
        if streams.open:
            streams.read(min(left, _LOOK_SECONDS))
        else:
            stop.wait(min(left, _LOOK_SECONDS / 25))
    return "stopped"


def _end(child: subprocess.Popen[bytes], streams: _Streams) -> None:
    """Ask the group to end and give it a second."""
    _signal_group(child, signal.SIGTERM)
    end = time.monotonic() + _TERM_GRACE_SECONDS
    while not _has_exited(child) and (left := end - time.monotonic()) > 0:
        if streams.open:
            streams.read(min(left, _LOOK_SECONDS / 5))
        else:
            time.sleep(min(left, _LOOK_SECONDS / 25))


def _has_exited(child: subprocess.Popen[bytes]) -> bool:
    """Check without reaping, so that the group's number is not reused before the group is ended."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group may be gone already. macOS reports EPERM if only a zombie is left of it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
