"""Run the daemon for a month of simulated time with ten restarts, and check the result.

`uv run python tests/support/month.py` simulates 31 days with a test every ten minutes, some minutes long, and prints
what it checked. `tests/daemon/test_month.py` does the same with five days that include a change to summer time and the
end of a month.
"""

import argparse
import itertools
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from daemon import rows
from simulation import SimulatedClock, Start, Step, install, journal, serve

from speedtest.daemon import schedule
from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.measurement import Measurement

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 15, 22, tzinfo=UTC)
"""Summer time begins on March 29."""
DAYS = 31
INTERVAL = 600.0
RESTARTS = 10
FAILED = ["exit", "signal", "no-output", "malformed", "rejected", "rate-limited"]
"""Kinds of failure by a program's output or exit code. `timeout` takes real seconds, so it is rarer."""
VARIABLES = {
    "SPEEDTEST_ENGINE": "ookla,speedtest-cli",
    "SPEEDTEST_TIMEOUT_SECONDS": "2",
    "SPEEDTEST_CONFIRM_BELOW_MBPS": "50,5",
    "QUIET_HOURS": "02:15-02:45,12:00-12:30",
    "TZ": ZONE.key,
}


@dataclass
class Month:
    """The results of a simulation."""

    budget: float
    measurements: list[Measurement] = field(default_factory=list)
    due: list[datetime] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    overlaps: int = 0
    kept: int = 0

    @property
    def attempts(self) -> list[Measurement]:
        return [row for row in self.measurements if row.status != "skipped"]


def steps(chance: random.Random, count: int) -> list[Step]:
    """Return steps for a program: four of five tests succeed, one in fifty takes longer than the interval."""
    made: list[Step] = []
    for _ in range(count):
        kind = "ok"
        if chance.random() < 0.2:
            kind = chance.choice(FAILED) if chance.random() < 0.98 else "timeout"
        took = chance.uniform(10, 40) if chance.random() < 0.98 else INTERVAL * chance.uniform(1, 3.5)
        mbps = chance.uniform(60, 200) if chance.random() < 0.95 else chance.uniform(10, 50)
        made.append(Step(kind, round(took, 1), round(mbps, 1), chance.randrange(10**8, 5 * 10**8)))
    return made


