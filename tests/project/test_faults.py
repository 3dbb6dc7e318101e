"""Run the short durability proof of tests/faults: no row lost, none duplicated, no incomplete file seen."""

import os
import subprocess
import sys

import pytest
from paths import PROJECT

from tests.faults.__main__ import BROKEN_PROTOCOL, NAMES

pytestmark = [pytest.mark.slow, pytest.mark.alone]  # it uses all cores itself

PATIENCE = 1800
"""Seconds allowed for all families. They take three minutes on two free cores."""


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """Run every family once in its short form, and return what it printed for each.

    It takes minutes because it runs thousands of cases, each a process of the real code on real files.
    """
    must_run = ["--all"] if os.environ.get("FAULTS_MUST_RUN") else []
    command = [sys.executable, "-m", "tests.faults", "--short", *must_run]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    sections = ran.stdout.split("\n| ")[1:]
    found = {section.partition(" |")[0].replace(" ", "-"): section for section in sections}
    missing = set(NAMES) - set(found)
    assert not missing, f"no line of {missing}; exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    if must_run:
        assert not ran.returncode, ran.stdout
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if name != BROKEN_PROTOCOL])
def test_nothing_is_lost_nothing_doubled_and_no_part_of_a_file_is_seen(printed: dict[str, str], name: str) -> None:
    line, *findings = printed[name].strip().splitlines()
    skip_if_not_run(line)
    assert not [finding for finding in findings if finding.startswith("  ")], printed[name]
    assert [cell.strip() for cell in line.split("|")][2:6] == ["0", "0", "0", "0"], line


def test_each_step_of_the_protocol_is_missed_when_it_is_taken_away(printed: dict[str, str]) -> None:
    skip_if_not_run(printed[BROKEN_PROTOCOL])
    assert "none missed" in printed[BROKEN_PROTOCOL], printed


def skip_if_not_run(line: str) -> None:
    _, not_run, why = line.partition("not run: ")
    if not_run:
        pytest.skip(why.partition(" |")[0])
