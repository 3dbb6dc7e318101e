"""Run the real `./bootstrap.sh` in a copy of this project, as a person does."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from daemon import rows, until
from machine import MISCONFIGURED, OOKLA_ANSWER, SCRIPT, UNUSABLE, Machine, nobody_listening

REFUSED_TESTS = [["test", "--wrong"], ["test", "fast"], ["test", "--fast", "--fast"], ["test", "--fast", "--wrong"]]

SAMPLE = """import pytest


def test_quick() -> None:
    assert sum([1, 2]) == 3


@pytest.mark.slow
def test_slow() -> None:
    assert sum([2, 1]) == 3


@pytest.mark.browser
def test_browser() -> None:
    assert sum([3]) == 3


@pytest.mark.real_program
def test_real_program() -> None:
    assert sum([1, 1, 1]) == 3


@pytest.mark.slow
@pytest.mark.alone
def test_alone() -> None:
    assert sum([0, 3]) == 3
"""


@pytest.mark.parametrize("arguments", [["instal"], ["setup", "test"], ["--verbose"], *REFUSED_TESTS])
def test_what_is_no_command_is_refused_with_the_help(fresh: Machine, arguments: list[str]) -> None:
    ended = fresh.bootstrap(*arguments)
    assert ended.returncode == UNUSABLE
    assert ended.stdout == ""
    assert "./bootstrap.sh setup" in ended.stderr
    assert not (fresh.project / ".venv").exists()


def test_help_names_every_command_and_variable(fresh: Machine) -> None:
    shown = fresh.bootstrap("--help")
    assert shown.returncode == 0
    commands = set(re.findall(r"^verb_(\S+)\(\)", SCRIPT, re.MULTILINE)) - {"run"}
    assert commands >= {"setup", "test"}
    for command in commands:
        assert f"  ./bootstrap.sh {command} " in shown.stdout
    for variable in re.findall(r"\bBOOTSTRAP_\w+", SCRIPT):
        assert f"  {variable} " in shown.stdout
    assert not (fresh.project / ".venv").exists()


def test_a_setting_that_the_daemon_refuses_ends_set_up_with_its_words(fresh: Machine) -> None:
    ended = fresh.bootstrap("setup", SPEEDTEST_TIMEOUT_SECONDS="soon")
    assert ended.returncode == MISCONFIGURED
    assert "SPEEDTEST_TIMEOUT_SECONDS='soon' is not allowed" in ended.stderr


@pytest.fixture(scope="module")
def developer(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Return a machine whose project has five tests, four of which the fast lane leaves out."""
    machine = Machine(tmp_path_factory.mktemp("developer") / "machine")
    shutil.rmtree(machine.project / "tests")
    (machine.project / "tests").mkdir()
    (machine.project / "tests/test_sample.py").write_text(SAMPLE)
    return machine


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "passes"), [([], ["1", "3", "1"]), (["--fast"], ["1"])], ids=["test", "test --fast"]
)
def test_the_test_command_passes_a_sound_project_and_stops_at_what_a_tool_finds(
    developer: Machine, arguments: list[str], passes: list[str]
) -> None:
    sample = developer.project / "tests/test_sample.py"
    sound = developer.bootstrap("test", *arguments)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert (
        re.findall(r" (\d+) passed", sound.stdout) == passes
    )  # the quick ones, the slow ones, and those that run alone

    sample.write_text(SAMPLE.replace("==", " =="))
    unsound = developer.bootstrap("test", *arguments)
    sample.write_text(SAMPLE)
    assert unsound.returncode == 1
    assert "passed" not in unsound.stdout.replace("All checks passed!", "")


@pytest.mark.slow
def test_bench_passes_its_options_on(fresh: Machine) -> None:
    ended = fresh.bootstrap("bench", "--quick", "conversions")
    assert ended.returncode == 2
    assert "no benchmark is called conversions; there are conversion, daemon" in ended.stderr


