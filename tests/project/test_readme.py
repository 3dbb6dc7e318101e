"""The README documents every variable, column, command and event, and its examples work unchanged."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import get_args

import pytest
from command import speedsnake
from daemon import PATIENCE, run
from paths import PROJECT
from samples import day_of, keep, measured, utc

from speedtest.data import schema
from speedtest.engines import ENGINES
from speedtest.events import EVENTS, Event
from speedtest.handlers import cli
from speedtest.measurement import ErrorKind, SkipKind
from speedtest.terminal import exits
from speedtest.variables import MEASURING, Variable, variables

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of every line of a table."""
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")
    ]


def code(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


ALL = variables(ENGINES)
OF_THE_DAEMON = [variable for variable in ALL if variable.part in MEASURING]
OF_VIEWS = [variable for variable in ALL if variable.part not in MEASURING]


@pytest.mark.parametrize("variable", OF_THE_DAEMON, ids=lambda variable: variable.name)
def test_every_variable_stands_in_its_table_with_its_default(variable: Variable) -> None:
    defaults = {cells[0]: cells[1] for cells in table_rows(section("Configuration"))}
    default = defaults[f"`{variable.name}`"]
    assert default == f"`{variable.default}`" if variable.default else default in ("none", "the machine's")


def test_no_variable_stands_there_that_is_none() -> None:
    names = {cells[0].strip("`") for cells in table_rows(section("Configuration"))} - {"variable"}
    assert names == {variable.name for variable in OF_THE_DAEMON}


@pytest.mark.parametrize("variable", OF_VIEWS, ids=lambda variable: variable.name)
def test_every_variable_of_the_views_stands_in_its_table_with_its_default(variable: Variable) -> None:
    defaults = {cells[0]: cells[1] for cells in table_rows(section("For those who look"))}
    assert defaults[f"`{variable.name}`"] == (f"`{variable.default}`" if variable.default else "none")
    assert len(defaults) == len(OF_VIEWS) + 2  # the header and PAGE_PASSWORD_FILE


@pytest.mark.parametrize("column", schema.COLUMNS, ids=lambda column: column.name)
def test_every_column_is_told(column: schema.Column) -> None:
    assert f"`{column.name}`" in section("The columns")


def test_every_column_of_a_program_stands_under_its_type() -> None:
    kinds = {1: {"text"}, 2: {"float64"}, 3: {"int64"}, 4: {"bool"}}
    for cells in table_rows(section("The columns")):
        if cells[0] in ("both", "Ookla", "speedtest-cli"):
            for place, kind in kinds.items():
                for name in re.findall(r"`(\w+)`", cells[place] if place < len(cells) else ""):
                    assert schema.BY_NAME[name].kind in kind, name


@pytest.mark.parametrize("kind", get_args(ErrorKind.__value__))
def test_every_kind_of_failure_is_told(kind: str) -> None:
    assert f"| `{kind}` |" in section("When a test fails")


@pytest.mark.parametrize("kind", get_args(SkipKind.__value__))
def test_every_reason_to_skip_a_slot_is_told(kind: str) -> None:
    assert f"| `{kind}` |" in section("When a slot is skipped")


def test_every_engine_is_told() -> None:
    for name in ENGINES:
        assert f"`{name}`" in section("Configuration")


def test_every_exit_code_is_told() -> None:
    codes = [code for cells in table_rows(section("Exit codes")) for code in cells[0].split(", ")]
    told = {int(code) for code in codes if code.isdigit()}
    assert told == {
        exits.OK,
        exits.FAILED,
        exits.NO_PROGRAM,
        exits.BUSY,
        exits.MISCONFIGURED,
        os.EX_USAGE,
        exits.INTERRUPTED,
        *exits.VERDICTS.values(),
    }


def test_every_handler_is_told() -> None:
    handlers = [
        path.stem for path in (PROJECT / "speedtest" / "handlers").glob("*.py") if "__main__" in path.read_text()
    ]
    assert {"convert", "healthcheck", "loop", "page"} < set(handlers)
    commands = section("The command line")
    for name in handlers:
        told = f"| `{name.replace('_', '-')}` |" in commands
        assert told or f"python -m speedtest.handlers.{name}" in README


@pytest.mark.slow
def test_every_command_is_told_with_an_example(tmp_path: Path) -> None:
    told = {cells[0].strip("`"): cells[2].strip("`") for cells in table_rows(section("The command line"))}
    commands = {each.callback.__name__.replace("_", "-") for each in cli.app.registered_commands if each.callback}
    assert told.keys() - {"command"} == commands
    for command in commands:
        words = shlex.split(told[command])
        assert f"speedsnake {command}" in told[command]
        arguments = words[words.index("speedsnake") + 1 :]
        assert speedsnake(tmp_path, *arguments, "--help").returncode == 0
        assert speedsnake(tmp_path, *arguments, "--xyzzy").stderr.strip().endswith("--xyzzy")


def test_every_command_of_bootstrap_is_told() -> None:
    helped = subprocess.run([PROJECT / "bootstrap.sh", "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^ +\./bootstrap\.sh( [\w-]+)?", helped, re.MULTILINE)
    assert commands
    for command in commands:
        assert f"./bootstrap.sh{command}" in README


def test_every_field_of_a_log_line_that_is_told_is_there(tmp_path: Path) -> None:
    keep([measured(utc(2026, 3, 28))], tmp_path / "results")
    line = run(tmp_path, "convert", COMMIT_HASH="abc").stderr
    for field in re.findall(
        r"`(\w+)`", section("Logs and health").partition("Search it by its fields:")[2].split(".")[0]
    ):
        assert f'"{field}"' in line or field in ("download_mbps", "error_kind"), field


@pytest.mark.parametrize("example", code("python"), ids=["pandas", "duckdb", "polars"])
def test_an_example_of_reading_works_as_it_stands_and_its_figures_are_right(tmp_path: Path, example: str) -> None:
    rows = day_of(utc(2026, 3, 28), 12)
    keep(rows, tmp_path / "results")
    assert run(tmp_path, "convert").returncode == 0
    ended = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE * 2, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    figures = {
        "median(download_mbps)": median(row.download_mbps for row in rows if row.download_mbps),
        '["download_mbps"]': rows[0].download_mbps,
        '"latency_ms"': median(row.latency_ms for row in rows if row.latency_ms),
    }
    (figure,) = [value for words, value in figures.items() if words in example]
    assert f"{figure:.3f}" in ended.stdout


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)]+)\)", README):
        assert (PROJECT / target).exists(), target


def test_every_event_of_the_log_is_told_with_its_meaning() -> None:
    text = (PROJECT / "docs/events.md").read_text(encoding="utf-8")
    told = {cells[0].strip("`"): cells[1] for cells in table_rows(text) if cells[0] != "event"}
    assert told == EVENTS
    assert set(EVENTS) == set(get_args(Event.__value__))


def test_every_event_is_logged_somewhere() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "speedtest").rglob("*.py"))
    calls = set(re.findall(r"News\(\"(\w+)\"", code))  # the watch says these; another thread logs them
    calls |= set(re.findall(r"(?:failed|ended)=\"(\w+)\"", code))  # how a child of the daemon ended
    calls |= set(re.findall(r"events\.\w+\(\s*(?:[\w. ]+,\s*)?\"(\w+)\"", code)) | set(
        re.findall(r"Events\(\S+\)\.\w+\(\s*\"(\w+)\"", code)
    )
    calls |= set(re.findall(r"\b(?:failed|ended)=\"(\w+)\"", code))  # an errand says these
    assert set(EVENTS) - calls == {"bug", "child", "other"}  # the logging module sets these
