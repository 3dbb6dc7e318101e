"""Every command is also a module: `python -m speedtest.handlers.NAME` prints what `speedsnake NAME` prints."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import speedsnake
from daemon import PATIENCE, DaemonProcess, run, start, until, variables
from paths import PROJECT
from samples import day_of, keep
from standins import ookla

LAST_WEEK = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
PRINTED_BY = {
    "check": ["check"],
    "status": ["status", "--json"],
    "report": ["report", "--since", "30d"],
    "export": ["export", "--format", "json"],
}
HELP_OF = ["alert", "campaign", "compare", "contract", "deliver", "publish", "verdict"]
"""Their own tests say what they do."""


def without_what_passes(text: str) -> str:
    """Remove times, ages and free disk space, which differ between two calls."""
    return re.sub(r'"bytes_(free|used)":\d+|\d{2}:\d{2}(:\d{2})?(\.\d+)?', "", text)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED_BY)
def test_a_module_prints_what_its_command_prints(tmp_path: Path, name: str) -> None:
    ookla.install(tmp_path / "bin")
    keep(day_of(LAST_WEEK, 10), tmp_path / "results")
    _, *arguments = PRINTED_BY[name]
    command = speedsnake(tmp_path, name, *arguments, programs=tmp_path / "bin", LOG_LEVEL="DEBUG")
    module = run(tmp_path, name, *arguments, programs=tmp_path / "bin")
    assert command.stdout
    assert (module.returncode, without_what_passes(module.stdout)) == (0, without_what_passes(command.stdout))


def test_the_daemons_check_is_the_command(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    assert (
        run(tmp_path, "loop", "--check", programs=tmp_path / "bin").stdout
        == speedsnake(tmp_path, "check", programs=tmp_path / "bin", LOG_LEVEL="DEBUG").stdout
    )


def test_once_measures(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    ended = run(tmp_path, "once", programs=tmp_path / "bin")
    assert (ended.returncode, "290 Mbit/s" in ended.stdout) == (0, True)


def test_convert_converts(tmp_path: Path) -> None:
    keep(day_of(LAST_WEEK, 3), tmp_path / "results")
    ended = run(tmp_path, "convert")
    assert (ended.returncode, '"event": "converted"' in ended.stderr) == (0, True)


def test_healthcheck_judges(tmp_path: Path) -> None:
    ended = run(tmp_path, "healthcheck")
    assert (ended.returncode, ended.stderr.startswith("unhealthy: ")) == (1, True)


def test_loop_measures(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    with DaemonProcess(tmp_path, tmp_path / "bin") as daemon:
        until(lambda: daemon.logged("measured"), "row")
        assert daemon.stop() == 0


def test_page_serves(tmp_path: Path) -> None:
    process = start(tmp_path, "page", "--port", "0", environment=variables(tmp_path))
    try:
        until(lambda: '"event": "page_started"' in (tmp_path / "stderr").read_text(), "page")
    finally:
        process.terminate()
    assert process.wait(PATIENCE) == 0


def test_serve_test_answers(tmp_path: Path) -> None:
    process = start(tmp_path, "serve_test", "--port", "0", environment=variables(tmp_path))
    try:
        until(lambda: "answering speed tests at http://127.0.0.1:" in (tmp_path / "stdout").read_text(), "server")
    finally:
        process.terminate()
    assert process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_demo_makes_what_its_command_makes(tmp_path: Path) -> None:
    """Making a demo takes ten seconds. The second call uses the fresh one, so both print the same."""
    arguments = ("--no-page", "--folder", str(tmp_path / "year"))
    module = run(tmp_path, "demo", *arguments)
    assert (module.returncode, module.stdout) == (0, speedsnake(tmp_path, "demo", *arguments).stdout)
    assert "rows of two lines" in module.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", HELP_OF)
def test_a_module_has_the_help_of_its_command(tmp_path: Path, name: str) -> None:
    module = run(tmp_path, name, "--help")
    assert (module.returncode, "Exit codes: 0" in module.stdout) == (0, True)


def test_a_child_of_the_daemon_that_has_nothing_to_do_says_why(tmp_path: Path) -> None:
    assert run(tmp_path, "alert_child").returncode == 0
    assert "STAMP_URL is not set" in run(tmp_path, "stamp").stderr
    assert "there is no campaign" in run(tmp_path, "campaign_verdict").stderr


def test_every_handler_that_can_be_started_is_tried_here() -> None:
    folder = PROJECT / "speedtest/handlers"
    names = {path.stem for path in folder.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    tried = set(re.findall(r'(?:run|start)\(tmp_path, "(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    assert names == tried | set(PRINTED_BY) | set(HELP_OF) | {"loop", "watch"}  # see test_watch_command.py


@pytest.mark.parametrize("beside", [True, False], ids=["checkout", "image"])
def test_without_a_program_only_a_checkout_names_the_script_that_brings_one(tmp_path: Path, *, beside: bool) -> None:
    shutil.copytree(PROJECT / "speedtest", tmp_path / "speedtest", ignore=shutil.ignore_patterns("__pycache__"))
    if beside:
        shutil.copy(PROJECT / "bootstrap.sh", tmp_path)
    ended = run(tmp_path, "loop")
    assert (ended.returncode, "bootstrap.sh setup" in ended.stderr) == (69, beside)
