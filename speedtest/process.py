"""Run a program bounded in time and in output, together with its whole process group.

A speed-test program may hang, ignore SIGTERM, print without end, close its output and live on, or leave children that
hold its pipes. None of that may hold the daemon: a run ends when the program has ended, when its time is up or when
the daemon is told to stop, and nothing of its group is left then.
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
"""Bytes of each stream that are kept; what comes after them is read and dropped."""

type Sieve = Callable[[bytes], bytes]
"""Takes standard output as it comes and returns what is to be kept; asked with nothing, what it still held back."""

_CHUNK = 64 * 1024
_TERM_GRACE_SECONDS = 1.0
_PIPE_GRACE_SECONDS = 0.5
_LOOK_SECONDS = 0.25


class Stop:
    """The request to end, made by a signal, that a wait for time or for a program's output notices at once."""

    def __init__(self) -> None:
        """Nothing was requested yet."""
        self.signal: signal.Signals | None = None
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def on(self, *signals: signal.Signals) -> None:
        """Request the end when one of these signals comes; leave those alone that the caller's caller ignores."""
        for number in signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
            os.write(self._writer, b"!")

    def fileno(self) -> int:
        """Return a descriptor that is readable once the end was requested."""
        return self._reader

    @property
    def requested(self) -> bool:
        """Say whether the end was requested."""
        return self.signal is not None

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the end is requested; return whether it was."""
        nothing: tuple[()] = ()
        select.select((self,), nothing, nothing, max(seconds, 0.0))
        return self.requested


class Finished(msgspec.Struct, frozen=True):
    """How a run ended and what it printed."""

    ended: Literal["exit", "timeout", "stopped"]
    exit_code: int
    """As `subprocess` has it: negative for a program that a signal ended."""
    stdout: bytes
    stderr: bytes
    seconds: float


class _Streams:
    """The two pipes of a child, read as they fill, each kept up to `OUTPUT_LIMIT`."""

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
        """Take what comes within this time, one chunk of each pipe."""
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
        """Take what a group that was ended had still printed; a pipe that someone outside it holds is given up."""
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
    """Run a program without a shell in a session of its own and return how it ended.

    A `sieve` hears what the program prints while it runs, between looks at the time: it must neither wait nor raise.
    Raises OSError when it cannot be started. A program that outlives `seconds`, or a requested stop, gets SIGTERM and a
    second later SIGKILL, and so does its whole group; what it left behind in its group is ended in any case.
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
    """Read until the program has ended (not until its pipes are closed: a child of it may hold those for ever)."""
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
    """Look without reaping, so that the number of its group stays taken until the group is ended."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # Gone already; macOS says EPERM for a group of which only a zombie is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
