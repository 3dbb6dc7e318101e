"""The daemon as a person runs it: rows, one instance, signals, conversions in the background, and its imports."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from daemon import PATIENCE, DaemonProcess, rows, run, start, until, variables
from samples import day_of, failed, keep
from standins import ookla
from standins.ookla_behaviours import NOW
from standins.ookla_results import V1_2_0

from speedtest import environment
from speedtest.daemon import memory
from speedtest.daemon.clock import Clock
from speedtest.daemon.cycle import Daemon
from speedtest.data import results
from speedtest.data.lock import FolderLock
from speedtest.engines import ENGINES
from speedtest.handlers.loop import loop
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot

LAST_WEEK = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
TODAY = V1_2_0.replace("2024-03-09T14:25:36Z", NOW)
"""A result whose timestamp is the time at which it is printed."""
SOON = 2.0
"""The most seconds in which a daemon must end after a signal."""
SLACK = 8.0
"""The most seconds that a busy machine may add."""


def program(folder: Path, behaviour: str = "good result, 1.2.0", seconds: float = 0) -> Path:
    path = ookla.install(folder / "bin", behaviour, seconds=seconds)
    return path if behaviour != "good result, 1.2.0" else ookla.install(folder / "bin", result=TODAY, seconds=seconds)


def test_the_first_test_starts_at_once_and_its_row_is_kept(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin", SPEEDTEST_LOCATION_UUID="home") as daemon:
        (row,) = daemon.first_rows()
        assert (row["status"], row["speedtest_address"], row["attempt"]) == ("ok", "home", 1)
        assert abs(row["slot"] - row["started_at"]) < timedelta(seconds=10)
        (said,) = until(lambda: daemon.logged("measured"), "log line")
        assert said["path"] == str(daemon.csv_files()[0].relative_to(tmp_path))
        assert said["download_mbps"] == row["download_mbps"]
        assert daemon.stop() == 0


def test_a_failed_test_is_a_row_and_the_daemon_goes_on(tmp_path: Path) -> None:
    program(tmp_path, "error object on stdout")
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        for row in daemon.first_rows(3):
            assert (row["status"], row["error_kind"], row["error"], row["exit_code"]) == (
                "failed",
                "exit",
                "Cannot open socket",
                2,
            )
        assert daemon.stop() == 0
        assert daemon.logged("test_failed", "Cannot open socket")


@pytest.mark.slow
def test_every_slot_is_a_row_and_those_that_a_long_test_missed_say_busy(tmp_path: Path) -> None:
    program(tmp_path, seconds=0.7)
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.5") as daemon:
        until(lambda: len(daemon.logged("measured")) >= 3, "three tests")
        assert daemon.stop() == 0
    found = sorted(daemon.rows(), key=lambda row: row["slot"])
    for earlier, later in itertools.pairwise(row["slot"] for row in found):
        assert (later - earlier) / timedelta(seconds=0.5) == pytest.approx(1, abs=0.1)
    for row, after in itertools.pairwise(found):
        if row["status"] == "ok":
            assert row["started_at"] - row["slot"] < timedelta(seconds=0.5)
            assert (after["status"], after["error_kind"]) == ("skipped", "busy")
            assert (after["timestamp"], after.get("engine"), after.get("attempt")) == (after["slot"], None, None)


@pytest.mark.slow
def test_slots_that_pass_while_the_daemon_is_held_have_no_row_and_are_not_made_up_for(tmp_path: Path) -> None:
    """It takes seconds because real slots pass, some of them while the daemon is stopped."""
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.5") as daemon:
        until(lambda: len(daemon.logged("measured")) >= 2, "two tests")

        def held() -> bool:
            """Suspend the daemon for some slots. Repeated, this happens between two tests sooner or later."""
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(2)
            daemon.process.send_signal(signal.SIGCONT)
            count = len(daemon.logged("measured"))
            until(lambda: len(daemon.logged("measured")) > count, "next test")
            return bool(daemon.logged("slots_missed"))

        until(held, "warning")
        count = len(daemon.logged("measured"))
        until(lambda: len(daemon.logged("measured")) >= count + 2, "two more tests")
        assert daemon.stop() == 0
    measured = sorted((row["slot"], row["started_at"]) for row in daemon.rows() if row["status"] == "ok")
    assert all(started_at - slot < timedelta(seconds=1) for slot, started_at in measured)
    slots = [slot for slot, _ in measured]
    steps = [round((later - earlier) / timedelta(seconds=0.5)) for earlier, later in itertools.pairwise(slots)]
    assert max(steps) >= 3


def test_a_second_daemon_of_the_same_folder_exits_75_and_names_the_first(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        daemon.first_rows()
        second = run(tmp_path, "loop", programs=tmp_path / "bin")
        assert second.returncode == 75
        assert f"process {daemon.process.pid}" in second.stderr
        assert "results/.speedtest.lock" in second.stderr
        assert daemon.stop() == 0


def test_a_killed_daemon_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        daemon.first_rows()
        daemon.process.kill()
        daemon.process.wait()
    half = daemon.csv_files()[0].with_name(".speedtest_00-00-00.csv.tmp")
    half.write_text("half a row")
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        daemon.first_rows(2)
        assert not half.exists()
        assert daemon.stop() == 0


def test_without_a_program_it_exits_69_and_says_what_to_do(tmp_path: Path) -> None:
    ended = run(tmp_path, "loop")
    assert ended.returncode == 69
    assert "no speed-test program found: none of speedtest on PATH is a working ookla" in ended.stderr
    assert "bootstrap.sh setup" in ended.stderr


@pytest.mark.parametrize("name", ["RESULT_DIR", "UPLOAD_DIR"])
def test_a_folder_that_cannot_be_written_ends_the_start_with_78(tmp_path: Path, name: str) -> None:
    program(tmp_path)
    (tmp_path / "file").write_text("no folder")
    ended = run(tmp_path, "loop", programs=tmp_path / "bin", **{name: str(tmp_path / "file" / "below")})
    assert ended.returncode == 78
    assert f"{name} {tmp_path / 'file' / 'below'} cannot be written: Not a directory" in ended.stderr


def as_user(uid: int, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Start the daemon as an ordinary user, who may be unable to read our interpreter: so that is imported before."""
    become = f"os.setgroups([]); os.setgid({uid}); os.setuid({uid})"
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"import os, speedtest.handlers.loop as loop; loop.startup.settings(); {become}; loop.main()",
        ],
        cwd="/",
        env=variables(folder, folder / "bin", **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
@pytest.mark.parametrize("name", ["RESULT_DIR", "UPLOAD_DIR"])
def test_a_folder_of_another_owner_is_told_with_both_users_and_what_to_do(name: str) -> None:
    with TemporaryDirectory() as where:
        folder, home = Path(where, "of another"), Path(where, "home")
        program(home)
        for path, uid in ((Path(where), 0), (home, 4321), (folder, 1234)):
            path.mkdir(exist_ok=True)
            os.chown(path, uid, uid)
            path.chmod(0o755)
        folders = {"RESULT_DIR": str(home / "results"), "UPLOAD_DIR": str(home / "uploads"), "LOG_DIR": str(home)}
        ended = as_user(4321, home, **folders | {name: str(folder / "new")})
        assert ended.returncode == 78, ended.stderr
        assert f"{name} {folder / 'new'} cannot be written: Permission denied" in ended.stderr
        assert f"user 4321 and group 4321, but {folder} belongs to user 1234 and group 1234" in ended.stderr
        for advice in ("chown -R 4321:4321", "--user 1234:1234", 'user: "1234:1234"'):
            assert advice in ended.stderr
        os.chown(folder, 4321, 4321)
        folder.chmod(0o500)
        ended = as_user(4321, home, **folders | {name: str(folder / "new")})
        assert (ended.returncode, "belongs to" in ended.stderr) == (78, False)


def test_the_user_variables_of_other_images_are_not_ignored_in_silence(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin", PUID="1000", PGID="1000") as daemon:
        until(lambda: daemon.logged("unknown_variable", "PUID and PGID"), "warning")
        assert daemon.stop() == 0


def test_a_log_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    program(tmp_path)
    (tmp_path / "file").write_text("no folder")
    with DaemonProcess(tmp_path, tmp_path / "bin", LOG_DIR=str(tmp_path / "file")) as daemon:
        assert daemon.first_rows()
        assert daemon.logged("log_refused", str(tmp_path / "file"))
        assert daemon.stop() == 0


def test_an_unknown_variable_is_a_warning(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin", SPEEDTEST_LOCATION="home") as daemon:
        until(lambda: daemon.logged("unknown_variable", "SPEEDTEST_LOCATION_UUID"), "warning")
        assert daemon.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_during_the_wait_ends_it_at_once_with_0(tmp_path: Path, number: signal.Signals) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        until(lambda: daemon.logged("measured"), "row")
        told = time.monotonic()
        daemon.process.send_signal(number)
        assert daemon.process.wait(PATIENCE) == 0
        assert time.monotonic() - told < SOON + SLACK
        assert daemon.logged("stopped", number.name)


def test_a_signal_during_the_pause_before_a_retry_ends_it_at_once(tmp_path: Path) -> None:
    program(tmp_path, "error object on stdout")
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        until(lambda: daemon.logged("test_failed"), "failure")
        told = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - told < SOON + SLACK
        assert len(daemon.rows()) == 1


def test_a_listed_program_that_is_not_there_is_a_warning_and_the_others_measure(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin", SPEEDTEST_ENGINE="speedtest-cli,ookla") as daemon:
        assert daemon.first_rows()[0]["engine"] == "ookla"
        assert daemon.logged("program_missing", "speedtest-cli")
        assert daemon.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "behaviour", ["hangs", "hangs and ignores SIGTERM", "hangs with a grandchild that ignores SIGTERM"]
)
def test_a_signal_during_a_test_ends_the_test_too_and_leaves_no_row(tmp_path: Path, behaviour: str) -> None:
    path = program(tmp_path, behaviour)
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        until(lambda: len(ookla.calls(path)) == 2, "test that runs")
        told = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - told < SOON + SLACK
        until(lambda: not ookla.alive(path), "end of the program")
        assert daemon.csv_files() == []
        assert daemon.logged("test_cancelled")


@pytest.mark.slow
def test_a_signal_during_a_conversion_loses_nothing_and_leaves_no_process(tmp_path: Path) -> None:
    program(tmp_path)
    days = [LAST_WEEK - timedelta(days=number) for number in range(60)]
    keep([measurement for day in days for measurement in day_of(day, 6)], tmp_path / "results")
    before = len(rows(tmp_path))
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        until(lambda: list(tmp_path.glob("uploads/location=*/*/*/*/*.parquet")), "first day converted")
        children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children")
        told = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - told < SOON + SLACK
        assert not children.exists()
    assert len(rows(tmp_path)) == before + 1
    assert run(tmp_path, "convert").returncode == 0
    assert len(rows(tmp_path)) == before + 1


def test_a_complete_day_is_converted_beside_the_loop_and_its_log_lines_are_passed_on(tmp_path: Path) -> None:
    program(tmp_path)
    keep(day_of(LAST_WEEK, 10), tmp_path / "results")
    before = rows(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        (said,) = until(lambda: daemon.logged("converted"), "conversion")
        assert (said["logger"], said["rows"]) == ("speedtest.data.conversion", 10)
        assert daemon.stop() == 0
        assert not (
            tmp_path / "results" / f"year={LAST_WEEK.year}" / f"month={LAST_WEEK:%m}" / f"day={LAST_WEEK:%d}"
        ).exists()
    assert rows(tmp_path)[:10] == before
    log = (tmp_path / "logs" / "speedtest.log").read_text().splitlines()
    assert "converted" in {json.loads(line)["event"] for line in log}


def test_a_conversion_that_fails_is_logged_and_measuring_goes_on(tmp_path: Path) -> None:
    program(tmp_path)
    keep(day_of(LAST_WEEK, 3), tmp_path / "results")
    bad = tmp_path / "uploads" / f"location=x/year={LAST_WEEK.year}/month={LAST_WEEK:%m}/day={LAST_WEEK:%d}"
    bad.mkdir(parents=True)
    (bad / "speedtest_001.parquet").write_bytes(b"junk")
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        until(lambda: len(daemon.logged("conversion_failed", "exit code 1")) >= 2, "try")
        assert daemon.logged("conversion_failed", "speedtest_001.parquet")
        count = len(daemon.csv_files())
        until(lambda: len(daemon.csv_files()) > count, "row after it")
        (bad / "speedtest_001.parquet").unlink()
        until(lambda: daemon.logged("converted"), "conversion once it can")
        assert daemon.stop() == 0


def test_a_program_that_is_replaced_is_asked_for_its_version_again(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin", result=TODAY)
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        daemon.first_rows()
        ookla.install(tmp_path / "bin", result=TODAY, version="Speedtest by Ookla 9.9.9.9 (x)")
        until(lambda: any(row["engine_version"] == "9.9.9.9" for row in daemon.rows()), "row of the new version")
        (tmp_path / "bin" / "speedtest").unlink()
        until(lambda: any(row.get("error_kind") == "not-found" for row in daemon.rows()), "row without a program")
        assert daemon.stop() == 0


@pytest.mark.slow
def test_a_disk_that_refuses_rows_is_told_once_and_the_rows_are_printed_at_the_end(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        first = daemon.first_rows()[0]
        day = daemon.csv_files()[0].parent
        moved = day.rename(tmp_path / "moved")
        day.write_text("a file where the day should be")
        until(lambda: len(daemon.logged("measured")) >= 6, "tests that go on")
        health = run(tmp_path, "healthcheck")
        assert (health.returncode, "rows wait in memory" in health.stderr) == (1, True)
        assert daemon.stop() == 0
        assert len(daemon.logged("row_refused")) == 1
    printed = [json.loads(line) for line in daemon.stderr.splitlines() if line.startswith('{"unsaved_row"')]
    day.unlink()
    moved.rename(day)
    for number, row in enumerate(printed):
        (day / f"speedtest_recovered-{number}.csv").write_text(row["unsaved_row"])
    found = rows(tmp_path)
    assert len(printed) >= 2
    assert first in found
    measured = [row for row in found if row["status"] != "skipped"]  # a slow machine is busy now and then
    assert len(measured) == len(daemon.logged("measured"))
    assert len({row["slot"] for row in found}) == len(found)


def test_rows_that_waited_are_saved_once_there_is_room(tmp_path: Path) -> None:
    program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        daemon.first_rows()
        day = daemon.csv_files()[0].parent
        moved = day.rename(tmp_path / "moved")
        day.write_text("a file where the day should be")
        until(lambda: len(daemon.logged("measured")) >= 4, "tests that go on")
        day.unlink()
        moved.rename(day)
        until(lambda: daemon.logged("rows_saved"), "room")
        assert daemon.stop() == 0
    found = [row for row in rows(tmp_path) if row["status"] != "skipped"]  # a slow machine is busy now and then
    assert len(found) == len(daemon.logged("measured"))
    assert '{"unsaved_row"' not in daemon.stderr


def imported(stderr: str) -> set[str]:
    """Return the modules that Python imported, from its output with PYTHONPROFILEIMPORTTIME."""
    return set(re.findall(r"^import time:.*\| +(\S+)$", stderr, re.MULTILINE))


def test_the_daemon_imports_nothing_heavy_not_even_when_it_converts(tmp_path: Path) -> None:
    program(tmp_path)
    keep(day_of(LAST_WEEK, 3), tmp_path / "results")
    environment = variables(tmp_path, tmp_path / "bin", SLEEP_SECONDS="600", PYTHONPROFILEIMPORTTIME="1")
    process = start(tmp_path, "loop", environment=environment)
    stderr = tmp_path / "stderr"
    until(lambda: '"event": "converted"' in stderr.read_text(), "conversion")
    process.terminate()
    assert process.wait(PATIENCE) == 0
    own = imported(stderr.read_text().partition('"event": "converted"')[0])
    assert "speedtest.handlers.loop" in own or "speedtest.daemon.cycle" in own
    assert not own & {"hashlib", "ssl", "asyncio"}  # megabytes that a daemon has no use for
    outside = {name.partition(".")[0] for name in own if not name.startswith("_")} - set(sys.stdlib_module_names)
    looked_for = {"sitecustomize", "usercustomize", "typing_extensions"}  # optional imports of Python and msgspec
    assert outside - looked_for == {"speedtest", "msgspec"}


def test_a_log_line_of_the_start_names_the_program_and_the_interval(tmp_path: Path) -> None:
    path = program(tmp_path)
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        (said,) = until(lambda: daemon.logged("started", "ookla 1.2.0.84 every 600 s"), "first line")
        assert re.search(r"\b144 tests a day, 4,320 a month", said["message"])
        assert said["program"] == str(path)
        assert daemon.stop() == 0


def check(tmp_path: Path, programs: Path | None = None, **more: str) -> tuple[int, dict[str, Any]]:
    ended = run(tmp_path, "loop", "--check", programs=programs, **more)
    pairs = (re.split(r" {2,}", line, maxsplit=1) for line in ended.stdout.splitlines())
    return ended.returncode, dict(pairs)


def test_check_prints_settings_program_and_folders_and_measures_nothing(tmp_path: Path) -> None:
    path = program(tmp_path)
    code, said = check(tmp_path, programs=tmp_path / "bin", SLEEP_SECONDS="600", SPEEDTEST_SERVER_ID="")
    assert code == 0
    assert said["program"] == f"{path} (ookla 1.2.0.84)"
    assert (said["SLEEP_SECONDS"], said["SPEEDTEST_SERVER_ID"]) == ("600 (environment; default 5)", "not set")
    assert [said[f"{name} writable"] for name in ("RESULT_DIR", "UPLOAD_DIR", "LOG_DIR")] == ["yes"] * 3
    assert list((tmp_path / "results").iterdir()) == []


def test_check_warns_of_arguments_that_may_change_what_is_measured(tmp_path: Path) -> None:
    arguments = {"SPEEDTEST_ENGINE": "iperf3", "SPEEDTEST_SERVER": "example.net"}
    said = run(tmp_path, "check", SPEEDTEST_ARGUMENTS="iperf3=--parallel 8", **arguments).stderr
    assert '"event": "arguments_added"' in said
    assert "--parallel" in said
    assert "arguments_added" not in run(tmp_path, "check", **arguments).stderr


def test_check_exits_69_without_a_program_and_78_for_a_folder_or_a_value(tmp_path: Path) -> None:
    assert check(tmp_path)[0] == 69
    program(tmp_path)
    (tmp_path / "file").write_text("no folder")
    code, said = check(tmp_path, programs=tmp_path / "bin", UPLOAD_DIR=str(tmp_path / "file"))
    assert (code, said["UPLOAD_DIR writable"]) == (78, "no: File exists")
    code, said = check(tmp_path, programs=tmp_path / "bin", RESULT_DIR=str(tmp_path / "file"))
    assert (code, said["RESULT_DIR writable"]) == (78, "no: File exists")
    assert check(tmp_path, SLEEP_SECONDS="never")[0] == 78


def test_an_argument_that_means_nothing_is_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, "loop", "--chek")
    assert (ended.returncode, ended.stderr) == (64, "usage: python -m speedtest.handlers.loop [--check]\n\n")
    assert "Exit codes: 0" in run(tmp_path, "loop", "--help").stdout


def test_a_parent_that_ignores_the_end_of_its_children_makes_no_test_fail(tmp_path: Path) -> None:
    program(tmp_path)
    script = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "os.execv(sys.executable, [sys.executable, '-m', 'speedtest.handlers.loop', '--check'])"
    )
    environment = variables(tmp_path, tmp_path / "bin")
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=False)
    assert ended.returncode == 0


def test_folders_that_cannot_be_looked_into_do_not_keep_the_daemon_from_measuring(tmp_path: Path) -> None:
    program(tmp_path)
    (tmp_path / "results/year=2020/month=01/day=01/.speedtest_a.csv.tmp").mkdir(parents=True)
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        daemon.first_rows()
        assert daemon.logged("swept")
        assert daemon.stop() == 0


def daemon_in(folder: Path) -> Daemon:
    folders = {"RESULT_DIR": str(folder / "results"), "UPLOAD_DIR": str(folder / "uploads")}
    (folder / "results").mkdir(exist_ok=True)
    settings = environment.read({"SLEEP_SECONDS": "0.01", **folders}, ENGINES)
    stop = Stop()
    return Daemon(
        settings=settings,
        programs={"ookla": Program(ENGINES["ookla"], folder, "1", (0, 0, 0))},
        remembered=memory.recall(settings.result_dir),
        clock=Clock(stop),
        environment=variables(folder) | folders,
        stop=stop,
    )


def test_nothing_is_converted_while_a_row_waits_for_the_disk(tmp_path: Path) -> None:
    daemon = daemon_in(tmp_path)
    keep(day_of(LAST_WEEK, 3), daemon.settings.result_dir)
    daemon.waiting.add(results.encode(failed(LAST_WEEK)))
    daemon.convert_complete_days()
    assert "conversion" not in [thread.name for thread in threading.enumerate()]
    daemon.waiting.save()
    daemon.convert_complete_days()
    daemon.close()
    assert len(list((tmp_path / "uploads").glob("*/*/*/*/*.parquet"))) == 1


def test_a_cycle_that_fails_as_nobody_foresaw_is_logged_and_the_next_one_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slots: list[Slot] = []

    @loop
    def cycle(daemon: Daemon, slot: Slot) -> None:
        slots.append(slot)
        if len(slots) < 3:
            raise LookupError("nobody foresaw this")
        daemon.stop.signal = signal.SIGTERM

    cycle(daemon_in(tmp_path))
    assert len(slots) == 3
    assert caplog.text.count("LookupError: nobody foresaw this") == 2


def test_no_conversion_is_started_while_one_runs(tmp_path: Path) -> None:
    program(tmp_path)
    keep([row for number in range(20) for row in day_of(LAST_WEEK - timedelta(days=number), 5)], tmp_path / "results")
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.05") as daemon:
        until(lambda: len(daemon.logged("converted")) == 20, "conversion of 20 days")
        assert daemon.stop() == 0
        assert not daemon.logged("conversion_failed", "exit code 75")


@pytest.mark.slow
def test_two_daemons_that_share_upload_dir_convert_in_turn_and_neither_logs_an_error(tmp_path: Path) -> None:
    uploads = {"UPLOAD_DIR": str(tmp_path / "uploads"), "SLEEP_SECONDS": "0.2"}
    homes = [tmp_path / "fibre", tmp_path / "lte"]
    for home in homes:
        program(home)
        keep(day_of(LAST_WEEK, 10, home.name), home / "results")
    with FolderLock(tmp_path / "uploads"), DaemonProcess(homes[0], homes[0] / "bin", **uploads) as waiting:
        until(lambda: len(waiting.logged("conversion_ended", "another conversion is running")) >= 3, "wait")
        assert waiting.stop() == 0
    with (
        DaemonProcess(homes[0], homes[0] / "bin", **uploads) as first,
        DaemonProcess(homes[1], homes[1] / "bin", **uploads) as second,
    ):
        for daemon in (first, second):
            until(lambda daemon=daemon: daemon.logged("converted"), "conversion")
            assert daemon.stop() == 0
            told = [record["event"] for record in daemon.log if record["level"] in {"WARNING", "ERROR"}]
            assert set(told) <= {"clock_unsynchronised"}
    told = [record["level"] for record in waiting.logged("conversion_ended", "another conversion is running")]
    assert told[:3] == ["INFO", "DEBUG", "DEBUG"]
    assert {path.name for path in (tmp_path / "uploads").iterdir()} == {"location=fibre", "location=lte"}
