"""QUIET_HOURS as text and its meaning: minutes of the day, and times around daylight-saving changes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, strategies as st

from speedtest import environment
from speedtest.daemon import schedule
from speedtest.engines import ENGINES
from speedtest.values import hours
from speedtest.values.hours import MINUTES_PER_DAY

MINUTE = st.integers(0, MINUTES_PER_DAY - 1)
SPANS = st.lists(st.tuples(MINUTE, MINUTE).filter(lambda span: span[0] != span[1]), min_size=1, max_size=4)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def written(spans: list[tuple[int, int]]) -> str:
    return ",".join(f"{clock(start)}-{clock(end)}" for start, end in spans)


def minutes(start: int, end: int) -> set[int]:
    """Return the minutes from `start` to before `end`, past midnight if necessary."""
    return {minute % MINUTES_PER_DAY for minute in range(start, end if end > start else end + MINUTES_PER_DAY)}


@given(SPANS)
def test_hours_are_the_minutes_from_each_start_to_before_its_end_over_midnight_too(
    spans: list[tuple[int, int]],
) -> None:
    wanted = set[int]().union(*(minutes(*span) for span in spans))
    assume(len(wanted) < MINUTES_PER_DAY)
    found = hours.parse(written(spans))
    assert {minute for minute in range(MINUTES_PER_DAY) if found.covers(minute)} == wanted
    assert found.minutes == len(wanted)
    assert str(found) == written(spans)


@given(st.text(st.sampled_from("0123456789:-, ٣"), max_size=14))
def test_other_text_is_refused_and_never_misread(text: str) -> None:
    try:
        found = hours.parse(text)
    except ValueError:
        return
    assert str(found) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["00:00-24:00", "00:00-12:00,12:00-24:00", "06:00-06:00", "23:00-22:59,22:00-23:30"])
def test_hours_that_leave_no_minute_or_cover_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        hours.parse(text)


ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # changes by half an hour
    "America/Santiago",  # changes at midnight
    "Africa/Casablanca",  # changes around Ramadan, backwards
    "Asia/Kathmandu",  # a quarter of an hour, no change
]


@contextmanager
def in_zone(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


def around_changes(zone: ZoneInfo) -> Iterator[datetime]:
    """Yield every five minutes around each clock change of a zone in 2026, or of one day if there is none."""
    days = [datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=number) for number in range(365)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    changes = [day for day, before, after in zip(days, offsets, offsets[1:], strict=False) if before != after]
    for day in changes or days[:1]:
        for step in range(36 * 12):
            yield day + timedelta(minutes=5 * step)


@pytest.mark.parametrize("name", ZONES)
def test_quiet_hours_are_what_the_clock_on_the_wall_shows(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = environment.read({"QUIET_HOURS": "23:30-00:30,01:15-02:45,12:00-12:30"}, ENGINES)
    wanted = minutes(23 * 60 + 30, 30) | minutes(75, 165) | minutes(720, 750)
    zone = ZoneInfo(name)
    instants = list(around_changes(zone))
    with in_zone(monkeypatch, name):
        quiet = {instant for instant in instants if schedule.is_quiet(settings, instant)}
    local = {instant: instant.astimezone(zone) for instant in instants}
    assert quiet == {instant for instant, shown in local.items() if shown.hour * 60 + shown.minute in wanted}
    assert 0 < len(quiet) < len(instants)


@pytest.mark.parametrize(
    ("day", "count"),
    [((2026, 3, 28), 60), ((2026, 3, 29), 0), ((2026, 10, 25), 120)],
    ids=["an ordinary night", "the night that leaves it out", "the night that has it twice"],
)
def test_an_hour_is_quiet_as_often_as_it_comes(
    monkeypatch: pytest.MonkeyPatch, day: tuple[int, int, int], count: int
) -> None:
    settings = environment.read({"QUIET_HOURS": "02:00-03:00"}, ENGINES)
    midnight = datetime(*day, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    with in_zone(monkeypatch, "Europe/Berlin"):
        quiet = [schedule.is_quiet(settings, midnight + timedelta(minutes=minute)) for minute in range(12 * 60)]
    assert quiet.count(True) == count
