"""The daemon is healthy if it is on time and can write. A line that is down does not make it unhealthy."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon import DaemonProcess, run, until, variables
from standins import ookla

from speedtest.daemon.health import judge as health_of
from speedtest.data import heartbeat
from speedtest.data.heartbeat import Heartbeat
from speedtest.figures import state

WITHOUT_ZONE = (
    '{"pid":1,"interval_seconds":600,"timeout_seconds":120,"next_due":"2026-01-01T00:00:00","next_due_monotonic":0}'
)


def beat(folder: Path, **fields_: Any) -> None:  # noqa: ANN401 (fields of Heartbeat)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {"pid": 1, "interval_seconds": 600.0, "timeout_seconds": 120.0}
    fields |= {"next_due": datetime.now(UTC), "next_due_monotonic": time.monotonic() + 600, "boot": heartbeat.boot_id()}
    heartbeat.write(Heartbeat(**(fields | fields_)), folder / "results")


def health(folder: Path, **variables: Any) -> tuple[int, str]:  # noqa: ANN401 (texts, beside the arguments of `run`)
    ended = run(folder, "healthcheck", **variables)
    return ended.returncode, ended.stdout + ended.stderr


def test_a_daemon_whose_line_is_down_is_healthy(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin", "error object on stdout")
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        daemon.first_rows(2)
        assert health(tmp_path) == (0, "healthy\n")
        state = until(lambda: json.loads((tmp_path / "results/.heartbeat.json").read_text()), "heartbeat")
        assert state["failures_in_a_row"] >= 1
        assert (state["last_success"], state["rows_waiting"], state["pid"]) == (None, 0, daemon.process.pid)
        assert datetime.fromisoformat(state["last_attempt"]) <= datetime.fromisoformat(state["next_due"])
        assert daemon.stop() == 0


def test_a_success_ends_the_count_of_failures(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin", "error object on stdout")
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        daemon.first_rows(2)
        ookla.install(tmp_path / "bin")

        def recovered() -> bool:
            state = heartbeat.read(tmp_path / "results")
            return state.failures_in_a_row == 0 and state.last_success is not None

        until(recovered, "success")
        assert daemon.stop() == 0


def test_where_no_daemon_has_run_it_is_unhealthy(tmp_path: Path) -> None:
    code, said = health(tmp_path)
    assert (code, "no daemon has run yet" in said) == (1, True)


def test_a_loop_that_is_late_is_unhealthy_but_not_while_a_test_may_still_run(tmp_path: Path) -> None:
    beat(tmp_path, next_due_monotonic=time.monotonic() - 140)
    assert health(tmp_path)[0] == 0
    beat(tmp_path, next_due_monotonic=time.monotonic() - 160)
    code, said = health(tmp_path)
    assert (code, "the next test was due 160 s ago" in said) == (1, True)


def test_a_step_of_the_wall_clock_makes_no_daemon_ill(tmp_path: Path) -> None:
    beat(tmp_path, next_due=datetime(2001, 1, 1, tzinfo=UTC))
    assert health(tmp_path)[0] == 0


def test_rows_that_wait_are_an_illness(tmp_path: Path) -> None:
    beat(tmp_path, rows_waiting=3)
    code, said = health(tmp_path)
    assert (code, "3 rows wait in memory" in said) == (1, True)


@pytest.mark.parametrize("text", ["", "{}", "null", '{"pid": "one"}', "\xff", WITHOUT_ZONE])
def test_a_heartbeat_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "results").mkdir(parents=True)
    (tmp_path / "results" / ".heartbeat.json").write_text(text, encoding="latin-1")
    code, said = health(tmp_path)
    assert (code, ".heartbeat.json cannot be read" in said) == (1, True)


@pytest.mark.parametrize("name", ["RESULT_DIR", "UPLOAD_DIR"])
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    beat(tmp_path)
    (tmp_path / "file").write_text("no folder")
    code, said = health(tmp_path, **{name: str(tmp_path / "file")})
    assert (code, f"{name} {tmp_path / 'file'} cannot be written" in said) == (1, True)
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [".heartbeat.json"]


@pytest.mark.parametrize("text", ["", "\n", "uninitialized\n"])
def test_a_machine_whose_id_is_not_made_yet_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "machine-id").write_text(text)
    monkeypatch.setattr(heartbeat, "_MACHINE", tmp_path / "machine-id")
    assert heartbeat.machine_digest() is None


@pytest.mark.parametrize("boots", [("another", heartbeat.boot_id()), (None, None)], ids=["linux", "elsewhere"])
def test_a_heartbeat_from_before_the_machine_started_is_no_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boots: tuple[str | None, str | None]
) -> None:
    (tmp_path / "machine-id").write_text("0123456789abcdef" * 2)
    monkeypatch.setattr(heartbeat, "_MACHINE", tmp_path / "machine-id")
    monkeypatch.setattr(heartbeat, "boot_id", lambda: boots[1])
    soon = datetime.now(UTC) + timedelta(minutes=30)
    monotonic = time.monotonic() + 1_000_000
    beat(tmp_path, boot=boots[0], machine=heartbeat.machine_digest(), next_due=soon, next_due_monotonic=monotonic)
    assert "no daemon has run since this machine started" in (health_of(tmp_path / "results") or "")


def test_where_the_system_names_no_boot_the_monotonic_clock_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "boot_id", lambda: None)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    beat(tmp_path, boot=None, next_due=an_hour_ago, next_due_monotonic=time.monotonic() + 290)
    assert health_of(tmp_path / "results") is None


def test_another_machine_reads_the_wall_clock(tmp_path: Path) -> None:
    beat(tmp_path, boot="another", machine="another", next_due_monotonic=0)
    assert health_of(tmp_path / "results") is None
    beat(tmp_path, boot="another", machine="another", next_due=datetime.now(UTC) - timedelta(hours=1))
    assert "the loop has stopped" in (health_of(tmp_path / "results") or "")


@pytest.mark.parametrize("late", [-600, 100, 149, 151, 3600])
@pytest.mark.parametrize("boot", [heartbeat.boot_id(), "another", None])
def test_the_health_check_and_the_page_agree_whether_the_daemon_is_late(
    tmp_path: Path, late: float, boot: str | None
) -> None:
    due = datetime.now(UTC) - timedelta(seconds=late)
    beat(tmp_path, boot=boot, next_due=due, next_due_monotonic=time.monotonic() - late)
    found = state.daemon(tmp_path / "results", datetime.now(UTC))
    assert found
    assert found.late == (health_of(tmp_path / "results") is not None) == (late > 150)


def test_a_check_on_a_full_disk_leaves_no_file_behind(tmp_path: Path) -> None:
    beat(tmp_path)
    for name in ("uploads", "logs"):
        (tmp_path / name).mkdir()
    command = f"ulimit -f 0; exec {sys.executable} -m speedtest.handlers.healthcheck"
    ended = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, env=variables(tmp_path), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, "cannot be written: File too large" in ended.stderr) == (1, True)
    assert [path.name for path in (tmp_path / "results").iterdir()] == [heartbeat.FILE_NAME]


@pytest.mark.parametrize("handler", ["convert", "healthcheck"])
def test_a_command_without_arguments_refuses_them_and_does_nothing(tmp_path: Path, handler: str) -> None:
    ended = run(tmp_path, handler, "--dry-run")
    assert (ended.returncode, f"usage: python -m speedtest.handlers.{handler}" in ended.stderr) == (64, True)
    ended = run(tmp_path, handler, "--help")
    assert (ended.returncode, "xit code" in ended.stdout) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["tools"]


def test_what_a_cycle_found_is_told_at_its_end_and_not_an_interval_later(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="600") as daemon:
        until(lambda: daemon.logged("measured"), "row")
        until(lambda: heartbeat.read(tmp_path / "results").last_attempt is not None, "heartbeat of the cycle")
        assert daemon.stop() == 0
