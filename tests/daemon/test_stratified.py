"""SAMPLING=stratified: an instant drawn in each slot, the same after a restart, never two too near."""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from simulation import SimulatedClock, Step, install, serve

from speedtest import environment
from speedtest.daemon.aligned import next_tick
from speedtest.daemon.stratified import StratifiedTicks, nearest_seconds
from speedtest.engines import ENGINES

ZONES = ["Europe/Berlin", "Australia/Lord_Howe", "UTC"]
INTERVALS = [60.0, 600.0, 1500.0, 3600.0, 25_200.0, 86_400.0]
CHANGES = [datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp(), datetime(2026, 10, 24, 12, tzinfo=UTC).timestamp()]
START = datetime(2026, 5, 1, 10, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def slots(folder: Path, clock: SimulatedClock, hours: float, **variables: str) -> list[datetime]:
    given_ = {"SPEEDTEST_ENGINE": "ookla", "SAMPLING": "stratified", "SLEEP_SECONDS": "600", "SPEEDTEST_RETRIES": "0"}
    rows = serve(folder, clock, clock.now() + timedelta(hours=hours), **(given_ | variables)).rows
    return [row.slot.replace(microsecond=0) for row in rows if row.slot]


@pytest.mark.slow
def test_each_slot_is_due_once_at_an_instant_of_its_own_and_a_restart_draws_the_same(tmp_path: Path) -> None:
    install(tmp_path, "speedtest", [Step(took=1)] * 500)
    whole = slots(tmp_path, SimulatedClock(START, tmp_path), 5)
    assert [slot.timestamp() // 600 for slot in whole] == list(
        itertools.islice(itertools.count(whole[0].timestamp() // 600), len(whole))
    )
    assert len(whole) >= 29
    assert len({slot.timestamp() % 600 // 60 for slot in whole}) == 10, "no minute is preferred"
    assert min(later - sooner for sooner, later in itertools.pairwise(whole)) >= timedelta(seconds=119)
    clock, parts = SimulatedClock(START, tmp_path), list[datetime]()
    for _ in range(15):
        parts += slots(tmp_path, clock, 1 / 3, SLEEP_ALIGN="1", SLEEP_JITTER_SECONDS="300")
    assert parts == whole, "SLEEP_ALIGN and SLEEP_JITTER_SECONDS change nothing"


@pytest.mark.slow
def test_a_slot_whose_instant_is_quiet_is_skipped(tmp_path: Path) -> None:
    install(tmp_path, "speedtest", [Step(took=1)] * 500)
    clock = SimulatedClock(START, tmp_path)
    rows = serve(
        tmp_path, clock, clock.now() + timedelta(hours=3), SPEEDTEST_ENGINE="ookla", SAMPLING="stratified",
        SLEEP_SECONDS="1800", QUIET_HOURS="11:10-12:10",
    ).rows  # fmt: skip
    quiet = [row.status for row in rows if row.slot and "11:10" <= f"{row.slot:%H:%M}" < "12:10"]
    assert set(quiet) == {"skipped"}
    assert {row.status for row in rows} == {"ok", "skipped"}


@given(
    zone=st.sampled_from(ZONES),
    interval=st.sampled_from(INTERVALS),
    begin=st.sampled_from(CHANGES) | st.floats(1.6e9, 1.9e9),
    name=st.sampled_from(["home", "office"]),
)
@settings(max_examples=60, deadline=None)
def test_instants_are_in_order_each_in_its_slot_or_just_behind_and_never_too_near(
    zone: str, interval: float, begin: float, name: str
) -> None:
    given_ = {"SAMPLING": "stratified", "SLEEP_SECONDS": f"{interval}", "SPEEDTEST_LOCATION_UUID": name}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        read = environment.read(given_, ENGINES)
        clock = SimulatedClock(datetime.fromtimestamp(begin, UTC), Path())
        ticks, found = StratifiedTicks(read, clock), list[tuple[float, float]]()
        tick = begin - interval
        for _ in range(40):
            tick = next_tick(tick, interval)
            found.append((tick, ticks._at(tick)))  # noqa: SLF001 (a year of slots by the daemon would take minutes)
    nearest = nearest_seconds(read)
    for (tick, instant), (_, later) in itertools.pairwise(found):
        assert later - instant >= nearest - 1e-3
        assert tick <= instant


def test_intervals_longer_than_a_day_or_below_a_second_are_refused() -> None:
    for seconds in ("86401", "0.5"):
        with pytest.raises(environment.Mistakes, match="SAMPLING=stratified is not allowed with SLEEP_SECONDS"):
            environment.read({"SAMPLING": "stratified", "SLEEP_SECONDS": seconds}, ENGINES)
