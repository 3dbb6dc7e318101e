"""A rate-limited program is left alone for as long as the service says, if that is longer than our own pause."""

from datetime import UTC, datetime, timedelta

import pytest

from speedtest.daemon import schedule
from speedtest.daemon.schedule import Memory
from speedtest.measurement import Measurement

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("3600", 3600), ("60", 900), (None, 900), ("999999999999", 7200), ("soon", 900), ("nan", 900), ("-5", 900)],
)
def test_a_pause_is_as_long_as_the_service_says_within_bounds(told: str | None, seconds: float) -> None:
    memory = Memory()
    raw = {schedule.RETRY_AFTER: told}
    row = Measurement(timestamp=NOW, status="failed", engine="http", error_kind="rate-limited", raw=raw)
    schedule.note(memory, row, NOW)
    until = NOW + timedelta(seconds=seconds)
    assert schedule.is_paused(memory, "http", until - timedelta(seconds=1))
    assert not schedule.is_paused(memory, "http", until)
    schedule.note(memory, row, until)
    assert memory.pauses["http"].seconds == 2 * schedule.FIRST_PAUSE_SECONDS, "our own pause doubles as always"
