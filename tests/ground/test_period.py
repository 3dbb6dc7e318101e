"""The period of a query, as a person writes it."""

import contextlib
import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st
from samples import utc

from speedtest.values.period import EXAMPLES, Unclear, instant, is_local, period

NOW = utc(2026, 3, 29, 14, 30, 15)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-01-31", utc(2026, 1, 30, 23)),
        ("2026-01-31T12:00", utc(2026, 1, 31, 11)),
        ("2026-01-31 12:00:30", utc(2026, 1, 31, 11, 0, 30)),
        ("2026-01-31T12:00Z", utc(2026, 1, 31, 12)),
        ("2026-01-31T12:00+01:00", utc(2026, 1, 31, 11)),
        ("24h", utc(2026, 3, 28, 14, 30, 15)),
        ("7d", utc(2026, 3, 22, 14, 30, 15)),
        ("4w", utc(2026, 3, 1, 14, 30, 15)),
        ("1y", utc(2025, 3, 29, 14, 30, 15)),
        ("0d", NOW),
    ],
)
def test_an_instant_is_named_or_so_long_ago(text: str, when: datetime) -> None:
    found = instant(text, NOW, BERLIN)
    assert found == when
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "text", "when"),
    [
        ("Pacific/Auckland", "2026-11-01", utc(2026, 10, 31, 11)),
        ("America/Los_Angeles", "2026-11-01", utc(2026, 11, 1, 7)),
        ("Europe/Berlin", "2026-03-29", utc(2026, 3, 28, 23)),
        ("Europe/Berlin", "2026-03-30", utc(2026, 3, 29, 22)),
        ("Europe/Berlin", "2026-03-29T02:30", utc(2026, 3, 29, 1, 30)),  # it does not exist: 03:30 by the new clock
        ("Europe/Berlin", "2026-10-25T02:30", utc(2026, 10, 25, 0, 30)),  # the first of two
        ("Europe/Berlin", "2026-10-25T02:30+01:00", utc(2026, 10, 25, 1, 30)),  # the second of them
        ("America/Santiago", "2025-09-07", utc(2025, 9, 7, 4)),  # its first hour does not exist
        ("America/Havana", "2026-11-01", utc(2026, 11, 1, 4)),  # its first hour comes twice
        ("Pacific/Auckland", "0001-01-01", datetime.min.replace(tzinfo=UTC)),
        ("America/Los_Angeles", "9999-12-31T23:00", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_without_a_zone_it_is_local_time_also_where_the_clocks_change(zone: str, text: str, when: datetime) -> None:
    assert instant(text, NOW, ZoneInfo(zone)) == when


@pytest.mark.parametrize(
    ("text", "local"),
    [("2026-01-31", True), ("2026-01-31T12:00", True), ("2026-01-31T12:00Z", False), ("7d", False), ("then", False)],
)
def test_only_a_day_or_a_time_without_a_zone_depends_on_the_line(text: str, *, local: bool) -> None:
    assert is_local(None, "24h", text) is local


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "7", "7m", "-7d", "7 d", "31.01.2026", "2026-02-30", "9999999y", "\u0667d", "0001-01-01T00+01"],
)
def test_another_text_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(Unclear, match="write 2026-01-31 or ") as refused:
        instant(text, NOW, BERLIN)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("example", re.findall(r"[0-9][^ ,.]*", EXAMPLES))
def test_what_is_allowed_is_told_by_examples_that_are(example: str) -> None:
    assert instant(example, NOW, BERLIN) <= NOW


@given(st.text(max_size=300))
def test_no_text_ends_otherwise_than_by_an_instant_or_advice(text: str) -> None:
    with contextlib.suppress(Unclear):
        assert instant(text, NOW, BERLIN).tzinfo is UTC


@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001 (hypothesis adds the zones)
        max_value=datetime(9998, 12, 31),  # noqa: DTZ001 (the same)
        timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_every_instant_is_read_back_as_it_is_written(when: datetime) -> None:
    assert instant(when.isoformat(), NOW, BERLIN) == when


def test_a_period_is_from_its_start_to_before_its_end_and_may_have_neither() -> None:
    assert period("7d", None, NOW, BERLIN) == (utc(2026, 3, 22, 14, 30, 15), None)
    assert period(None, "2026-01-31", NOW, BERLIN) == (None, utc(2026, 1, 30, 23))
    assert period(None, None, NOW, BERLIN) == (None, None)


@pytest.mark.parametrize(("since", "until"), [("7d", "8d"), ("2026-01-31", "2026-01-31")])
def test_a_period_whose_end_is_not_after_its_start_is_refused(since: str, until: str) -> None:
    with pytest.raises(Unclear, match=f"from {since} to {until}"):
        period(since, until, NOW, BERLIN)
