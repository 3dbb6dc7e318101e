"""Outages become rows whatever ends the daemon. `tests/faults` proves it at every call; here is what it cannot show."""

from pathlib import Path

import pytest
from attempts import settings
from samples import logged
from watching import START, WatchClock

from speedtest.daemon.clock_watch import ClockWatch
from speedtest.daemon.outages import Outages
from speedtest.data import results, watch_state
from speedtest.data.results import Row
from speedtest.data.watch_state import Unsaved, WatchState
from speedtest.measurement import Measurement

OUTAGE = Measurement(timestamp=START, status="outage", duration_seconds=60.0, raw={"outage": "0a1b2c3d"})


def left_by_a_killed_daemon(folder: Path, row: Row, suffix: str = "") -> Path:
    """Leave a row in the file of the watch, and return its path."""
    path = results.path(row, folder, suffix)
    left = Unsaved(str(path.relative_to(folder)), row.data.decode())
    watch_state.write(WatchState(seen=START, interval_seconds=10, state="down", unsaved=[left]), folder)
    return path


def begun(folder: Path) -> tuple[Outages, ClockWatch]:
    """Return what a daemon has after its start."""
    clock = WatchClock()
    dates = ClockWatch(clock, folder)
    outages = Outages(settings(RESULT_DIR=str(folder), WATCH_SECONDS="0"), clock, dates)
    dates.release()
    outages.begin()
    return outages, dates


def test_a_held_row_that_a_killed_daemon_left_gets_its_place_while_the_next_daemon_runs(tmp_path: Path) -> None:
    row = results.encode(OUTAGE, held="4e5f6071-outage-0a1b2c3d")
    path = left_by_a_killed_daemon(tmp_path, row)
    _, dates = begun(tmp_path)
    assert path.exists()
    dates.look()
    dates.settle()
    assert not path.exists()
    assert (tmp_path / path.relative_to(tmp_path / "held")).read_bytes() == row.data


def test_a_row_that_the_disk_refuses_is_logged_once_and_saved_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = left_by_a_killed_daemon(tmp_path, results.encode(OUTAGE), "_outage-0a1b2c3d")
    in_the_way = tmp_path / "year=2026"
    in_the_way.touch()
    outages, _ = begun(tmp_path)
    for _ in range(3):
        outages.keep()
        outages.note()
    assert outages.waits
    assert len(logged(caplog, "row_refused")) == 1
    in_the_way.unlink()
    outages.keep()
    assert path.exists()
    assert not outages.waits
    assert not watch_state.read(tmp_path).unsaved
