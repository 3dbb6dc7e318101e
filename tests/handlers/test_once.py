"""`speedsnake once` measures now, shows its progress and saves the row, also while a daemon runs."""

import json
import re
import signal
from datetime import datetime
from pathlib import Path

import pytest
from attempts import SECOND
from command import Terminal, speedsnake
from daemon import PATIENCE, DaemonProcess, rows, run, start, until, variables
from msgspec.structs import replace
from samples import utc
from standins import ookla
from standins.http_server import HttpServer
from standins.ookla_behaviours import NOW, say
from standins.ookla_results import V1_2_0, changed
from views import good

from speedtest.measurement import COMMON_COLUMNS
from speedtest.terminal.live_bar import curve
from speedtest.terminal.row import lines

TODAY = changed(V1_2_0, ("2024-03-09T14:25:36Z", NOW))


def program(folder: Path, behaviour: str = "good result, 1.2.0", *, halfway: str = ":", seconds: float = 0) -> Path:
    result = TODAY + "\n" if behaviour == "good result, 1.2.0" else None
    ookla.install(folder / "bin", behaviour, result=result, halfway=halfway, seconds=seconds)
    return folder / "bin"


def test_it_prints_the_result_as_a_person_wants_it_and_keeps_the_row(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "once", programs=program(tmp_path), SPEEDTEST_LOCATION_UUID="home")
    assert (ended.returncode, ended.stderr) == (0, "")
    said = dict(re.split(r" {2,}", line, maxsplit=1) for line in ended.stdout.splitlines())
    (path,) = (tmp_path / "results").glob("year=*/month=*/day=*/*.csv")
    when = said.pop("when")
    said.pop("link", None)  # that of the machine on which this test runs
    assert when.endswith(" UTC, home, ookla 1.2.0.84")
    assert said == {
        "download": "290 Mbit/s",
        "upload": "12.5 Mbit/s",
        "latency": "15.4 ms",
        "jitter": "2.55 ms",
        "packet loss": "1.76 %",
        "bufferbloat": "+9.3 ms down, +29.5 ms up",
        "server": "Example Net, Bern, Switzerland (4711)",
        "result": "https://www.speedtest.net/result/c/5d0a4b7e-9c1f-4a56-8a37-0d6f5b3c2e11",
        "file": str(path.relative_to(tmp_path)),
    }
    (row,) = rows(tmp_path)
    assert (row["status"], row["speedtest_address"], row["download_mbps"]) == ("ok", "home", 290.0)
    assert not {"slot", "attempt", "interval_seconds"} & row.keys()


