"""A campaign in simulated time: a legal sample comes about over a change of the clocks and spoilt days."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import verdicts
from daemon import rows
from simulation import SimulatedClock, install, serve

from speedtest.campaigns import order
from speedtest.campaigns.order import CampaignProgress, Order
from speedtest.measurement import Measurement

BERLIN = ZoneInfo("Europe/Berlin")
"""Summer time begins on Sunday, March 29, 2026."""
FAILS = "exit 20 0 0\n"
WORKS = "ok 20 12500000 250000000\n"


@dataclass
class Simulation:
    """A daemon with a campaign, whose program can be told to fail, and which can be off."""

    folder: Path
    profile: str
    start: date
    began: datetime
    interval: str
    rows: list[Measurement] = field(default_factory=list)

    def __post_init__(self) -> None:
        install(self.folder, "speedtest")
        self.clock = SimulatedClock(self.began, self.folder)
        (self.folder / "results").mkdir()
        self.order = Order(
            id="sample",
            profile=self.profile,
            location="unknown-location",
            timezone=BERLIN.key,
            start=self.start,
            made=self.began,
        )
        order.write_order(self.order, self.folder / "results")

    def run_until(self, local: str, *, works: bool = True, **variables: str) -> None:
        (self.folder / "speedtest.plan" / "always").write_text(WORKS if works else FAILS)
        end = datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC)
        settings = {
            "SPEEDTEST_ENGINE": "ookla",
            "SLEEP_SECONDS": self.interval,
            "SPEEDTEST_RETRIES": "0",
            "TZ": BERLIN.key,
        } | variables
        self.rows += serve(self.folder, self.clock, end, **settings).rows

    def be_off_until(self, local: str) -> None:
        end = datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC)
        self.clock.pass_by((end - self.clock.now()).total_seconds())

    @property
    def progress(self) -> CampaignProgress:
        return order.read_progress(self.folder / "results", self.order)

    def counted(self) -> list[datetime]:
        """The local times of the rows of the campaign that succeeded, by the rows on disk."""
        found = [row for row in rows(self.folder) if row.get("campaign") == "sample" and row["status"] == "ok"]
        assert all("slot" in row and row["attempt"] == 1 for row in found)
        return sorted(row["started_at"].to_pydatetime().astimezone(BERLIN) for row in found)


def judged(run: Simulation, profile: str, **speeds: float) -> tuple[str, list[date]]:
    """Return what `speedsnake verdict` says of the rows: the verdict, and the days of its sample."""
    verdicts.contract(run.folder, verdicts.figures("download", **speeds))
    found = verdicts.verdict(run.folder, profile)
    assert found["campaign"], found["rules"]
    return found["overall"], [date.fromisoformat(day) for day in found["campaign"]["days"]]


type Simulate = Callable[[str, str, str, str], Simulation]


@pytest.fixture
def simulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulate]:
    monkeypatch.setenv("TZ", BERLIN.key)
    monkeypatch.setattr("speedtest.daemon.circumstances._STAT", tmp_path / "no-stat")  # tests must pass under load
    time.tzset()

    def simulation(profile: str, start: str, began: str, interval: str) -> Simulation:
        at = datetime.fromisoformat(began).astimezone(UTC)
        return Simulation(tmp_path, profile, date.fromisoformat(start), at, interval)

    yield simulation
    monkeypatch.undo()
    time.tzset()


def days_of(times: list[datetime]) -> dict[date, list[datetime]]:
    return {day: list(group) for day, group in itertools.groupby(times, datetime.date)}


def is_day_of_germany(times: list[datetime]) -> bool:
    ends = [at + timedelta(seconds=20) for at in times]
    apart = [later - end for end, later in zip(ends, times[1:], strict=False)]
    return len(times) == 10 and min(apart) >= timedelta(minutes=5) and apart[4] >= timedelta(hours=3)


@pytest.mark.slow
def test_germany_over_the_change_to_summer_time_with_two_spoilt_days(simulate: Simulate) -> None:
    run = simulate("de-bnetza", "2026-03-27", "2026-03-27T08:00+01:00", "10800")
    run.run_until("2026-03-27T18:30")
    run.be_off_until("2026-03-28T09:00")  # Friday has no evening
    run.run_until("2026-03-28T11:15")
    run.run_until("2026-03-28T11:35", works=False)  # two failures at noon are made up for
    run.run_until("2026-03-30T10:00")
    run.run_until("2026-03-30T15:50", works=False)  # Monday has no noon
    run.run_until("2026-04-05T00:00")
    by_day = days_of(run.counted())
    measured = [day for day, times in by_day.items() if is_day_of_germany(times)]
    assert measured == [date(2026, 3, 28), date(2026, 3, 31), date(2026, 4, 2)]
    assert run.progress.spoilt == [date(2026, 3, 27), date(2026, 3, 30)]
    assert run.progress.complete
    assert judged(run, "de-bnetza", maximum=110, normal=105, minimum=60) == ("fail", measured)
    assert {day.isoformat() for day in by_day} == {"2026-03-27", "2026-03-28", "2026-03-31", "2026-04-02"}


@pytest.mark.slow
def test_croatia_never_has_less_than_24_hours_between_two_tests(simulate: Simulate) -> None:
    run = simulate("hr-hakom", "2026-03-28", "2026-03-28T19:00+01:00", "43200")
    run.run_until("2026-03-30T19:00")  # from Saturday to Sunday there are only 23 hours
    run.run_until("2026-03-30T20:30", works=False)
    run.run_until("2026-03-31T19:30")
    run.be_off_until("2026-03-31T21:00")
    run.run_until("2026-04-05T00:00")
    times = run.counted()
    assert [f"{at:%d %H:%M}" for at in times] == ["28 20:00", "01 20:00", "02 20:00", "03 20:00"]
    assert {date(2026, 3, 30), date(2026, 3, 31)} <= set(run.progress.spoilt)
    last = times[-3:]
    assert judged(run, "hr-hakom", minimum=100.5) == ("fail", [at.date() for at in last])
    assert all(later - earlier >= timedelta(hours=24) for earlier, later in itertools.pairwise(last))
    assert run.progress.complete


@pytest.mark.slow
def test_italy_has_four_tests_in_each_clock_hour_although_one_is_left_out(simulate: Simulate) -> None:
    run = simulate("it-nemesys", "2026-03-29", "2026-03-28T23:00+01:00", "43200")
    run.run_until("2026-03-29T10:00")
    run.be_off_until("2026-03-29T12:30")
    run.run_until("2026-03-29T20:00")
    run.run_until("2026-03-29T21:10", works=False)
    run.run_until("2026-04-01T00:00")
    times = run.counted()
    assert {hour: sum(at.hour == hour for at in times) for hour in range(24)} == dict.fromkeys(range(24), 4)
    assert times[-1] - times[0] < timedelta(hours=72)
    assert {at.date().isoformat() for at in times if at.hour == 2} == {"2026-03-30"}
    assert judged(run, "it-nemesys", minimum=99.5)[0] == "pass"
    assert run.progress.complete
