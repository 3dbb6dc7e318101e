"""Months, weeks, days and hours are those of the wall clock at the line, the same in every view and in the daemon."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from samples import HOME, utc
from views import failed, folders, good, summary

from speedtest.daemon import schedule
from speedtest.data.partitions import Folders
from speedtest.figures import calendar, state
from speedtest.figures.rows import Rows

AUCKLAND = "Pacific/Auckland"
HOUR = timedelta(hours=1)
CHANGES = {
    AUCKLAND: (utc(2026, 9, 26, 12), utc(2026, 10, 2)),
    "Europe/Berlin": (utc(2026, 10, 24, 12), utc(2026, 11, 2)),
    "America/Sao_Paulo": (utc(2018, 10, 30), utc(2018, 11, 6)),  # the clocks change at midnight
    "Asia/Kathmandu": (utc(2026, 10, 30), utc(2026, 11, 2)),
}
"""Zones, each with a time in which a month begins or its clocks change."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give this process another time zone."""

    def in_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield in_zone
    monkeypatch.undo()
    time.tzset()


def ask(where: Folders, question: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        engine.execute(
            "create view home as select *, timestamp at time zone timezone as wall"
            f" from '{where.upload_dir}/*/*/*/*/*.parquet' where speedtest_address = '{HOME}'"
        )
        return engine.execute(question).fetchall()


def lake(folder: Path, zone: str, since: datetime, until: datetime, step: timedelta) -> Folders:
    """Save a row for each step, converted, every ninth failed."""
    dues = [since + number * step for number in range(round((until - since) / step))]
    rows = [(failed if number % 9 == 4 else good)(due, timezone=zone) for number, due in enumerate(dues)]
    return folders(folder, rows, (until + timedelta(days=40)).date())


@pytest.mark.parametrize("zone", CHANGES)
def test_months_and_hours_are_those_of_duckdb_over_changes_of_the_clocks(tmp_path: Path, zone: str) -> None:
    since, until = CHANGES[zone]
    where = lake(tmp_path, zone, since, until, HOUR / 2)
    found = summary(where, since, until)
    months = ask(where, "select strftime(wall, '%Y-%m') as m, sum(data_bytes) from home where status = 'ok' group by m")
    assert found.bytes_by_month == dict(months)
    week = ask(
        where,
        "select isodow(wall) - 1 as d, hour(wall) as h, count(*) from home where status = 'ok' group by d, h"
        " order by d, h",
    )
    assert [(each.weekday, each.hour, each.tests) for each in found.engines[0].week] == week


@pytest.mark.slow
@pytest.mark.parametrize("zone", CHANGES)
def test_bins_of_days_and_weeks_begin_at_local_midnight_as_in_duckdb(tmp_path: Path, zone: str) -> None:
    since = CHANGES[zone][0]
    for days, unit in ((300, "day"), (800, "week")):
        until = since + timedelta(days=days)
        where = lake(tmp_path / unit, zone, since, until, timedelta(hours=19 if unit == "day" else 71))
        found = summary(where, since, until)
        width = found.bin_seconds // 86400
        assert found.bin_seconds % 86400 == 0
        if unit == "week":
            assert width == 7
        expected = ask(
            where,
            f"select date '1970-01-05' + cast(floor(date_diff('day', date '1970-01-05', wall::date) / {width})"
            f" as integer) * {width} as start, count(*) filter (status = 'ok'), count(*) filter (status = 'failed')"
            " from home group by start order by start",
        )
        days_of = [(pd.Timestamp(start).date(), good, bad) for start, good, bad in expected]
        local = calendar.zone_of(Rows(where).of(since, until))
        assert [((each.start + HOUR).astimezone(local).date(), each.tests) for each in found.engines[0].bins] == [
            (start, tests) for start, tests, _ in days_of if tests
        ]
        assert [((each.start + HOUR).astimezone(local).date(), each.tests) for each in found.failures] == [
            (start, tests) for start, _, tests in days_of if tests
        ]
        assert all(each.start.astimezone(local).hour in (0, 1) for each in found.engines[0].bins)


@pytest.mark.parametrize("zone", CHANGES)
def test_the_month_is_the_one_that_the_daemon_counts_its_budget_by(machine: Callable[[str], None], zone: str) -> None:
    machine(zone)
    since, until = CHANGES[zone]
    instants = pd.date_range(since, until, freq="7min")
    moments: list[datetime] = instants.to_pydatetime().tolist()
    rows = pd.DataFrame({"timestamp": instants, "timezone": zone})
    local = calendar.zone_of(rows)
    counted = [schedule.month(instant) for instant in moments]
    assert len(set(counted)) == 2 or zone == "America/Sao_Paulo"
    assert [calendar.name(number) for number in calendar.months(rows)] == counted
    assert [calendar.name(calendar.month(each, local)) for each in moments] == counted


def test_state_and_summary_count_the_same_month(tmp_path: Path) -> None:
    """All tests are in November by the clock in Auckland, and half of them in October by UTC."""
    begun = utc(2026, 10, 31, 11)  # 1 November, 00:00 in Auckland
    rows = [good(begun + number * HOUR, timezone=AUCKLAND) for number in range(26)]
    where = folders(tmp_path, rows)
    now = begun + 26 * HOUR
    moved = sum(row.data_bytes or 0 for row in rows)
    assert summary(where, begun, now).bytes_by_month == {"2026-11": moved}
    assert state.of(Rows(where), HOME, now).data_bytes_of_month == moved


def test_the_whole_of_a_month_of_31_days_and_an_hour_is_counted(tmp_path: Path) -> None:
    rows = [good(utc(2026, 9, 30, 22, 1)), good(utc(2026, 10, 31, 22))]  # October in Berlin begins at 22:00 UTC
    where = folders(tmp_path, rows)
    line = state.of(Rows(where), HOME, utc(2026, 10, 31, 22, 50))
    assert line.data_bytes_of_month == sum(row.data_bytes or 0 for row in rows)


def test_a_row_without_a_zone_counts_by_the_zone_of_this_machine(
    tmp_path: Path, machine: Callable[[str], None]
) -> None:
    machine(AUCKLAND)
    rows = [good(utc(2026, 10, 31, 12), timezone=None)]
    found = summary(folders(tmp_path, rows), utc(2026, 10, 1), utc(2026, 12, 1))
    assert (list(found.bytes_by_month), found.zone, found.engines[0].hours[0].hour) == (["2026-11"], AUCKLAND, 1)


def test_a_line_that_moved_has_each_row_by_its_own_clock_and_the_newest_zone(tmp_path: Path) -> None:
    rows = [good(utc(2026, 3, 1, 12), timezone="Europe/Berlin"), good(utc(2026, 3, 2, 12), timezone=AUCKLAND)]
    found = summary(folders(tmp_path, rows), utc(2026, 3, 1), utc(2026, 3, 4))
    assert [each.hour for each in found.engines[0].hours] == [1, 13]
    assert found.zone == AUCKLAND


def test_short_bins_have_the_same_length_over_a_change_of_the_clocks() -> None:
    instants = pd.date_range(utc(2026, 10, 25), utc(2026, 10, 25, 4), freq="10min", tz=UTC, inclusive="left")
    rows = pd.DataFrame({"timestamp": instants, "timezone": "Europe/Berlin"})
    assert calendar.bins(rows, 3600).value_counts().tolist() == [6, 6, 6, 6]
