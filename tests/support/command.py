"""Run `speedsnake` as a process, in a terminal or without one."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon import PATIENCE, variables

SPEEDSNAKE = Path(sys.executable).parent / "speedsnake"
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")


def speedsnake(
    folder: Path, *arguments: str, programs: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this folder, without a terminal."""
    folder.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [SPEEDSNAKE, *arguments],
        cwd=folder,
        env=variables(folder, *([programs] if programs else []), **({"LOG_LEVEL": "INFO"} | more)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    return subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


class Terminal:
    """A command in a terminal of 100 columns. It is killed at the end of the block if it still runs."""

    def __init__(self, folder: Path, *arguments: str, programs: Path | None = None, **more: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.raw = ""
        self.process = subprocess.Popen(
            [SPEEDSNAKE, *arguments],
            cwd=folder,
            env=variables(folder, *([programs] if programs else []), **({"LOG_LEVEL": "INFO", "TERM": "xterm"} | more)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (no threads, and no other way)
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        if error:
            error.add_note(f"The terminal got:\n{self.raw[-4000:]!r}")

    @property
    def text(self) -> str:
        """The output so far, without colours and cursor movements."""
        return _ESCAPE.sub("", self.raw).replace("\r\n", "\n")

    def until(self, words: str) -> None:
        """Wait until it shows these words."""
        end = time.monotonic() + PATIENCE
        while words not in self.text:
            assert time.monotonic() < end, f"after {PATIENCE:g} s the terminal still did not show {words!r}"
            assert self.read() or words in self.text, f"the command ended without showing {words!r}"

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> int:
        """Wait for the end, read all that comes before it, and return the exit code."""
        end = time.monotonic() + PATIENCE * 2
        while self.read():
            assert time.monotonic() < end, "the command did not end"
        return self.process.wait(PATIENCE)

    def read(self) -> bool:
        """Read output for a moment. Return False when no process writes any more."""
        if not select.select([self._master], [], [], 0.1)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:  # on Linux: the other side is closed
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)
