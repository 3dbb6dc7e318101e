"""The wall clock is set while the daemon runs: what is logged, held back, marked and re-dated."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, override

import libfaketime
import pytest
from daemon import DaemonProcess, rows, run, until
from samples import HOME, failed, logged, measured, utc
from standins import ookla
from standins.ookla_behaviours import NOW
from standins.ookla_results import V1_2_0

from speedtest.daemon.clock import Clock, Reading, is_synchronised
from speedtest.daemon.clock_watch import LONGEST_HOLD_SECONDS, ClockWatch, dated
from speedtest.data import held, results
from speedtest.process import Stop

LIBRARY = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
BEHIND = timedelta(hours=30)
"""So far behind that the rows are of a complete day."""
TODAY = V1_2_0.replace("2024-03-09T14:25:36Z", NOW)
KERNEL = """
from pathlib import Path
from speedtest.daemon import clock
clock.is_synchronised = lambda: {{"yes": True, "no": False}}.get(Path({said!r}).read_text())
"""
"""Takes the place of the kernel's answer, which is that of the machine that tests."""


class Machine:
    """A machine whose clock and whose kernel's answer can be set while a daemon runs."""

    def __init__(self, folder: Path, synced: str = "no") -> None:
        self.folder = folder
        ookla.install(folder / "bin", result=TODAY)
        (folder / "site").mkdir()
        (folder / "site/sitecustomize.py").write_text(KERNEL.format(said=str(folder / "synced")))
        self.set(-BEHIND, synced)

    def set(self, ahead: timedelta, synced: str) -> None:
        for name, text in (("synced", synced), ("clock", f"{ahead.total_seconds():+f}\n")):
            new = self.folder / f"{name}.new"
            new.write_text(text)
            new.replace(self.folder / name)

    @contextmanager
    def daemon(self) -> Iterator[DaemonProcess]:
        variables = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(self.folder / "site"),
            "SLEEP_SECONDS": "0.3",
        }
        with DaemonProcess(self.folder, self.folder / "bin", **variables) as daemon:
            yield daemon

    def held(self) -> list[Path]:
        return list((self.folder / "results/held").rglob("*.csv"))

    def convert(self) -> list[Path]:
        assert run(self.folder, "convert").returncode == 0
        return list((self.folder / "uploads").rglob("*.parquet"))


def measured_by(daemon: DaemonProcess, count: int) -> None:
    before = len(daemon.logged("measured"))
    until(lambda: len(daemon.logged("measured")) >= before + count, "tests")


def distance(row: dict[str, Any], ago: timedelta = timedelta(0)) -> float:
    """Return how far a row is from a time, in seconds."""
    return abs((datetime.now(UTC) - ago - row["timestamp"]).total_seconds())


@pytest.mark.slow
def test_rows_before_a_jump_are_held_marked_and_re_dated_once(tmp_path: Path) -> None:
    """It takes seconds because a daemon measures before and after its clock is set, and a conversion runs twice."""
    machine = Machine(tmp_path)
    with machine.daemon() as daemon:
        measured_by(daemon, 3)
        before = rows(tmp_path)
        assert len(before) >= 3
        assert all(distance(row, BEHIND) < 60 and row["clock_synced"] is False for row in before)
        assert len(daemon.logged("clock_unsynchronised")) == 1
        assert machine.convert() == []
        assert machine.held()
        machine.set(timedelta(0), "yes")
        (said,) = until(lambda: daemon.logged("rows_redated"), "re-dating")
        assert said["rows"] >= 3
        (jump,) = daemon.logged("clock_jumped")
        assert abs(jump["jumped_seconds"] - BEHIND.total_seconds()) < 1
        measured_by(daemon, 2)
        assert daemon.stop() == 0
        count = len(daemon.logged("measured")) + len(daemon.logged("skipped"))
    after = rows(tmp_path)
    assert len(after) == count
    assert all(distance(row) < 120 for row in after)
    redated = [row for row in after if "raw_timestamp" in row]
    assert len(redated) >= 3
    assert all(row["clock_synced"] is False for row in redated)
    assert {row["raw_timestamp"] for row in redated} >= {row["timestamp"] for row in before}
    assert all(abs(row["slot"] - row["started_at"]) < timedelta(seconds=5) for row in redated if "started_at" in row)
    assert [row["clock_synced"] for row in after][-1] is True
    assert machine.held() == []


@pytest.mark.slow
def test_rows_of_a_daemon_that_died_before_the_jump_keep_their_dates_and_are_marked(tmp_path: Path) -> None:
    """It takes seconds because two daemons run one after the other, and a conversion after them."""
    machine = Machine(tmp_path)
    with machine.daemon() as daemon:
        measured_by(daemon, 2)
        daemon.process.kill()
        daemon.process.wait()
    before = rows(tmp_path)
    machine.set(timedelta(0), "yes")
    with machine.daemon() as daemon:
        measured_by(daemon, len(daemon.logged("measured")) or 1)
        assert daemon.stop() == 0
        assert daemon.logged("rows_redated") == []
    old = [row for row in rows(tmp_path) if distance(row) > 3600]
    assert [row["timestamp"] for row in old] == [row["timestamp"] for row in before]
    assert all(row["clock_synced"] is False and "raw_timestamp" not in row for row in old)
    assert machine.convert()


@pytest.mark.slow
def test_rows_are_converted_when_the_clock_proves_right(tmp_path: Path) -> None:
    """It takes seconds because a daemon measures before and after its clock is synchronised."""
    machine = Machine(tmp_path)
    with machine.daemon() as daemon:
        measured_by(daemon, 2)
        assert machine.held()
        machine.set(-BEHIND, "yes")
        until(lambda: not machine.held(), "released rows")
        assert daemon.logged("clock_jumped") == []
        assert machine.convert()
        assert all("raw_timestamp" not in row for row in rows(tmp_path))


