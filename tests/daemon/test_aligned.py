"""SLEEP_ALIGN: slots by the clock on the wall, over restarts, changes of summer time and clocks that are set."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import override
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st
from simulation import Simulated, SimulatedClock, Step, install, serve

from speedtest import environment
from speedtest.daemon.aligned import next_tick
from speedtest.engines import ENGINES
from speedtest.measurement import Measurement

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Cairo", "Australia/Lord_Howe"]
INTERVALS = [1.0, 1.1, 7.0, 60.0, 600.0, 900.0, 1500.0, 3600.0, 5400.0, 25_200.0, 43_200.0, 86_400.0]
YEARS = (datetime(2020, 1, 1, tzinfo=UTC).timestamp(), datetime(2030, 1, 1, tzinfo=UTC).timestamp())
SPRING = datetime(2026, 3, 28, 22, 3, 20, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 22, 3, 20, tzinfo=UTC)


CHANGES = [change.timestamp() + hours * 3600 - 30 for change in (SPRING, AUTUMN) for hours in range(-24, 24)]
"""Instants around the changes of Europe's clocks in 2026."""


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ZoneInfo]:
    def use(name: str) -> ZoneInfo:
        monkeypatch.setenv("TZ", name)
        time.tzset()
        return ZoneInfo(name)

    return use


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    time.tzset()


def run(folder: Path, clock: SimulatedClock, hours: float, **variables: str) -> Simulated:
    standard = {"SPEEDTEST_ENGINE": "ookla", "SLEEP_ALIGN": "1", "SLEEP_SECONDS": "600", "SPEEDTEST_RETRIES": "0"}
    return serve(folder, clock, clock.now() + timedelta(hours=hours), **(standard | variables))


def local(rows: list[Measurement], zone: ZoneInfo) -> list[str]:
    return [f"{row.slot.astimezone(zone):%d %H:%M:%S}" for row in rows if row.slot]


@pytest.mark.parametrize(
    ("start", "slots"),
    [
        (SPRING, ["29 00:00:00", "29 01:00:00", "29 03:00:00", "29 04:00:00"]),
        (AUTUMN, ["25 01:00:00", "25 02:00:00", "25 02:00:00", "25 03:00:00"]),
    ],
    ids=["spring", "autumn"],
)
def test_slots_stay_at_the_same_minutes_over_changes_of_summer_time_and_restarts(
    tmp_path: Path, zone: Callable[[str], ZoneInfo], start: datetime, slots: list[str]
) -> None:
    berlin = zone("Europe/Berlin")
    install(tmp_path, "speedtest")
    clock = SimulatedClock(start, tmp_path)
    rows: list[Measurement] = []
    for _ in range(8):
        rows += run(tmp_path, clock, 0.51, SLEEP_SECONDS="3600", TZ=berlin.key).rows
        clock.pass_by(7)
    assert local(rows, berlin) == slots
    gaps = {round((row.slot - rows[0].slot).total_seconds()) % 3600 for row in rows if row.slot and rows[0].slot}
    assert gaps == {0}


@pytest.mark.slow
def test_an_interval_that_does_not_divide_the_day_begins_anew_at_midnight(
    tmp_path: Path, zone: Callable[[str], ZoneInfo]
) -> None:
    tokyo = zone("Asia/Tokyo")
    install(tmp_path, "speedtest")
    rows = run(
        tmp_path, SimulatedClock(datetime(2026, 5, 1, 15, 1, tzinfo=UTC), tmp_path), 35, SLEEP_SECONDS="25200"
    ).rows
    assert local(rows, tokyo) == ["02 07:00:00", "02 14:00:00", "02 21:00:00", "03 00:00:00", "03 07:00:00"]