def simulate(folder: Path, start: datetime, days: int, seed: int = 6) -> Month:
    """Run a daemon for these days. Kill and restart it ten times, and convert the complete days each time."""
    chance = random.Random(seed)
    slots = round(days * 86_400 / INTERVAL)
    month = Month(budget=round(slots * 0.3 * 0.4, 1))
    for name in ("speedtest", "speedtest-cli"):
        install(folder, name, steps(chance, 2 * slots))
    clock = SimulatedClock(start, folder)
    settings = VARIABLES | {"SLEEP_SECONDS": str(INTERVAL), "DATA_BUDGET_GB_PER_MONTH": str(month.budget)}
    for part in [*sorted(chance.sample(range(1, 1000), RESTARTS)), 1000]:
        started = clock.now()
        month.measurements += serve(folder, clock, start + timedelta(days=days) * part / 1000, **settings).rows
        ticks = int((clock.now() - started).total_seconds() // INTERVAL)
        month.due += [started + timedelta(seconds=INTERVAL) * tick for tick in range(ticks + 1)]
        assert not convert(Folders(folder / "results", folder / "uploads"), "home", clock.now().date())
        clock.pass_by(chance.uniform(1, INTERVAL))
    month.starts = [start for start in journal(folder) if start.kind != "list"]
    month.overlaps = len((folder / "overlaps").read_text().split()) if (folder / "overlaps").exists() else 0
    month.kept = len(rows(folder))
    return month


def every_slot_is_accounted_for(month: Month) -> str:
    """Each slot that was due has rows, and no other has. Attempts count from 1, and a skip is its slot's only row."""
    of_slot = {
        slot: [row.attempt for row in group]
        for slot, group in itertools.groupby(month.measurements, key=lambda row: _whole(row.slot))
    }
    assert list(of_slot) == [_whole(due) for due in month.due]
    for attempts in of_slot.values():
        assert attempts in ([None], list(range(1, len(attempts) + 1)))
    assert month.kept == len(month.measurements)
    return f"{len(of_slot)} slots due, {len(of_slot)} with rows; {month.kept} rows kept and read back"


def every_start_of_a_program_is_a_row_of_its_kind(month: Month) -> str:
    """The programs' journal and the rows agree. On a slow machine a test may time out instead."""
    told = [(row.engine, row.error_kind or "ok") for row in month.attempts]
    started = [("ookla" if start.program == "speedtest" else start.program, start.kind) for start in month.starts]
    assert len(told) == len(started)
    for row, start in zip(told, started, strict=True):
        assert row in (start, (start[0], "timeout"))
    failed = sum(kind != "ok" for _, kind in told)
    return f"{len(told)} starts of programs, {len(told)} rows; {failed / len(told):.0%} failed"


def no_two_tests_ran_at_once(month: Month) -> str:
    """No program found another one running, and none was started before the last one's duration had passed."""
    ran = [
        (row.started_at, timedelta(seconds=start.took)) for row, start in zip(month.attempts, month.starts, strict=True)
    ]
    for (began, took), (later, _) in itertools.pairwise(ran):
        assert began
        assert _whole(later) >= _whole(began + took)
    assert month.overlaps == 0
    return f"{len(ran)} tests, 0 overlaps"


def the_budget_is_kept_to_within_one_test(month: Month) -> str:
    """No test starts after a month's data budget is used up, and the budget skips none before."""
    used: Counter[str] = Counter()
    limit = month.budget * 1e9
    for row in month.measurements:
        at = row.started_at or row.slot
        assert at
        of_month = f"{at.astimezone(ZONE):%Y-%m}"
        if row.status != "skipped":
            assert used[of_month] < limit
            used[of_month] += schedule.counted(row)
        elif row.error_kind == "data-budget":
            assert used[of_month] >= limit
    assert any(bytes_used >= limit for bytes_used in used.values())
    over = max(used.values()) - limit
    assert over < 5e8
    shown = ", ".join(f"{name}: {bytes_used / 1e9:.3f}" for name, bytes_used in used.items())
    return f"{month.budget:g} GB a month; {shown}; at most {over / 1e9:.3f} GB over"


def an_engine_that_rests_is_left_alone(month: Month) -> str:
    """After `rate-limited`, an engine is paused for 15 minutes. The pause doubles up to 2 hours until it succeeds."""
    until: dict[str, datetime] = {}
    rest: dict[str, timedelta] = {}
    rests = 0
    for row, start in zip(month.attempts, month.starts, strict=True):
        assert row.engine
        assert row.started_at
        assert _whole(row.started_at) >= _whole(until.get(row.engine, row.started_at))
        if row.error_kind == "rate-limited":
            rest[row.engine] = min(rest.get(row.engine, timedelta(minutes=7.5)) * 2, timedelta(hours=2))
            until[row.engine] = row.started_at + timedelta(seconds=start.took) + rest[row.engine]
            rests += 1
        elif row.status == "ok":
            rest.pop(row.engine, None)
    assert rests
    return f"{rests} pauses over {RESTARTS} restarts, 0 tests within one"


def quiet_hours_are_quiet(month: Month) -> str:
    """No test starts within QUIET_HOURS, local time, and no slot outside of them is skipped for quiet hours."""
    quiet = 0
    for row in month.measurements:
        at = row.started_at or row.slot
        assert at
        local = at.astimezone(ZONE).time().replace(tzinfo=None)
        within = any(f"{start}:00" <= local.isoformat()[:8] < f"{end}:00" for start, end in _quiet_spans())
        assert row.status == "skipped" or not within
        assert row.error_kind != "quiet-hours" or within
        quiet += row.error_kind == "quiet-hours"
    return f"{quiet} slots in quiet hours, 0 tests"


CHECKS = (
    every_slot_is_accounted_for,
    every_start_of_a_program_is_a_row_of_its_kind,
    no_two_tests_ran_at_once,
    the_budget_is_kept_to_within_one_test,
    an_engine_that_rests_is_left_alone,
    quiet_hours_are_quiet,
)


def _quiet_spans() -> list[tuple[str, str]]:
    return [(start, end) for start, _, end in (span.partition("-") for span in VARIABLES["QUIET_HOURS"].split(","))]


def _whole(instant: datetime | None) -> int:
    """Return an instant in tenths of a second, because sums of floats differ in the last digits."""
    assert instant
    return round(instant.timestamp() * 10)


def main() -> None:
    """Simulate a month and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=6, help="seed of the programs' random failures (default: 6)")
    asked = parser.parse_args()
    os.environ["TZ"] = ZONE.key
    time.tzset()
    logging.disable()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        month = simulate(Path(folder), START, asked.days, asked.seed)
    kinds = Counter(row.error_kind or row.status for row in month.measurements)
    say(f"{asked.days} days in {time.monotonic() - began:.0f} s")
    say(", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    for check in CHECKS:
        say(f"{check.__name__.replace('_', ' ')}: {check(month)}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
