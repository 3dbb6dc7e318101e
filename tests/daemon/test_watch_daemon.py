"""What the daemon does with the watch: columns of a slot's first row, waiting for a quiet line, a test after an outage.

In a home of network namespaces, with the real daemon as a process.
"""

import contextlib
import csv
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon import PATIENCE, until
from home import Home, environment, is_possible

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_possible(), reason="this machine does not let us make network namespaces"),
]
LAUNCH = """
import runpy
from speedtest.daemon import outages
outages.LEAST_SECONDS, outages.UP_SECONDS = 3.0, 2.0
runpy.run_module("speedtest.handlers.loop", run_name="__main__", alter_sys=True)
"""
"""Starts the daemon with shorter times of an outage that matters and of a line that is up again."""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with Home() as home:
        yield home


@contextlib.contextmanager
def running(home: Home, folder: Path, **variables: str) -> Iterator[Callable[[], list[dict[str, str]]]]:
    """Run the daemon, and yield a function that returns its rows so far, oldest first."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            home.command(sys.executable, "-c", LAUNCH),
            cwd=folder,
            env=dict(environment(folder, **variables)),
            stderr=log,
        )
    try:
        yield lambda: rows(folder)
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows so far. Those that the daemon holds for their dates are among them."""
    found: list[dict[str, str]] = []
    for path in (folder / "results").glob("**/year=*/month=*/day=*/*.csv"):
        with contextlib.suppress(FileNotFoundError), path.open(newline="") as file:
            found += csv.DictReader(file)
    return sorted(found, key=lambda row: row["timestamp"])


def logged(folder: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_the_first_row_of_a_slot_tells_what_the_watch_saw_since_the_slot_before(home: Home, tmp_path: Path) -> None:
    with running(home, tmp_path, SLEEP_SECONDS="4", SPEEDTEST_RETRIES="1") as found:
        until(lambda: len({row["slot"] for row in found()}) >= 4, "four slots")
    slots: dict[str, list[dict[str, str]]] = {}
    for row in found():
        slots.setdefault(row["slot"], []).append(row)
    _, *later, _ = slots.values()
    for first, *others in later:
        assert 2 <= float(first["watched_seconds"]) <= 6
        assert float(first["down_seconds"]) == 0
        assert int(first["probes_sent"]) >= 6
        assert 0 < float(first["probe_latency_ms"]) <= float(first["probe_latency_p95_ms"])
        assert first["line"] == "up"
        assert all(row["watched_seconds"] == "" and row["line"] == "up" for row in others)


def test_what_the_row_of_a_cancelled_test_would_have_told_is_told_after_a_restart(home: Home, tmp_path: Path) -> None:
    with running(home, tmp_path, SLEEP_SECONDS="6") as found:
        until(lambda: len(found()) == 1, "the first row")
        program = tmp_path / "bin/speedtest"
        hangs = f"touch {tmp_path}/hangs; sleep 60; echo"
        program.write_text(program.read_text().replace('echo "[error]', f'{hangs} "[error]'))
        until((tmp_path / "hangs").exists, "a test that hangs")
    with running(home, tmp_path) as found:
        until(lambda: len(found()) == 2, "the first row after a restart")
    assert 4 <= float(found()[1]["watched_seconds"]) <= 15


def test_after_a_long_outage_it_measures_once_and_the_row_belongs_to_no_slot(home: Home, tmp_path: Path) -> None:
    with running(home, tmp_path, SPEEDTEST_AFTER_OUTAGE="1", SPEEDTEST_TIMEOUT_SECONDS="30") as found:
        until(lambda: len(found()) == 1, "the first slot")
        with home.cut_upstream():
            until(lambda: logged(tmp_path, "line_down"), "an outage")
            threading.Event().wait(3)
        outage = until(lambda: [row for row in found() if row["status"] == "outage"], "the outage's row")
        after = until(
            lambda: [row for row in found() if row["status"] == "failed" and not row["slot"]], "a test after it"
        )
        threading.Event().wait(6)
        assert len(found()) == 3
    assert after[0]["attempt"] == ""
    assert after[0]["timestamp"] > outage[0]["timestamp"]
    assert outage[0]["engine"] == outage[0]["slot"] == ""


def test_a_test_waits_for_a_quiet_line_at_most_a_third_of_the_interval(home: Home, tmp_path: Path) -> None:
    with (
        home.saturated(mbps=4.0),
        running(home, tmp_path, SPEEDTEST_WAIT_FOR_IDLE_MBPS="0.5", SLEEP_SECONDS="18", LOG_LEVEL="INFO") as found,
    ):
        until(lambda: len(found()) >= 2, "two slots")
    for said in logged(tmp_path, "waited")[:2]:
        assert "the test starts all the same" in said["message"]
        assert 3 <= float(said["message"].split()[1]) <= 7
    assert float(found()[1]["other_traffic_mbps"]) > 0.5
    assert len(found()) == len({row["slot"] for row in found()})


def test_on_a_quiet_line_no_test_waits(home: Home, tmp_path: Path) -> None:
    with running(home, tmp_path, SPEEDTEST_WAIT_FOR_IDLE_MBPS="0.5", SLEEP_SECONDS="8") as found:
        until(lambda: len(found()) >= 2, "two slots")
    assert not logged(tmp_path, "waited")