@pytest.mark.slow
def test_jitter_is_added_to_each_slot_and_a_restart_neither_repeats_nor_loses_one(
    tmp_path: Path, zone: Callable[[str], ZoneInfo]
) -> None:
    zone("UTC")
    install(tmp_path, "speedtest", [Step(took=1)] * 500)
    start = datetime(2026, 5, 1, 10, 4, tzinfo=UTC)
    jitter = {"SLEEP_JITTER_SECONDS": "600"}
    whole = [row.slot for row in run(tmp_path, SimulatedClock(start, tmp_path), 6, **jitter).rows]
    clock = SimulatedClock(start, tmp_path)
    parts: list[datetime | None] = []
    for _ in range(36):
        parts += [row.slot for row in run(tmp_path, clock, 1 / 6, **jitter).rows]
    assert len(whole) >= 34
    seconds = [slot.timestamp() % 600 for slot in whole if slot]
    assert len({round(each) for each in seconds}) > 20, "the jitter differs from slot to slot"
    assert [f"{slot:%H:%M:%S}" for slot in parts if slot] == [f"{slot:%H:%M:%S}" for slot in whole if slot]


NOW = timedelta(milliseconds=1)


class SteppedClock(SimulatedClock):
    """A clock that is set, once, by `step` after so many seconds."""

    after, lasts, step = 3600.0, 3 * 3600.0, timedelta(0)

    @override
    def now(self) -> datetime:
        return super().now() + (self.step if self.monotonic() >= self.after else timedelta(0))

    @override
    def wait(self, seconds: float) -> bool:
        self.end = self.now() + timedelta(seconds=self.lasts - self.monotonic())
        return super().wait(seconds)


@pytest.mark.parametrize("step", [timedelta(hours=20, minutes=3), timedelta(minutes=-23), timedelta(days=-400)])
def test_a_clock_that_is_set_while_the_daemon_waits_moves_the_slots_within_a_minute(
    tmp_path: Path, zone: Callable[[str], ZoneInfo], step: timedelta
) -> None:
    zone("UTC")
    install(tmp_path, "speedtest")
    clock = SteppedClock(datetime(2026, 5, 1, 10, 0, 5, tzinfo=UTC), tmp_path)
    clock.step = step
    standard = {"SPEEDTEST_ENGINE": "ookla", "SLEEP_ALIGN": "1", "SLEEP_SECONDS": "1800", "SPEEDTEST_RETRIES": "0"}
    rows = serve(tmp_path, clock, clock.now(), **standard).rows
    assert all(row.slot and row.slot.timestamp() % 1800 == pytest.approx(0, abs=0.01) for row in rows)
    assert all(row.started_at and row.slot and row.started_at - row.slot > -NOW for row in rows)
    late = [row for row in rows if row.started_at and row.slot and row.started_at - row.slot > timedelta(minutes=1)]
    assert len(late) <= 1, "only the slot that a jump passed over is late"
    assert len(rows) >= 4


@pytest.mark.parametrize("name", ZONES)
@given(after=st.floats(*YEARS) | st.sampled_from(CHANGES), interval=st.sampled_from(INTERVALS))
def test_the_next_tick_is_the_first_instant_whose_time_of_day_is_a_multiple(
    name: str, after: float, interval: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        tick = next_tick(after, interval)
    assert tick > after
    at = datetime.fromtimestamp(tick, ZoneInfo(name))
    over = (at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6) % interval
    assert min(over, interval - over) < 1e-4
    assert tick - after <= interval + 3600 + 1e-4


@pytest.mark.parametrize("interval", [600, 1500, 5400, 7200, 25_200])
def test_the_next_tick_is_the_one_that_a_look_at_every_minute_finds(
    zone: Callable[[str], ZoneInfo], interval: int
) -> None:
    berlin = zone("Europe/Berlin")
    for after in CHANGES:
        minutes = (after // 60 * 60 + 60 * number for number in range(1, 3000))
        local_times = ((minute, datetime.fromtimestamp(minute, berlin)) for minute in minutes)
        first = next(minute for minute, at in local_times if (at.hour * 3600 + at.minute * 60) % interval == 0)
        assert next_tick(after, interval) == pytest.approx(first, abs=1e-3)


def test_intervals_longer_than_a_day_or_below_a_second_are_refused() -> None:
    for seconds in ("86401", "0.5"):
        with pytest.raises(environment.Mistakes, match="SLEEP_ALIGN=1 is not allowed with SLEEP_SECONDS"):
            environment.read({"SLEEP_ALIGN": "1", "SLEEP_SECONDS": seconds}, ENGINES)
