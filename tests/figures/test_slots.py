"""Every slot counts once: as successful, failed, skipped or not measured. Outages are failed slots in a row."""

import itertools
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from samples import utc
from views import INTERVAL, failed, folders, good, skipped, summary

from speedtest.figures import slots
from speedtest.figures.rows import Rows
from speedtest.figures.types import Summary
from speedtest.measurement import Measurement

DAY = utc(2026, 3, 28)
HOUR = timedelta(hours=1)


def at(number: int) -> datetime:
    return DAY + number * INTERVAL


def of(
    folder: Path, rows: Iterable[Measurement], until: datetime | None = None, *, known_before: bool = False
) -> Summary:
    return summary(folders(folder, rows), DAY, until or DAY + timedelta(days=1), known_before=known_before)


def test_a_slot_is_as_good_as_its_best_attempt(tmp_path: Path) -> None:
    rows = [
        failed(at(0)),
        good(at(0), attempt=2),
        failed(at(1)),
        failed(at(1) + timedelta(seconds=15), slot=at(1), attempt=2),
        skipped(at(2)),
        good(at(3)),
    ]
    counted = of(tmp_path, rows, at(4)).slots
    assert (counted.ok, counted.failed, counted.skipped, counted.not_measured) == (2, 1, 1, 0)
    assert counted.skipped_by_kind == {"quiet-hours": 1}
    assert counted.uptime_percent == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("present", "missing"),
    [([0, 1, 2, 3, 4, 5], 0), ([0, 2, 3, 5], 2), ([0, 5], 4), ([2, 3], 2), ([0], 5), ([5], 0)],
)
def test_slots_that_have_no_row_are_counted_up_to_the_end(tmp_path: Path, present: list[int], missing: int) -> None:
    assert of(tmp_path, [good(at(number)) for number in present], at(6)).slots.not_measured == missing


def test_nothing_is_missed_before_the_first_row_ever_but_before_one_that_had_others(tmp_path: Path) -> None:
    rows = [good(at(6)), good(at(7))]
    assert of(tmp_path, rows, at(8)).slots.not_measured == 0
    assert of(tmp_path, rows, at(8), known_before=True).slots.not_measured == 5


def test_a_restart_between_two_slots_is_no_gap(tmp_path: Path) -> None:
    rows = [good(at(0)), good(at(0) + timedelta(minutes=3)), good(at(1) + timedelta(minutes=3))]
    counted = of(tmp_path, rows, at(2)).slots
    assert (counted.ok, counted.not_measured) == (3, 0)


def test_tests_without_a_slot_are_no_slots(tmp_path: Path) -> None:
    found = of(tmp_path, [good(at(0)), good(at(1), slot=None, attempt=None)], at(2))
    assert (found.slots.ok, found.tests, found.by_hand) == (1, 2, 1)


def test_an_outage_lasts_from_its_first_failed_slot_to_the_next_good_one(tmp_path: Path) -> None:
    rows = [
        good(at(0)),
        failed(at(1)),
        skipped(at(2)),
        failed(at(3), words="no address"),
        failed(at(4), words="no address"),
    ]
    (outage,) = of(tmp_path, [*rows, good(at(5))], at(6)).outages
    assert (outage.start, outage.last, outage.end, outage.slots) == (at(1), at(4), at(5), 3)
    assert outage.seconds == 4 * INTERVAL.total_seconds()
    assert outage.words == ["no address", "no route to host"]


def test_an_outage_whose_end_nobody_saw_has_none(tmp_path: Path) -> None:
    rows = [failed(at(0)), failed(at(1)), good(at(5)), failed(at(6))]
    last, first = of(tmp_path, rows, at(7)).outages
    assert (first.start, first.last, first.end) == (at(0), at(1), None)  # the daemon was off then
    assert (last.start, last.end) == (at(6), None)  # it has not ended


def test_outages_with_a_time_between_that_nobody_saw_are_two_each_with_its_own_words(tmp_path: Path) -> None:
    rows = [failed(at(0), words="before"), failed(at(4), words="after"), good(at(5))]
    last, first = of(tmp_path, rows, at(6)).outages
    assert (first.words, last.words) == (["before"], ["after"])


def test_the_longest_outages_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    rows: list[Measurement] = []
    for number in range(30):
        start = 4 * number
        rows += [failed(at(start)), failed(at(start + 1)) if number % 2 else good(at(start + 1)), good(at(start + 2))]
    found = of(tmp_path, rows)
    assert found.outages_in_all == 30
    assert len(found.outages) == 20
    assert sum(outage.slots == 2 for outage in found.outages) == 15
    assert [outage.start for outage in found.outages] == sorted((o.start for o in found.outages), reverse=True)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["ok", "failed", "skipped", "none"]), min_size=1, max_size=60))
def test_every_slot_is_counted_once_whatever_becomes_of_it(
    tmp_path_factory: pytest.TempPathFactory, fates: list[str]
) -> None:
    made = {"ok": good, "failed": failed, "skipped": skipped}
    rows = [made[fate](at(number)) for number, fate in enumerate(fates) if fate != "none"]
    where = folders(tmp_path_factory.mktemp("lake"), rows)
    table = slots.by_slot(Rows(where).of(DAY, DAY + timedelta(days=1)))
    first = next((number for number, fate in enumerate(fates) if fate != "none"), None)
    counted = slots.count(table, None, at(len(fates)))
    expected: list[str] = [] if first is None else fates[first:]
    assert (counted.ok, counted.failed, counted.skipped, counted.not_measured) == tuple(
        expected.count(fate) for fate in ("ok", "failed", "skipped", "none")
    )
    assert slots.outages(table)["slots"].sum() == counted.failed


def test_slots_at_drawn_instants_miss_none_and_a_day_without_a_daemon_is_seen() -> None:
    chance = random.Random(5)
    late = [at(number) + chance.random() * INTERVAL for number in range(10 * 144)]
    assert max(later - sooner for sooner, later in itertools.pairwise(late)) > 1.9 * INTERVAL
    end = DAY + timedelta(days=10)
    assert slots.count(by_slot(late), None, end).not_measured == 0
    with_a_gap = [slot for slot in late if not at(700) <= slot < at(844)]
    assert slots.count(by_slot(with_a_gap), None, end).not_measured == pytest.approx(144, abs=1)


def by_slot(due: list[datetime]) -> pd.DataFrame:
    seconds = INTERVAL.total_seconds()
    rows = pd.DataFrame({"slot": pd.DatetimeIndex(due), "status": "ok", "interval_seconds": seconds})
    return slots.by_slot(rows.assign(error_kind=None, line=None))
