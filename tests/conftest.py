"""What all tests share."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from machine import Machine, Server, serving
from paths import PROJECT
from standins import debian, programs

# `nohup` ignores SIGHUP, and every daemon that the tests start would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# On a shared machine the time of one example means nothing.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")

REAL_PROGRAMS = {"speedtest_cli", "librespeed_cli", "iperf3"}
"""The fixtures below that are real speed-test programs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that a real speed-test program is given to, directly or by another fixture."""
    for item in items:
        if isinstance(item, pytest.Function) and not REAL_PROGRAMS.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.real_program)


@pytest.fixture(scope="session")
def speedtest_cli() -> Path:
    """Return the path of the real speedtest-cli 2.1.3, in an environment of its own; fails if it cannot be had."""
    try:
        return programs.speedtest_cli(PROJECT / ".tools" / "speedtest-cli", sys.executable)
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)


def from_debian(name: str) -> Path:
    """Return the path of a real program; fails if Debian's package cannot be had, skips on other systems."""
    try:
        return debian.program(name, name, PROJECT / ".tools" / name)
    except debian.Elsewhere as elsewhere:
        pytest.skip(str(elsewhere))
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def librespeed_cli() -> Path:
    return from_debian("librespeed-cli")


@pytest.fixture(scope="session")
def iperf3() -> Path:
    return from_debian("iperf3")


@pytest.fixture
def fresh(tmp_path: Path) -> Machine:
    """Return a machine with uv and Python, without a speed-test program, that claims to be x86_64."""
    fresh = Machine(tmp_path / "machine")
    fresh.program("uname", '#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo x86_64\n')
    return fresh


@pytest.fixture
def internet() -> Iterator[Server]:
    with serving() as server:
        yield server
