"""Every row reaches a receiver exactly once, in whatever order rows are saved, held, re-dated, converted and sent."""

import contextlib
import itertools
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace
from samples import HOME, failed, keep, measured, utc

from speedtest.data import held, results
from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.measurement import Measurement
from speedtest.publishing.delivery import Delivery
from speedtest.publishing.ledger import Taken
from speedtest.publishing.receiver import ReceiverAnswer
from speedtest.publishing.rows import PublishedRow
from speedtest.publishing.standing import Standing

TODAY = utc(2026, 11, 27)


class Killed(BaseException):
    """The process is gone."""


class Memory:
    """A receiver that keeps what it took. It takes so many requests, then says `later`, or kills the sender."""

    place, key = "memory", "memory-0"
    patience = timedelta(0)

    def __init__(self, *, most_rows: int = 1, takes_history: bool = True) -> None:
        self.most_rows, self.takes_history = most_rows, takes_history
        self.took: list[PublishedRow] = []
        self.requests = 10**9
        self.kills = False
        self.refuses: set[str] = set()

    def send(self, rows: Sequence[PublishedRow]) -> ReceiverAnswer:
        if self.requests == 0:
            return ReceiverAnswer("later", "enough")
        if self.refuses & {row.source for row in rows}:
            return ReceiverAnswer("bad-rows", "no")
        self.requests -= 1
        self.took += rows
        if self.requests == 0 and self.kills:
            raise Killed
        return ReceiverAnswer("taken")

    def test(self) -> ReceiverAnswer:
        return ReceiverAnswer("taken")

    @property
    def times(self) -> list[datetime]:
        return [row.timestamp for row in self.took]


class Place:
    """A RESULT_DIR and an UPLOAD_DIR, and the rows that were saved in them."""

    def __init__(self, folder: Path) -> None:
        self.folders = Folders(folder / "results", folder / "uploads")
        self.saved: list[Measurement] = []

    def save(self, *rows: Measurement, is_held: bool = False) -> None:
        self.saved += rows
        for row in rows:
            results.save(results.encode(row, held="run1" if is_held else None), self.folders.result_dir)

    def convert(self) -> None:
        convert(self.folders, HOME, TODAY.date())

    def an_hour_passes(self) -> None:
        """Let the last look at the whole lake be an hour ago."""
        path = self.folders.result_dir / "publishing" / "memory-0.json"
        if path.exists():
            taken = msgspec.json.decode(path.read_bytes(), type=Taken)
            taken.looked = datetime.now(UTC) - timedelta(hours=1)
            path.write_bytes(msgspec.json.encode(taken))

    def deliver(self, receiver: Memory) -> Delivery:
        delivery = Delivery(receiver, self.folders, HOME, Standing(name="webhook", place="memory"))
        with contextlib.suppress(Killed):
            delivery.run(60)
        return delivery


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_rows_come_oldest_first_from_csv_and_parquet_and_only_once(place: Place) -> None:
    receiver = Memory()
    place.save(*(measured(utc(2026, 11, day, hour), seed=hour) for day in (24, 25, 26) for hour in range(3)))
    place.convert()
    place.save(*(measured(TODAY + timedelta(hours=hour), seed=hour) for hour in range(3)))
    for _ in range(2):
        place.deliver(receiver)
        assert receiver.times == [row.timestamp for row in place.saved]
    assert place.deliver(receiver).sent == 0


def test_a_row_that_was_sent_as_csv_is_not_sent_again_as_parquet(place: Place) -> None:
    receiver = Memory(most_rows=100)
    place.save(*(measured(utc(2026, 11, 26, hour), seed=hour) for hour in range(3)))
    place.deliver(receiver)
    place.save(measured(utc(2026, 11, 26, 23)))
    place.convert()
    place.deliver(receiver)
    assert receiver.times == [row.timestamp for row in place.saved]


def test_rows_that_were_noted_before_a_kill_are_not_sent_again_after_their_day_was_converted(place: Place) -> None:
    receiver = Memory()
    place.deliver(receiver)
    place.save(measured(utc(2026, 11, 26)), measured(TODAY))
    receiver.requests, receiver.kills = 2, True
    place.deliver(receiver)
    receiver.requests, receiver.kills = 10**9, False
    place.convert()
    place.deliver(receiver)
    place.an_hour_passes()
    place.deliver(receiver)
    assert receiver.times == [utc(2026, 11, 26), TODAY, TODAY]  # the kill came before the note of the second


