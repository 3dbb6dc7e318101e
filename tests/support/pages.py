"""Run the page as a process, on a free port of loopback."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from daemon import PATIENCE, until, variables
from samples import HOME
from views import INTERVAL, failed, folders, good, skipped

from speedtest.data.partitions import Folders
from speedtest.measurement import Measurement

ONLY_READING = """
import runpy, sys
def watch(event, arguments):
    named = event == "open" and not isinstance(arguments[0], int)  # a number is a pipe to a child
    opens = named and (set(str(arguments[1])) & set("wax+") if arguments[1] else arguments[2] & 0o103)
    if opens or event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate"):
        sys.stderr.write(f"WRITES {event} {arguments}\\n")
sys.addaudithook(watch)
runpy.run_module("speedtest.handlers.page", run_name="__main__")
"""
"""Runs the page and reports everything that Python does to a file except reading."""

HOSTILE = '<script>alert("1")</script>\u202e\x1b[31m\x07{{7*7}}\\"\n=cmd()'


class Page:
    """A running page and its client."""

    def __init__(self, where: Folders, *command: str, **more: str) -> None:
        self.folder = where.result_dir.parent
        self.stderr_path = self.folder / f"page-{os.urandom(4).hex()}.stderr"
        given = {"RESULT_DIR": str(where.result_dir), "UPLOAD_DIR": str(where.upload_dir), "PAGE_PORT": "0"} | more
        with self.stderr_path.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, *(command or ("-m", "speedtest.handlers.page"))],
                env=variables(self.folder, **given),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        port = until(self._port, "page that listens")
        self.address = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE)

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text()

    def _port(self) -> int | None:
        assert self.process.poll() is None, self.stderr
        whole = [
            line for line in self.stderr.splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")
        ]
        return next((record["port"] for record in map(json.loads, whole) if "port" in record), None)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def serving(where: Folders, *command: str, **more: str) -> Iterator[Page]:
    page = Page(where, *command, **more)
    try:
        yield page
    finally:
        page.end()


def this_slot() -> datetime:
    """Return when the latest finished slot was due."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    return now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)


def days_until_now(days: float = 3, address: str = HOME, seed: int = 0) -> list[Measurement]:
    """Return rows for every slot until now: some failed, some skipped, the last successful."""
    rows: list[Measurement] = []
    for number in range(int(days * 144)):
        due = this_slot() - number * INTERVAL
        if number % 19 == 7:
            rows.append(failed(due, address))
        elif number % 23 == 9:
            rows.append(skipped(due, address))
        else:
            rows.append(good(due, address, seed))
    return rows


def lake(folder: Path, rows: list[Measurement]) -> Folders:
    """Save rows, and convert those of the days before today."""
    return folders(folder, rows, datetime.now(UTC).date())