def test_json_is_the_common_columns_as_one_object(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "once", "--json", programs=program(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    printed = json.loads(ended.stdout)
    assert tuple(printed) == COMMON_COLUMNS
    (row,) = rows(tmp_path)
    instants = {name: datetime.fromisoformat(printed[name]) for name in ("timestamp", "started_at")}
    common = {name: row.get(name) for name in COMMON_COLUMNS}
    assert printed | instants == common


def test_a_failed_test_is_told_with_the_programs_words_kept_and_exits_1(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "once", programs=program(tmp_path, "error object on stdout"))
    assert ended.returncode == 1
    assert re.search(r"^failed +exit: Cannot open socket$", ended.stdout, re.MULTILINE)
    (row,) = rows(tmp_path)
    assert (row["status"], row["error_kind"], row["error"], row["exit_code"]) == (
        "failed",
        "exit",
        "Cannot open socket",
        2,
    )


def test_without_a_program_it_exits_69_and_for_a_mistake_78(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "once", SPEEDTEST_ENGINE="librespeed")
    assert (ended.returncode, "no speed-test program found" in ended.stderr) == (69, True)
    assert speedsnake(tmp_path, "once", programs=program(tmp_path), SLEEP_SECONDS="never").returncode == 78
    (tmp_path / "file").write_text("no folder")
    ended = speedsnake(tmp_path, "once", programs=tmp_path / "bin", RESULT_DIR=str(tmp_path / "file"))
    assert (ended.returncode, ended.stderr.count("\n")) == (78, 1)


def test_a_bar_shows_speed_and_percent_while_it_runs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    gate = f"while [ ! -e {tmp_path / 'go'} ]; do sleep 0.02; done"
    with Terminal(tmp_path, "once", programs=program(tmp_path, halfway=gate, seconds=0)) as terminal:
        terminal.until("download")
        terminal.until("42%")
        terminal.until("250.0 Mbit/s")
        (tmp_path / "go").touch()
        assert terminal.end() == 0
    assert "290 Mbit/s" in terminal.text
    _, shown_again, after = terminal.raw.partition("\x1b[?25h")  # the cursor
    assert shown_again
    assert after.startswith("\r\x1b[1A\x1b[2K")
    assert ookla.calls(tmp_path / "bin" / "speedtest")[-1] == [
        "--accept-license",
        "--accept-gdpr",
        "--progress=yes",
        "--format=jsonl",
    ]


@pytest.mark.slow
def test_a_test_of_our_own_program_shows_its_curve_while_it_runs(tmp_path: Path) -> None:
    with HttpServer() as server:
        chosen = {"SPEEDTEST_ENGINE": "http", "SPEEDTEST_SERVER": server.url} | SECOND
        with Terminal(tmp_path, "once", programs=None, **chosen) as terminal:
            terminal.until("latency")
            for step in ("download", "upload"):
                terminal.until(step)
                shown = len(terminal.text)
                while not re.search(rf"{step}.* Mbit/s [▁▂▃▄▅▆▇█]{{3,}} ", terminal.text[shown:]):
                    assert terminal.process.poll() is None
                    terminal.read()
            assert terminal.end() == 0
    (row,) = rows(tmp_path)
    assert (row["status"], row["engine"]) == ("ok", "http")


@pytest.mark.parametrize(
    ("speeds", "drawn"), [([], ""), ([0, 0], "▁▁"), ([0, 50, 100], "▁▅█"), ([1e-9, -1], "█▁"), ([8, 6, 1], "█▇▂")]
)
def test_a_curve_has_its_fastest_moment_at_full_height(speeds: list[float], drawn: str) -> None:
    assert curve(speeds) == drawn


def test_it_says_over_which_link_it_measured_and_that_the_machine_was_busy() -> None:
    measured = replace(good(utc(2026, 3, 28)), interface="eth0", link="ethernet", link_mbps=1000.0, cpu_percent=85.0)
    assert "eth0, ethernet, 1000 Mbit/s" in [text.plain.split("  ")[-1].strip() for text in lines(measured)]
    busy = replace(measured, cpu_percent=85.1)
    assert any("this machine was busy" in text.plain for text in lines(busy))
    assert not any(text.plain.startswith("link") for text in lines(good(utc(2026, 3, 28))))


def test_a_row_that_was_watched_is_the_same_as_one_that_was_not(tmp_path: Path) -> None:
    with Terminal(tmp_path, "once", programs=program(tmp_path)) as terminal:
        assert terminal.end() == 0
    assert speedsnake(tmp_path, "once", programs=tmp_path / "bin").returncode == 0
    watched, unseen = rows(tmp_path)
    differ = {"timestamp", "started_at", "duration_seconds", "other_bytes", "cpu_percent", "memory_percent"}
    assert {name: watched[name] for name in watched.keys() - differ} == {
        name: unseen[name] for name in unseen.keys() - differ
    }


def test_a_watched_test_that_fails_keeps_the_programs_words_and_not_its_progress(tmp_path: Path) -> None:
    with Terminal(tmp_path, "once", programs=program(tmp_path, "exit code without a word")) as terminal:
        assert terminal.end() == 1
    (row,) = rows(tmp_path)
    assert (row["error_kind"], row["exit_code"], row.get("error", "")) == ("exit", 3, "")


def test_a_program_that_cannot_tell_is_waited_for_with_the_seconds_that_pass(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = f"""#!/bin/sh
case $1 in --version) echo 'speedtest-cli 2.1.3'; exit;; esac
while [ ! -e {tmp_path / "go"} ]; do sleep 0.02; done
{say('{"download":1e8,"upload":2e7,"ping":9.5,"timestamp":"2026-03-28T10:00:00Z","bytes_sent":1,"bytes_received":2}')}
"""
    cli = tmp_path / "bin" / "speedtest-cli"
    cli.write_text(script)
    cli.chmod(0o755)
    with Terminal(tmp_path, "once", programs=tmp_path / "bin", SPEEDTEST_ENGINE="speedtest-cli") as terminal:
        terminal.until("speedtest-cli measures 1 s")
        (tmp_path / "go").touch()
        assert terminal.end() == 0
    assert "100 Mbit/s" in terminal.text


def test_colours_are_for_terminals_and_not_for_those_who_refuse_them(tmp_path: Path) -> None:
    programs = program(tmp_path)
    with Terminal(tmp_path, "once", programs=programs) as terminal:
        assert terminal.end() == 0
    assert "\x1b[32m290 Mbit/s" in terminal.raw
    with Terminal(tmp_path, "once", programs=programs, NO_COLOR="1") as terminal:
        assert terminal.end() == 0
    assert "\x1b[32m" not in terminal.raw
    assert "\x1b" not in speedsnake(tmp_path, "once", programs=programs).stdout


@pytest.mark.slow
def test_ctrl_c_ends_the_test_quietly_without_a_row(tmp_path: Path) -> None:
    path = ookla.install(tmp_path / "bin", "hangs and ignores SIGTERM")
    with Terminal(tmp_path, "once", programs=tmp_path / "bin") as terminal:
        until(lambda: len(ookla.calls(path)) == 2, "test that runs")
        terminal.type(b"\x03")
        assert terminal.end() == 130
    assert "no row was saved" in terminal.text
    assert "Traceback" not in terminal.text
    until(lambda: not ookla.alive(path), "end of the program")
    assert rows(tmp_path) == []


def test_values_that_would_steer_the_terminal_are_shown_as_text(tmp_path: Path) -> None:
    hostile = changed(
        TODAY,
        ("Example Net", r"[red]Evil[/red]\u001b]0;owned\u0007\u001b[2J\u202e" + "x" * 10_000),
        ("Bern", r"a\nb\rc"),
    )
    ookla.install(tmp_path / "bin", result=hostile + "\n")
    with Terminal(tmp_path, "once", programs=tmp_path / "bin") as terminal:
        assert terminal.end() == 0
    assert r"[red]Evil[/red]\x1b]0;owned\x07\x1b[2J\u202exxx" in terminal.text
    assert "\x1b]0;" not in terminal.raw
    assert "\x1b[2J" not in terminal.raw
    assert len(terminal.text) < 5000
    (row,) = rows(tmp_path)
    assert row["server_name"].startswith("[red]Evil[/red]\x1b]0;owned\x07")


@pytest.mark.slow
def test_it_measures_beside_a_running_daemon_and_no_row_is_lost(tmp_path: Path) -> None:
    programs = program(tmp_path)
    with DaemonProcess(tmp_path, programs, SLEEP_SECONDS="0.05") as daemon:
        daemon.first_rows()
        for _ in range(5):
            assert speedsnake(tmp_path, "once", programs=programs).returncode == 0
        assert daemon.stop() == 0
        measured = len(daemon.logged("measured"))
    found = rows(tmp_path)
    assert len([row for row in found if "slot" not in row]) == 5
    assert len([row for row in found if row["status"] == "ok"]) == measured + 5


def test_a_row_of_the_daemons_second_is_a_file_of_its_own_temporary_included(tmp_path: Path) -> None:
    """The file and its temporary file have other names than the daemon's, so that neither replaces the other."""
    same = changed(V1_2_0, ("2024-03-09T14:25:36Z", "2026-03-28T10:00:00Z"))
    ookla.install(tmp_path / "bin", result=same + "\n")
    day = tmp_path / "results/year=2026/month=03/day=28"
    day.mkdir(parents=True)
    (day / ".speedtest_10-00-00.csv.tmp").write_text("half a row of the daemon's")
    assert speedsnake(tmp_path, "once", programs=tmp_path / "bin").returncode == 0
    assert (day / ".speedtest_10-00-00.csv.tmp").read_text() == "half a row of the daemon's"
    assert sorted(path.name for path in day.glob("*.csv")) == ["speedtest_10-00-00_once.csv"]
    assert run(tmp_path, "convert").returncode == 0
    assert len(rows(tmp_path)) == 1
    assert not day.exists() or list(day.glob("speedtest_*")) == []


def test_a_row_that_the_disk_refuses_is_printed_so_that_it_can_be_saved(tmp_path: Path) -> None:
    same = changed(V1_2_0, ("2024-03-09T14:25:36Z", "2026-03-28T10:00:00Z"))
    ookla.install(tmp_path / "bin", result=same + "\n")
    day = tmp_path / "results/year=2026/month=03/day=28"
    day.parent.mkdir(parents=True)
    day.write_text("a file where the day should be")
    ended = speedsnake(tmp_path, "once", "--json", programs=tmp_path / "bin")
    assert ended.returncode == 1
    (unsaved,) = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith('{"unsaved_row"')]
    day.unlink()
    day.mkdir()
    (day / "speedtest_by-hand.csv").write_text(unsaved["unsaved_row"])
    (row,) = rows(tmp_path)
    assert row["download_mbps"] == 290.0


def test_two_at_once_would_spoil_each_other_and_the_second_exits_75(tmp_path: Path) -> None:
    path = ookla.install(tmp_path / "bin", "hangs")
    first = start(tmp_path, "once", environment=variables(tmp_path, tmp_path / "bin"))
    try:
        until(lambda: len(ookla.calls(path)) == 2, "test that runs")
        second = speedsnake(tmp_path, "once", programs=tmp_path / "bin")
        assert (second.returncode, f"process {first.pid}" in second.stderr) == (75, True)
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE) == 130
    finally:
        first.kill()
        first.wait()


def test_a_program_that_never_ends_is_ended_when_its_time_is_up(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "once", programs=program(tmp_path, "hangs"), SPEEDTEST_TIMEOUT_SECONDS="0.5")
    assert ended.returncode == 1
    assert re.search(r"^failed +timeout: ended after 0.5 s", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("module", ["once", "status", "export", "demo"])
def test_a_command_is_a_handler_too(tmp_path: Path, module: str) -> None:
    ended = run(tmp_path, module, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"Usage: python -m speedtest.handlers.{module} [OPTIONS]" in ended.stdout
    assert run(tmp_path, module, "--nonsense").returncode == 64


def test_what_it_moves_counts_towards_the_budget_of_the_daemon(tmp_path: Path) -> None:
    for _ in range(2):
        assert speedsnake(tmp_path, "once", programs=program(tmp_path)).returncode == 0
    path = tmp_path / "results" / ".once.json"
    ((month, moved),) = json.loads(path.read_text()).items()
    assert (len(month), moved) == (7, 2 * 341_116_232)
    with DaemonProcess(tmp_path, tmp_path / "bin", DATA_BUDGET_GB_PER_MONTH="0.5") as daemon:
        (said,) = until(lambda: daemon.logged("skipped"), "skip")
        assert said["error_kind"] == "data-budget"
        assert daemon.stop() == 0