def test_where_the_system_does_not_say_nothing_is_held_and_the_column_is_null(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "nothing")
    with machine.daemon() as daemon:
        measured_by(daemon, 1)
        assert machine.held() == []
        assert all("clock_synced" not in row for row in daemon.rows())
        assert daemon.logged("clock_unsynchronised") == []


def test_the_kernel_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_synchronised() in {True, False, None}
    monkeypatch.setattr("sys.platform", "darwin")
    assert is_synchronised() is None


class SetClock(Clock):
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        super().__init__(Stop())
        self.wall, self.since_start, self.is_synced = utc(1970, 1, 1, 0, 1), 60.0, False

    @override
    def now(self) -> datetime:
        return self.wall

    @override
    def elapsed(self) -> float:
        return self.since_start

    @override
    def synced(self) -> bool | None:
        return self.is_synced

    def pass_by(self, seconds: float) -> None:
        self.since_start += seconds
        self.wall += timedelta(seconds=seconds)


def unsure(when: datetime, seed: int = 0) -> Any:  # noqa: ANN401 (a Measurement)
    row = measured(when, HOME, seed)
    row.clock_synced = False
    return row


def save(watch: ClockWatch, when: datetime, folder: Path, seed: int = 0) -> Path:
    row = unsure(when, seed)
    return results.save(results.encode(row, held=watch.hold(row)), folder)


def dates(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder))[:33] for path in folder.rglob("*.csv"))


def test_rows_are_held_for_three_days_at_most(tmp_path: Path) -> None:
    clock = SetClock()
    watch = ClockWatch(clock, tmp_path)
    assert "held" in save(watch, clock.wall, tmp_path).parts
    clock.pass_by(LONGEST_HOLD_SECONDS - 1)
    watch.look()
    watch.settle()
    assert watch.holds
    clock.pass_by(2)
    watch.look()
    watch.settle()
    assert not watch.holds
    assert "held" not in save(watch, clock.wall, tmp_path).parts
    assert dates(tmp_path) == [
        "year=1970/month=01/day=01/speedte",
        "year=1970/month=01/day=04/speedte",
    ]


def test_each_row_is_re_dated_by_all_the_jumps_after_it(tmp_path: Path) -> None:
    clock = SetClock()
    watch = ClockWatch(clock, tmp_path)
    save(watch, clock.wall, tmp_path)
    clock.wall += timedelta(days=10)
    watch.look()
    save(watch, clock.wall, tmp_path, seed=1)
    clock.wall += timedelta(days=5)
    clock.is_synced = True
    watch.look()
    watch.settle()
    assert dates(tmp_path) == ["year=1970/month=01/day=16/speedte"] * 2


def test_small_steps_are_no_jump_until_they_add_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = SetClock()
    watch = ClockWatch(clock, tmp_path)
    for steps in range(1, 6):
        clock.pass_by(60)
        clock.wall += timedelta(seconds=0.9)
        watch.look()
        assert len(logged(caplog, "clock_jumped")) == (steps >= 3)


def test_a_suspended_machine_is_no_jump(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = SetClock()
    watch = ClockWatch(clock, tmp_path)
    clock.pass_by(8 * 3600)
    watch.look()
    assert logged(caplog, "clock_jumped") == []
    assert not hasattr(time, "CLOCK_BOOTTIME") or Clock(Stop()).elapsed() == pytest.approx(
        time.clock_gettime(time.CLOCK_BOOTTIME), abs=1
    )


START, JUMP = utc(1970, 1, 1, 0, 1), timedelta(days=20_000)
BEFORE = Reading(START, 60.0, synced=False)
AFTER = Reading(START + timedelta(seconds=20) + JUMP, 80.0, synced=True)


@pytest.mark.parametrize(
    ("printed", "right", "raw"),
    [
        (START + JUMP + timedelta(seconds=19), START + JUMP + timedelta(seconds=19), None),
        (START + timedelta(seconds=1), START + JUMP + timedelta(seconds=1), START + timedelta(seconds=1)),
    ],
    ids=["the end of the test", "its start"],
)
def test_a_test_during_which_the_clock_was_set_gets_the_new_time(
    printed: datetime, right: datetime, raw: datetime | None
) -> None:
    row = measured(printed)
    row.started_at = row.slot = START
    row = dated(row, BEFORE, AFTER)
    assert (row.timestamp, row.raw_timestamp) == (right, raw)
    assert (row.started_at, row.slot, row.clock_synced) == (START + JUMP, START + JUMP, False)


def test_a_failed_test_during_which_the_clock_was_set_gets_the_new_time() -> None:
    row = dated(failed(START), BEFORE, AFTER)
    assert (row.timestamp, row.raw_timestamp) == (START + JUMP, START)


def test_a_disk_that_refuses_keeps_the_rows_held_until_the_next_cycle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock()
    watch = ClockWatch(clock, tmp_path)
    save(watch, clock.wall, tmp_path)
    clock.wall += timedelta(days=10)
    clock.is_synced = True
    (tmp_path / "year=1970").write_text("in the way")
    watch.look()
    for _ in range(2):
        watch.settle()
    assert watch.holds
    assert len(logged(caplog, "row_refused")) == 1
    (tmp_path / "year=1970").unlink()
    watch.settle()
    assert dates(tmp_path) == ["year=1970/month=01/day=11/speedte"]
    assert held.replaced(tmp_path) == set()
