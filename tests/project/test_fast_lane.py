"""What `./bootstrap.sh test --fast` leaves out, by pytest's own plan of what it would run."""

import re
import subprocess
import sys
from collections.abc import Mapping

import pytest
from machine import SCRIPT
from paths import PROJECT

REAL_PROGRAMS = {"speedtest_cli", "librespeed_cli", "iperf3"}

pytestmark = pytest.mark.slow  # pytest imports all tests, twice

type Plan = Mapping[str, set[str]]
"""The names of the fixtures that each test uses, also by way of another fixture."""


def planned(tests: str) -> Plan:
    """Return what pytest would run for an expression of markers; nothing is run."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--setup-plan", "-m", tests]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = re.findall(r"^ +(\S+\.py::.+?)(?: \(fixtures used: (.+)\))?$", ended.stdout, re.MULTILINE)
    assert lines
    return {test: set(fixtures.split(", ")) for test, fixtures in lines}


@pytest.fixture(scope="module")
def expression() -> str:
    (found,) = re.findall(r'^FAST_TESTS="(.+?)"', SCRIPT, re.MULTILINE)
    return found


@pytest.fixture(scope="module")
def fast(expression: str) -> Plan:
    return planned(expression)


@pytest.fixture(scope="module")
def left_out(expression: str) -> Plan:
    return planned(f"not standins and not ({expression})")


@pytest.mark.parametrize("fixture", sorted(REAL_PROGRAMS | {"browser"}))
def test_no_fast_test_needs_a_browser_or_a_real_program(fast: Plan, left_out: Plan, fixture: str) -> None:
    assert [test for test, fixtures in fast.items() if fixture in fixtures] == []
    assert [test for test, fixtures in left_out.items() if fixture in fixtures], "this fixture is gone or renamed"


def test_no_fast_test_lies_beside_code_that_starts_a_browser(fast: Plan) -> None:
    files = {PROJECT / test.partition("::")[0] for test in fast}
    assert [path for path in files if re.search(r"^(from|import) playwright", path.read_text(), re.MULTILINE)] == []


def test_most_tests_are_fast(fast: Plan, left_out: Plan) -> None:
    assert len(fast) > 4 * len(left_out)
