"""`speedsnake` itself: help, completion, exit codes, and the commands that become another handler."""

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import SPEEDSNAKE, Terminal, speedsnake
from daemon import PATIENCE, rows, until, variables
from samples import day_of, keep
from standins import ookla
from standins.ookla_behaviours import NOW
from standins.ookla_results import V1_2_0, changed

from speedtest.handlers.cli import app

COMMANDS = [command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback]
LAST_WEEK = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)


def test_it_says_what_it_can_do(tmp_path: Path) -> None:
    for arguments in (["--help"], ["-h"], list[str]()):
        ended = speedsnake(tmp_path, *arguments)
        assert ended.returncode == (0 if arguments else 64)
        listed = re.findall(r"^  ([\w-]+)  ", (ended.stdout + ended.stderr).partition("Commands:")[2], re.MULTILINE)
        assert listed == COMMANDS
        assert "..." not in ended.stdout.partition("Commands:")[2]
    assert {"loop", "once", "status", "convert", "check", "export", "demo"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_its_exit_codes(tmp_path: Path, command: str) -> None:
    ended = speedsnake(tmp_path, command, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Exit codes: 0" in ended.stdout
    examples = ended.stdout.partition("Examples:\n")[2].splitlines()
    assert examples
    assert all(re.match(rf"    (\w+=\S+ )*speedsnake {command}\b", example) for example in examples)
    assert "\x1b" not in ended.stdout


@pytest.mark.parametrize("arguments", [["lop"], ["--nonsense"], ["status", "--nonsense"], ["once", "surplus"]])
def test_what_means_nothing_is_refused_with_64(tmp_path: Path, arguments: list[str]) -> None:
    ended = speedsnake(tmp_path, *arguments)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert arguments[-1] in ended.stderr


def test_its_version_is_that_of_the_project(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "--version")
    assert (ended.returncode, re.fullmatch(r"speedsnake \d+\.\d+\.\d+\n", ended.stdout) is not None) == (0, True)


@pytest.mark.slow
def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    def completed(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_SPEEDSNAKE_COMPLETE": "complete_bash"}
        return speedsnake(tmp_path, programs=None, **words).stdout.split()

    assert completed("speedsnake st") == ["status"]
    assert "--json" in completed("speedsnake status --")
    assert set(completed("speedsnake export --format ")) == {"csv", "json", "parquet", "xlsx"}
    bash = ["bash", "-c", f"{shlex.quote(str(SPEEDSNAKE))} --show-completion; exit $?"]  # it asks which shell called it
    shown = subprocess.run(bash, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert "_SPEEDSNAKE_COMPLETE=complete_bash" in shown


def test_help_and_completion_load_no_heavy_library(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "--help", programs=None, PYTHONPROFILEIMPORTTIME="1")
    imported = {name.partition(".")[0] for name in re.findall(r"\| +(\S+)$", ended.stderr, re.MULTILINE)}
    assert "typer" in imported
    assert not imported & {"pandas", "pyarrow", "numpy", "altair"}


def test_loop_becomes_the_daemon_itself(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin", result=changed(V1_2_0, ("2024-03-09T14:25:36Z", NOW)) + "\n")
    with Terminal(tmp_path, "loop", programs=tmp_path / "bin", SLEEP_SECONDS="600") as terminal:
        until(lambda: rows(tmp_path), "row")
        command = Path(f"/proc/{terminal.process.pid}/cmdline").read_bytes().split(b"\0")
        assert command[1:-1] == [b"-m", b"speedtest.handlers.loop"]
        terminal.type(b"\x03")
        assert terminal.end() == 0
    assert "stopped by SIGINT" in terminal.text


@pytest.mark.slow
def test_loop_ends_with_the_daemons_exit_codes(tmp_path: Path) -> None:
    assert speedsnake(tmp_path, "loop", SPEEDTEST_ENGINE="librespeed").returncode == 69
    assert speedsnake(tmp_path, "loop", programs=None, SLEEP_SECONDS="never").returncode == 78
    assert speedsnake(tmp_path, "loop", "--check").returncode == 64


def test_check_prints_what_is_in_force_or_the_same_as_json(tmp_path: Path) -> None:
    path = ookla.install(tmp_path / "bin")
    ended = speedsnake(tmp_path, "check", programs=tmp_path / "bin", SLEEP_SECONDS="600")
    assert ended.returncode == 0
    assert re.search(r"^SLEEP_SECONDS +600 \(environment; default 5\)$", ended.stdout, re.MULTILINE)
    assert re.search(rf"^program +{path} \(ookla 1\.2\.0\.84\)$", ended.stdout, re.MULTILINE)
    ended = speedsnake(tmp_path, "check", "--json", programs=tmp_path / "bin", SLEEP_SECONDS="600")
    found = json.loads(ended.stdout)
    assert found["settings"]["SLEEP_SECONDS"] == "600"
    assert found["settings"]["SPEEDTEST_SERVER_ID"] is None
    assert found["writable"] == {"RESULT_DIR": True, "UPLOAD_DIR": True, "LOG_DIR": True}
    assert found["programs"] == [{"engine": "ookla", "version": "1.2.0.84", "path": str(path)}]
    assert speedsnake(tmp_path, "check", "--json", SPEEDTEST_ENGINE="librespeed").returncode == 69


def test_convert_is_the_handler_where_nobody_watches(tmp_path: Path) -> None:
    keep(day_of(LAST_WEEK, 10), tmp_path / "results")
    ended = speedsnake(tmp_path, "convert")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert [json.loads(ended.stderr)[name] for name in ("event", "rows")] == ["converted", 10]


@pytest.mark.slow
def test_convert_shows_a_bar_over_the_days_there_are(tmp_path: Path) -> None:
    days = [LAST_WEEK - timedelta(days=number) for number in range(100)]
    keep([row for day in days for row in day_of(day, 3)], tmp_path / "results")
    before = rows(tmp_path)
    with Terminal(tmp_path, "convert") as terminal:
        terminal.until("100/100 days")
        assert terminal.end() == 0
    assert f"converting {LAST_WEEK.date()}" in terminal.text
    assert re.search(r" [1-9]\d?/100 days", terminal.text)
    assert "3 rows" not in terminal.text
    assert len(list(tmp_path.glob("uploads/**/*.parquet"))) == 100
    assert rows(tmp_path) == before


def test_convert_in_a_terminal_has_the_same_exit_codes_and_words(tmp_path: Path) -> None:
    keep(day_of(LAST_WEEK, 3), tmp_path / "results")
    bad = tmp_path / f"uploads/location=x/year={LAST_WEEK.year}/month={LAST_WEEK:%m}/day={LAST_WEEK:%d}"
    bad.mkdir(parents=True)
    (bad / "speedtest_001.parquet").write_bytes(b"junk")
    with Terminal(tmp_path, "convert") as terminal:
        assert terminal.end() == 1
    assert "speedtest_001.parquet cannot be read" in " ".join(terminal.text.split())
    with Terminal(tmp_path, "convert", programs=None, SLEEP_SECONDS="never") as terminal:
        assert terminal.end() == 78


def test_a_program_beside_this_python_is_found_without_being_on_path(tmp_path: Path) -> None:
    """`bootstrap.sh` installs Ookla's CLI into `.venv/bin`, and `.venv/bin/speedsnake once` must find it there."""
    path = ookla.install(tmp_path / "venv")
    python = tmp_path / "venv/python"
    python.symlink_to(sys.executable)
    ended = subprocess.run(
        [python, "-c", "from speedtest.handlers.cli import main; main()", "check", "--json"],
        cwd=tmp_path,
        env=variables(tmp_path) | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert json.loads(ended.stdout)["programs"][0]["path"] == str(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("is_unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["--version"]])
def test_a_full_disk_behind_the_output_ends_a_command_with_one_line(
    tmp_path: Path, arguments: list[str], is_unbuffered: str
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            [SPEEDSNAKE, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=variables(tmp_path, PYTHONUNBUFFERED=is_unbuffered),
            timeout=PATIENCE,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "No space left on device" in ended.stderr
