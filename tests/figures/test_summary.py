"""The figures of a line are the same as those that DuckDB computes from the same lake."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from samples import HOME, OFFICE, utc
from views import INTERVAL, failed, folders, good, skipped, summary

from speedtest.data.partitions import Folders
from speedtest.figures.measured import MOST_SERVERS
from speedtest.figures.rows import Rows
from speedtest.figures.summary import MOST_BINS, MOST_OUTAGES, bin_width, summarise
from speedtest.figures.types import Plan, Question, Spread, Summary

START = utc(2026, 3, 27)
DAYS = 4
UNTIL = START + timedelta(days=DAYS)
PLAN = Plan(400, 100)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Four converted days with a change of the clocks: two programs, failures, skips, and another location."""
    rows = []
    for number in range(DAYS * 144):
        due = START + number * INTERVAL
        if number % 11 == 3:
            rows.append(failed(due, words=f"reason {number % 3}"))
        elif number % 17 == 5:
            rows.append(skipped(due))
        else:
            more: dict[str, Any] = {"engine": "librespeed", "packet_loss_percent": None} if number % 5 == 0 else {}
            rows.append(good(due, **more))
        if number % 7 == 0:
            rows.append(good(due, OFFICE, seed=1))
    return folders(tmp_path_factory.mktemp("lake"), rows, date(2026, 4, 1))


@pytest.fixture(scope="module")
def found(where: Folders) -> Summary:
    return summary(where, START, UNTIL, PLAN)


def ask(where: Folders, question: str) -> list[tuple[Any, ...]]:
    """Ask DuckDB about the successful tests at home with the most used program."""
    lake = f"'{where.upload_dir}/*/*/*/*/*.parquet'"
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        engine.execute(
            f"create view good as select * from {lake} where status = 'ok' and engine = 'ookla'"
            f" and speedtest_address = '{HOME}'"
        )
        engine.execute(f"create view home as select * from {lake} where speedtest_address = '{HOME}'")
        return engine.execute(question).fetchall()


SPREADS = {
    "download": "download_mbps",
    "upload": "upload_mbps",
    "latency": "latency_ms",
    "jitter": "jitter_ms",
    "download_latency": "download_latency_ms",
    "upload_latency": "upload_latency_ms",
    "loss": "packet_loss_percent",
}


@pytest.mark.parametrize("name", SPREADS)
def test_medians_and_deciles_are_those_of_duckdb(where: Folders, found: Summary, name: str) -> None:
    column = SPREADS[name]
    ((*expected,),) = ask(
        where,
        f"select count({column}), quantile_cont({column}, 0.5), quantile_cont({column}, 0.1),"
        f" quantile_cont({column}, 0.9), min({column}), max({column}) from good",
    )
    spread: Spread = getattr(found.engines[0], name)
    assert found.engines[0].name == "ookla"
    assert [getattr(spread, field) for field in Spread.__struct_fields__] == pytest.approx(expected)


def test_the_bins_are_those_of_duckdb(where: Folders, found: Summary) -> None:
    expected = ask(
        where,
        f"select epoch(timestamp)::bigint // {found.bin_seconds} * {found.bin_seconds} as start, count(*),"
        " quantile_cont(download_mbps, 0.5), quantile_cont(download_mbps, 0.9), median(latency_ms),"
        " avg(packet_loss_percent) from good group by start order by start",
    )
    assert len(expected) <= MOST_BINS
    assert [
        (
            each.start.timestamp(),
            each.tests,
            each.download and each.download.median,
            each.download and each.download.high,
            each.latency_ms,
            each.packet_loss_percent,
        )
        for each in found.engines[0].bins
    ] == [pytest.approx(line) for line in expected]


def test_hours_and_weekdays_are_those_of_the_zone_in_the_row(where: Folders, found: Summary) -> None:
    with_zone = "timestamp at time zone timezone"
    hours = ask(
        where, f"select hour({with_zone}) as h, count(*), median(download_mbps) from good group by h order by h"
    )
    week = ask(
        where,
        f"select isodow({with_zone}) - 1 as d, hour({with_zone}) as h, count(*), median(upload_mbps) from good"
        " group by d, h order by d, h",
    )
    engine = found.engines[0]
    assert [(each.hour, each.tests, each.download_mbps) for each in engine.hours] == [pytest.approx(h) for h in hours]
    assert [(each.weekday, each.hour, each.tests, each.upload_mbps) for each in engine.week] == [
        pytest.approx(line) for line in week
    ]


def test_the_plan_is_kept_by_tests_that_reach_nine_tenths_of_it(where: Folders, found: Summary) -> None:
    ((down, up),) = ask(
        where,
        "select 100 * avg((download_mbps >= 360)::int), 100 * avg((upload_mbps >= 90)::int) from good",
    )
    engine = found.engines[0]
    assert engine.plan_download
    assert engine.plan_upload
    assert (engine.plan_download.share, engine.plan_upload.share) == pytest.approx((down, up))