@pytest.mark.slow
def test_demo_shows_a_year_without_a_speed_test_program_and_passes_its_options_on(fresh: Machine) -> None:
    """It takes seconds because it makes the whole year with the libraries of a user, none of a developer."""
    ended = fresh.bootstrap("demo", "--no-page", "--folder", "a year")
    assert ended.returncode == 0, ended.stderr
    assert "rows of two lines over a year" in ended.stdout
    assert list((fresh.project / "a year/uploads").glob("location=demo-home/year=*/month=*/day=*/*.parquet"))
    assert not (fresh.project / "results").exists()
    assert fresh.brought == set()


@pytest.mark.slow
def test_faults_passes_its_options_on(fresh: Machine) -> None:
    ended = fresh.bootstrap("faults", "--short", "floods")
    assert ended.returncode == 2
    assert "no family is named floods; choose from kill, kill-twice" in ended.stderr


def test_the_script_uses_nothing_that_bash_3_2_lacks() -> None:
    newer = r"\b(mapfile|readarray|coproc)\b|\b(declare|local|typeset) -[Agn]|\$\{\w+(\^|,|@)|&>>|\|&|;;?&|\[\[ -v"
    assert re.findall(newer, SCRIPT) == []
    assert not re.search(r"\$\{?\w+\[@\]", SCRIPT), "an empty array is an unset one there"


@contextmanager
def running(command: Path, folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (folder / "said").open("wb") as said,
        subprocess.Popen(
            [command], cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        except BaseException as error:
            error.add_note((folder / "said").read_text())
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_from_a_fresh_clone_to_a_daemon_that_says_honestly_why_the_test_failed(fresh: Machine, tmp_path: Path) -> None:
    clone, commit = commit_and_clone(fresh)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "speedsnake").symlink_to("link")
    (elsewhere / "link").symlink_to(clone / "bootstrap.sh")
    with nobody_listening() as refused:
        fresh.project = clone
        ready = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=refused)
        assert ready.returncode == 0, ready.stderr
        assert "Ookla's CLI could not be downloaded" in ready.stderr
        assert fresh.brought == {"speedtest-cli"}

        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"), refused)
        environment = fresh.environment(UV_OFFLINE="1", SPEEDTEST_ENGINE="speedtest-cli", **proxies)
        with running(elsewhere / "speedsnake", elsewhere, environment) as daemon:
            until(lambda: list((clone / "results").rglob("speedtest_*.csv")), "row")
            (row,) = rows(clone)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(30) == 0
    assert (row["status"], row["error_kind"]) == ("failed", "refused")
    assert "Cannot retrieve speedtest configuration" in row["error"]
    assert (row["engine"], row["engine_version"]) == ("speedtest-cli", "2.1.3")
    assert (row["commit_hash"], row["interval_seconds"]) == (commit, 600)


def test_outside_a_checkout_the_users_own_settings_reach_the_daemon_and_no_commit_is_made_up(
    fresh: Machine, tmp_path: Path
) -> None:
    fresh.program("speedtest", OOKLA_ANSWER)
    fresh.git("init", "--quiet", folder=fresh.project.parent)
    fresh.git(
        "commit", "--quiet", "--allow-empty", "--message", "another project around it", folder=fresh.project.parent
    )
    own = tmp_path / "own"
    chosen = {"SPEEDTEST_ENGINE": "ookla", "SLEEP_SECONDS": "77.5"}
    environment = fresh.environment(RESULT_DIR=str(own / "results"), **chosen)
    own.mkdir()
    with running(fresh.project / "bootstrap.sh", own, environment) as daemon:
        until(lambda: list((own / "results").rglob("speedtest_*.csv")), "row")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
    (row,) = rows(own)
    assert row["interval_seconds"] == 77.5
    assert "commit_hash" not in row


def commit_and_clone(fresh: Machine) -> tuple[Path, str]:
    """Commit the copied working tree, so that uncommitted changes are tested too, and clone it."""
    clone = fresh.project.with_name("the clone")
    fresh.git("init", "--quiet")
    fresh.git("add", "--all")
    fresh.git("commit", "--quiet", "--message", "everything")
    fresh.git("clone", "--quiet", ".", str(clone))
    return clone, fresh.git("rev-parse", "HEAD")
