"""What all tests share."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings
from standins import programs

PROJECT = Path(__file__).parent.parent

# These machines are shared: how long an example takes says nothing.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def speedtest_cli() -> Path:
    """Return the path of the real speedtest-cli 2.1.3, in an environment of its own; fails where there is none."""
    try:
        return programs.speedtest_cli(PROJECT / ".tools" / "speedtest-cli", sys.executable)
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)