def test_servers_failures_and_data_are_those_of_duckdb(where: Folders, found: Summary) -> None:
    servers = ask(where, "select server_id, count(*) from good group by server_id")
    assert sum(server.tests for server in found.engines[0].servers) <= sum(count for _, count in servers)
    assert all((server.server_id, server.tests) in servers for server in found.engines[0].servers)
    kinds = ask(where, "select error_kind, count(*) from home where status = 'failed' group by 1")
    assert found.failures_by_kind == dict(kinds)
    assert sum(each.tests for each in found.failures) == sum(count for _, count in kinds)
    ((moved,),) = ask(where, "select sum(data_bytes) from home")
    assert found.data_bytes == moved
    assert sum(found.bytes_by_month.values()) == moved


def test_the_most_used_servers_come_first(tmp_path: Path) -> None:
    rows = [good(START + number * INTERVAL) for number in range(60)]
    for number, row in enumerate(rows):
        row.raw |= {"server_id": str(number % 30 if number < 58 else 7), "server_name": "A"}
    servers = summary(folders(tmp_path, rows), START, UNTIL).engines[0].servers
    assert (servers[0].server_id, servers[0].tests) == ("7", 4)
    assert len(servers) == MOST_SERVERS


def test_programs_are_never_mixed(found: Summary) -> None:
    assert [engine.name for engine in found.engines] == ["ookla", "librespeed"]
    assert found.engines[1].loss is None
    assert sum(engine.tests for engine in found.engines) == found.tests


def test_a_period_leaves_out_what_is_not_in_it(where: Folders) -> None:
    day = summary(where, START + timedelta(days=1), START + timedelta(days=2))
    assert day.slots.due == 144
    assert day.first
    assert day.last
    assert START + timedelta(days=1) <= day.first <= day.last < START + timedelta(days=2)


@pytest.mark.parametrize("days", [0.01, 1, 7, 30, 365, 3650, 36500])
def test_there_are_never_too_many_bins(days: float) -> None:
    asked = Question(HOME, START, START + timedelta(days=days), known_before=False)
    width = bin_width(None, asked)
    assert timedelta(days=days).total_seconds() / width + 1 <= MOST_BINS


def test_what_is_sent_does_not_grow_with_the_rows(found: Summary) -> None:
    assert found.rows > 3 * MOST_BINS
    assert len(found.failures) <= MOST_BINS
    assert len(found.outages) <= MOST_OUTAGES < (found.outages_in_all or 0)
    for engine in found.engines:
        assert max(len(engine.bins), len(engine.week) - 7 * 24 + MOST_BINS) <= MOST_BINS
        assert len(engine.servers) <= MOST_SERVERS < engine.tests - engine.failed


def test_an_empty_period_has_a_summary(tmp_path: Path) -> None:
    empty = summary(folders(tmp_path, []), START, UNTIL, PLAN, known_before=True)
    assert (empty.rows, empty.tests, empty.engines, empty.slots.due, empty.first) == (0, 0, [], 0, None)


def test_one_row_has_a_summary(tmp_path: Path) -> None:
    one = summary(folders(tmp_path, [good(START)]), START, UNTIL)
    assert one.engines[0].download
    assert one.engines[0].download.low == one.engines[0].download.high == one.engines[0].download.median


def test_nothing_but_failures_has_a_summary(tmp_path: Path) -> None:
    all_failed = summary(folders(tmp_path, [failed(START + n * INTERVAL) for n in range(6)]), START, UNTIL)
    assert all_failed.engines[0].download is None
    assert all_failed.slots.uptime_percent == 0
    assert all_failed.outages[0].slots == 6


@pytest.mark.parametrize("zone", ["No/Such", "../../etc/passwd", "\x1b[31m", "UTC\n", "x" * 10_000, None])
def test_a_zone_that_nobody_knows_counts_as_that_of_this_machine(
    tmp_path: Path, zone: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    found = summary(folders(tmp_path, [good(START + timedelta(hours=5), timezone=zone)]), START, UNTIL)
    assert [each.hour for each in found.engines[0].hours] == [5]


def test_rows_that_are_not_converted_yet_count_the_same(tmp_path: Path) -> None:
    rows = [good(START + number * INTERVAL) for number in range(20)]
    before = folders(tmp_path, rows)
    asked = Question(HOME, START, UNTIL, known_before=False)
    waiting = summarise(Rows(before).pieces(START, UNTIL, HOME), asked, PLAN)
    after = folders(tmp_path, [], date(2026, 4, 1))
    assert summarise(Rows(after).pieces(START, UNTIL, HOME), asked, PLAN) == waiting