@pytest.mark.parametrize("is_converted", [False, True])
def test_a_row_of_an_old_day_that_comes_late_is_sent(place: Place, *, is_converted: bool) -> None:
    receiver = Memory()
    place.save(measured(utc(2026, 11, 20)))
    place.convert()
    place.deliver(receiver)
    place.save(replace(failed(utc(2026, 11, 20, 5)), status="outage", error_kind="router"))
    if is_converted:
        place.convert()
        place.an_hour_passes()
    place.deliver(receiver)
    assert receiver.times == [row.timestamp for row in place.saved]


def test_a_row_that_came_and_was_converted_between_two_visits_is_found_within_the_hour(place: Place) -> None:
    receiver = Memory()
    place.save(measured(utc(2026, 11, 20)))
    place.deliver(receiver)
    place.save(measured(utc(2026, 11, 12)))
    place.convert()
    place.deliver(receiver)
    place.an_hour_passes()
    place.deliver(receiver)
    assert sorted(receiver.times) == sorted(row.timestamp for row in place.saved)


def test_a_row_that_is_held_waits_until_it_has_its_date(place: Place) -> None:
    receiver = Memory()
    place.save(measured(utc(2026, 11, 2)), is_held=True)
    delivery = place.deliver(receiver)
    assert (receiver.took, delivery.standing.rows_held) == ([], 1)
    held.release(place.folders.result_dir, lambda _: timedelta(days=3))
    place.deliver(receiver)
    place.convert()
    place.deliver(receiver)
    assert receiver.times == [utc(2026, 11, 5)]
    assert receiver.took[0].values["raw_timestamp"] == utc(2026, 11, 2)


def test_an_outage_that_is_published_again_after_it_was_converted_is_not_sent_again(place: Place) -> None:
    receiver = Memory()
    row = measured(utc(2026, 11, 20))
    place.save(row)
    place.deliver(receiver)
    place.convert()
    place.deliver(receiver)
    keep([row], place.folders.result_dir)
    place.deliver(receiver)
    place.convert()
    place.deliver(receiver)
    assert len(receiver.took) == 1


def test_a_receiver_without_history_gets_new_rows_and_those_of_the_last_hour(place: Place) -> None:
    receiver = Memory(takes_history=False)
    place.save(measured(utc(2026, 11, 20)))
    place.convert()
    keep([measured(utc(2026, 11, 25))], place.folders.result_dir)
    for path in place.folders.result_dir.rglob("*.csv"):
        os.utime(path, (0, 0))
    keep([measured(utc(2026, 11, 26))], place.folders.result_dir)
    place.deliver(receiver)
    keep([measured(utc(2026, 11, 26, 5))], place.folders.result_dir)
    place.convert()
    place.deliver(receiver)
    assert receiver.times == [utc(2026, 11, 26), utc(2026, 11, 26, 5)]


def test_a_row_that_a_receiver_refuses_does_not_hold_up_the_others(place: Place) -> None:
    receiver = Memory(most_rows=100)
    place.save(*(measured(utc(2026, 11, 26, hour), seed=hour) for hour in range(9)))
    place.convert()
    place.deliver(probe := Memory(most_rows=100))
    shutil.rmtree(place.folders.result_dir / "publishing")
    receiver.refuses = {probe.took[4].source}
    delivery = place.deliver(receiver)
    assert len(receiver.took) == 8
    assert delivery.standing.declined == 1
    receiver.refuses = set()
    place.deliver(receiver)
    assert len(receiver.took) == 8


def test_rows_of_lines_that_result_dir_never_had_are_not_sent(place: Place) -> None:
    receiver = Memory()
    other = Place(place.folders.result_dir.parent / "other")
    other.save(measured(utc(2026, 11, 20), address="office"))
    convert(Folders(other.folders.result_dir, place.folders.upload_dir), HOME, TODAY.date())
    place.save(measured(utc(2026, 11, 20)), measured(utc(2026, 11, 21), address="cottage"))
    place.deliver(receiver)
    assert {row.location for row in receiver.took} == {HOME, "cottage"}


