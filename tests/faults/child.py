"""Run one step in its own child process, alone or under strace, which kills it, stops it or makes its calls fail.

The calling worker has imported everything, so a child is only a fork and costs milliseconds. The child waits until
strace is attached; strace counts calls from there.
"""

import contextlib
import ctypes
import io
import os
import pickle
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.faults import calls, mutants
from tests.faults.calls import Call

STRACE = shutil.which("strace")
PATIENCE = 60.0
"""Seconds that a child may take. A child that hangs is a breach."""

REPORT = "reported: "
"""The beginning of each line that a child reports."""

BROKEN = os.EX_SOFTWARE
"""The exit code of a child that ended with an unexpected exception."""

_SET_TRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)

type Report = Callable[[str], None]
type Point = tuple[str, int, str]
"""A call: its name, its number among calls of that name, and its text for people."""
type Action = Callable[[Path, Report], None]


class Run(msgspec.Struct):
    """A child's exit code, its reports, its standard error and its calls."""

    code: int
    """Its exit code, negative for the signal that ended it."""
    reported: list[str]
    stderr: list[str]
    calls: list[Call]
    hung: bool = False
    injected: bool = False
    """True if strace made a call fail."""

    def met(self, point: Point) -> bool:
        """Return whether this run made this call. A fault counts calls, so it could hit another call in another run."""
        return any((call.name, call.nth, call.shown) == point for call in self.calls)


def call[Result](function: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401 (anything that can be pickled)
    """Run a function in a child and return its result. Raises RuntimeError with the child's traceback."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _deliver(writer, function, arguments)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not answer:
        raise RuntimeError(f"the child ended with {os.waitstatus_to_exitcode(status)} and returned nothing")
    good, result = pickle.loads(answer)  # noqa: S301 (from our own child)
    if not good:
        raise RuntimeError(result)
    return result


def _deliver(writer: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sys.stderr = said = io.StringIO()
    try:
        answer = pickle.dumps((True, function(*arguments)))
    except BaseException:  # noqa: BLE001 (it goes to the parent as text)
        answer = pickle.dumps((False, f"{said.getvalue()}{traceback.format_exc()}"))
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(answer)
    os._exit(0)


def run(  # noqa: PLR0913 (each by name)
    action: Action,
    tree: Path,
    *,
    trace: bool = False,
    inject: str | None = None,
    mutant: str | None = None,
    meanwhile: Callable[[], None] | None = None,
    patience: float = PATIENCE,
) -> Run:
    """Run an action on a tree in a child, under strace if `trace` or `inject` is given.

    `inject` is the value of strace's option of that name. If it injects SIGSTOP, `meanwhile` runs while the child is
    stopped; then the child continues.
    """
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix="run-") as folder, ours, theirs:
        log = Path(folder, "log")
        pid = os.fork()
        if pid == 0:
            _act(action, tree, mutant, theirs, traced=bool(trace or inject))
        theirs.close()
        tracer = _attach(pid, log, inject) if trace or inject else None
        if meanwhile and _stopped(pid, log, times=2):
            meanwhile()
            os.kill(pid, signal.SIGCONT)
        code, hung = _wait(pid, patience, stopped=meanwhile is not None)
        if tracer:
            tracer.wait(PATIENCE)
        with ours.makefile("rb") as said:
            lines = said.read().decode(errors="replace").splitlines()
        text = log.read_text(errors="surrogateescape") if tracer else ""
    if trace and not inject and code == BROKEN:
        raise RuntimeError("\n".join(lines))
    reported = [line.removeprefix(REPORT) for line in lines if line.startswith(REPORT)]
    stderr = [line for line in lines if not line.startswith(REPORT)]
    return Run(code, reported, stderr, calls.read(text, pid), hung=hung, injected="INJECTED" in text)


def _act(action: Action, tree: Path, mutant: str | None, channel: socket.socket, *, traced: bool) -> None:
    """Wait for strace, act, and end. Output goes through a socket, so that it survives faults at each `write`."""
    code = BROKEN
    try:
        sys.stderr = io.TextIOWrapper(channel.makefile("wb", buffering=0), line_buffering=True, write_through=True)
        if mutant:
            mutants.apply(mutant)
        if traced:
            ctypes.CDLL(None).prctl(_SET_TRACER, _ANYBODY)  # Ubuntu's kernel allows only ancestors to trace
            os.kill(os.getpid(), signal.SIGSTOP)
        action(tree, lambda line: channel.sendall(f"{REPORT}{line}\n".encode()))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 (the parent reads it)
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def _attach(pid: int, log: Path, inject: str | None) -> subprocess.Popen[bytes]:
    """Attach strace to a child that has stopped itself, and continue the child once strace has seen the stop.

    Without that wait, the child might make calls before strace sees them.
    """
    assert STRACE, "strace is not installed"
    _wait_until(
        lambda: " (stopped)" in Path(f"/proc/{pid}/status").read_text(), "stop", lambda: f"of the child: {_status(pid)}"
    )
    arguments = [STRACE, "-f", "-qq", "-y", "-s", "20000000", "-o", str(log), "-p", str(pid)]
    tracer = subprocess.Popen([*arguments, *(["-e", f"inject={inject}"] if inject else [])], stderr=subprocess.DEVNULL)
    _wait_until(lambda: tracer.poll() is not None or _stops(log), "strace")
    if tracer.poll() is not None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise RuntimeError("strace is not allowed to trace here")
    os.kill(pid, signal.SIGCONT)
    return tracer


def _stops(log: Path) -> int:
    return log.read_text(errors="replace").count("stopped by SIGSTOP") if log.exists() else 0


def _stopped(pid: int, log: Path, *, times: int) -> bool:
    """Wait until the child was stopped this many times; return False if it ended before."""
    _wait_until(
        lambda: _stops(log) >= times or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), "a stop"
    )
    return _stops(log) >= times


def _status(pid: int) -> str:
    """Return the kernel's status of a process, and the call in which each of its threads waits."""
    calls = [path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/syscall")]
    return f"{Path(f'/proc/{pid}/status').read_text()}{calls}"


def _wait_until(condition: Callable[[], object], what: str, seen: Callable[[], str] = str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {PATIENCE:g} s for {what} {seen()}")
        time.sleep(0.0005)


def _wait(pid: int, patience: float, *, stopped: bool) -> tuple[int, bool]:
    """Wait for a child's end. Continue a stopped child repeatedly: strace stops each thread at the same count."""
    descriptor = os.pidfd_open(pid)
    end = time.monotonic() + patience
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        while not (over := ended.poll(20 if stopped else patience * 1000)) and time.monotonic() < end:
            if stopped:
                os.kill(pid, signal.SIGCONT)
        hung = not over
    finally:
        os.close(descriptor)
    if hung:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), hung
