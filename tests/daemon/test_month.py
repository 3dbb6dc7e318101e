"""Five days of simulated time with ten restarts. `uv run python tests/support/month.py` simulates a whole month."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from month import CHECKS, ZONE, Month, simulate

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 28, tzinfo=UTC)
DAYS = 5


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", ZONE.key)
        time.tzset()
        yield simulate(tmp_path_factory.mktemp("month"), START, DAYS)
    time.tzset()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_of_five_days_with_ten_restarts(month: Month, check: Callable[[Month], str]) -> None:
    assert check(month)