def test_a_file_that_is_no_row_is_left_to_the_conversion(place: Place) -> None:
    receiver = Memory()
    place.save(measured(utc(2026, 11, 26)))
    (path,) = place.folders.result_dir.rglob("*.csv")
    path.with_name("speedtest_01-00-00.csv").write_text("timestamp\n")
    place.deliver(receiver)
    assert len(receiver.took) == 1


def test_a_parquet_file_that_cannot_be_read_holds_up_its_day_only(place: Place) -> None:
    receiver = Memory()
    place.save(measured(utc(2026, 11, 24)), measured(utc(2026, 11, 25)))
    place.convert()
    broken = min(place.folders.upload_dir.rglob("*.parquet"))
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-9])
    place.deliver(receiver)
    assert receiver.times == [utc(2026, 11, 25)]
    broken.write_bytes(whole)
    place.deliver(receiver)
    assert sorted(receiver.times) == [utc(2026, 11, 24), utc(2026, 11, 25)]


class Story:
    """A place and a receiver, and what happens to them."""

    def __init__(self, folder: Path, seed: int, most_rows: int) -> None:
        self.place, self.receiver = Place(folder), Memory(most_rows=most_rows)
        self.chance = random.Random(seed)
        self.kills = self.number = 0

    def row(self, *, is_held: bool = False, is_old: bool = True) -> None:
        day = self.chance.randrange(22, 27) if is_old else 27
        when = utc(2026, 11, day) + timedelta(minutes=self.number)
        self.place.save(measured(when, seed=self.number), is_held=is_held)

    def happens(self, step: str) -> None:
        self.number += 1
        self.receiver.requests, self.receiver.kills = 10**9, False
        match step:
            case "row":
                self.row(is_old=False)
            case "old row" | "held row":
                self.row(is_held=step == "held row")
            case "release":
                by = self.chance.choice([timedelta(0), timedelta(hours=30)])
                held.release(self.place.folders.result_dir, lambda _: by)
            case "convert":
                self.place.convert()
            case "hour":
                self.place.an_hour_passes()
            case "cut":  # a kill may cut the last line short
                path = self.place.folders.result_dir / "publishing" / "memory-0.rows"
                if path.exists():
                    path.write_bytes(path.read_bytes() + b"2026-11-2")
            case _:
                self.visit(step)

    def visit(self, step: str) -> None:
        if step != "deliver":
            self.receiver.requests, self.receiver.kills = self.chance.randrange(1, 4), step == "kill"
        self.place.deliver(self.receiver)
        self.kills += step == "kill" and self.receiver.requests == 0


STEPS = ("row", "row", "old row", "held row", "release", "convert", "deliver", "kill", "refuse", "cut", "hour")
END = ("release", "deliver", "convert", "hour", "deliver")


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(STEPS), min_size=5, max_size=25), st.integers(0, 2**32), st.sampled_from([1, 3, 100]))
def test_each_row_is_taken_and_only_a_kill_lets_it_be_taken_twice(steps: list[str], seed: int, most: int) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108 (its own folder there)
        story = Story(Path(folder), seed, most)
        for step in (*steps, *END):
            story.happens(step)
    took = Counter(row.values["result_id"] for row in story.receiver.took)
    assert took.keys() == {row.raw["result_id"] for row in story.place.saved}
    assert took.total() - len(took) <= story.kills * most
    assert len({row.id for row in story.receiver.took}) == len(took)


@pytest.mark.slow
def test_the_notes_of_a_year_are_small(place: Place) -> None:
    receiver = Memory(most_rows=5000)
    days = (utc(2025, 11, 27) + timedelta(days=number) for number in range(0, 365, 30))
    place.save(*itertools.chain.from_iterable((measured(day), measured(day + timedelta(hours=1))) for day in days))
    place.convert()
    place.deliver(receiver)
    place.deliver(receiver)
    assert len(receiver.took) == len(place.saved)
    notes = sum(path.stat().st_size for path in (place.folders.result_dir / "publishing").iterdir())
    assert notes < 100 * 13 + 200
