"""Run the daemon as a process, with its own folders and a speed-test program on its PATH, and read its rows."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd

from speedtest.data import lake
from speedtest.events import Event

PATIENCE = 30.0
"""Seconds to wait for a condition on the slowest machine. Normally it takes far less."""


def until[Found](look: Callable[[], Found], what: str = "") -> Found:
    """Call `look` until it returns something, and return that."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, f"after {PATIENCE:g} s there was still no {what or look.__name__}"
        time.sleep(0.01)
    return found


TOOLS = ("sh", "date", "sleep", "yes", "head", "cat", "setsid")
"""Tools that the stand-ins need. A tested daemon has nothing else of this machine on its PATH."""


def variables(folder: Path, *programs: Path, **more: str) -> dict[str, str]:
    """Return the environment for a command with its folders in `folder` and the programs of these folders on PATH.

    It watches no line: the default targets are on the internet.
    The engine is Ookla's unless a test chooses another: `auto` would ask a public service once that has failed.
    """
    tools = folder / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    for tool in TOOLS:
        if not (tools / tool).exists():
            (tools / tool).symlink_to(shutil.which(tool) or f"no-{tool}")
    path = os.pathsep.join(map(str, (*programs, tools)))
    return {
        "PATH": path,
        "HOME": str(folder),
        "LOG_LEVEL": "DEBUG",
        "SPEEDTEST_ENGINE": "ookla",
        "WATCH_SECONDS": "0",
    } | more


def start(folder: Path, handler: str, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a handler with `python -m` in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stdout").open("ab") as stdout, (folder / "stderr").open("ab") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", f"speedtest.handlers.{handler}", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )


def run(
    folder: Path, handler: str, *arguments: str, programs: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a handler to its end and return its output."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", f"speedtest.handlers.{handler}", *arguments],
        cwd=folder,
        env=variables(folder, *([programs] if programs else []), **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )


class DaemonProcess:
    """A running daemon. It is killed at the end of the block if it still runs."""

    def __init__(self, folder: Path, *programs: Path, **more: str) -> None:
        self.folder = folder
        self.process = start(
            folder, "loop", environment=variables(folder, *programs, **({"SLEEP_SECONDS": "600"} | more))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error:
            error.add_note(f"The daemon's standard error:\n{self.stderr[-4000:]}")
        self.process.kill()
        self.process.wait()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every complete line of its log on standard error."""
        lines = self.stderr.splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]

    def logged(self, event: Event, words: str = "") -> list[dict[str, Any]]:
        """Return the log records of an event whose message contains `words`."""
        return [record for record in self.log if record.get("event") == event and words in record.get("message", "")]

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows it has saved so far."""
        return rows(self.folder)

    def csv_files(self) -> list[Path]:
        """Return the files of its rows, also of those that it holds because this machine's clock is unsynchronised."""
        found = (self.folder / "results").glob("**/year=*/month=*/day=*/*.csv")
        return sorted(path for path in found if "quarantine" not in path.parts)

    def first_rows(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for `count` CSV files and return all rows."""
        until(lambda: len(self.csv_files()) >= count, f"{count} rows")
        return self.rows()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows that `lake.read` finds in a daemon's folders, without missing values."""
    frame = lake.read(result_dir=folder / "results", upload_dir=folder / "uploads").astype(object)
    return [
        {str(name): value for name, value in record.items() if not pd.isna(value)}
        for record in frame.to_dict("records")
    ]
