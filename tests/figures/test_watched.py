"""What the watch saw, in figures and views: a week with outages at home and at the provider, and with Wi-Fi."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from daemon import run, until
from hypothesis import given, settings, strategies as st
from pages import Page, serving
from samples import HOME
from views import INTERVAL, failed, folders, good, summary

from speedtest.data import watch_state
from speedtest.data.partitions import Folders
from speedtest.data.watch_state import WatchState
from speedtest.figures.slots import Outage
from speedtest.figures.types import Plan, Summary
from speedtest.measurement import Measurement, OutagePlace

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
PLAN = Plan(100.0, 10.0)
LATER = MONDAY + timedelta(days=7)
PERIOD = ("--since", "2026-11-16T00:00Z", "--until", "2026-11-23T00:00Z")
MADE = st.tuples(st.integers(0, 1000), st.floats(4, 90_000), st.sampled_from(["router", "dns"]))


def outage(
    start: datetime, seconds: float, place: OutagePlace, words: str = "no answer", **more: object
) -> Measurement:
    row = Measurement(timestamp=start, started_at=start, status="outage", error_kind=place, error=words)
    row.duration_seconds, row.interval_seconds = seconds, 10.0
    row.speedtest_address, row.timezone = HOME, "Europe/Berlin"
    row.raw |= {"outage": f"{start:%d%H%M}"}
    for name, value in more.items():
        setattr(row, name, value)
    return row


def watched(row: Measurement, down: float = 0.0, line: str = "up", **more: object) -> Measurement:
    seen = {"line": line, "watched_seconds": INTERVAL.total_seconds(), "down_seconds": down}
    seen |= {"probes_sent": 180, "probes_lost": 0, "probe_latency_ms": 12.0, "probe_latency_p95_ms": 20.0}
    return msgspec.structs.replace(row, **{**seen, "router_latency_ms": 0.5, **more})


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def week() -> list[Measurement]:
    """A week of tests: an outage at home, one at the provider, one refused test, one day over Wi-Fi."""
    at_home, at_provider = (
        MONDAY + timedelta(days=1, hours=20, seconds=3),
        MONDAY + timedelta(days=3, hours=4, minutes=2),
    )
    rows = [
        outage(at_home, 125.0, "router", "no answer from 1.1.1.1; the router 192.168.1.1 did not answer either"),
        outage(at_provider, 1500.0, "beyond-router", "no answer from 1.1.1.1; the router 192.168.1.1 answered"),
    ]
    spans = [(row.timestamp, row.timestamp + timedelta(seconds=row.duration_seconds or 0)) for row in rows]
    for number in range(7 * 144):
        slot = MONDAY + number * INTERVAL
        down = sum(max((min(end, slot) - max(start, slot - INTERVAL)).total_seconds(), 0) for start, end in spans)
        if any(start <= slot < end for start, end in spans):
            rows.append(watched(failed(slot, words="could not resolve host"), down, "down"))
        elif slot == MONDAY + timedelta(days=2, hours=9):
            rows.append(watched(failed(slot, words="Limit reached", error_kind="rate-limited")))
        elif slot == MONDAY + timedelta(days=2, hours=10):
            rows.append(watched(failed(slot, words="Cannot open socket")))
        else:
            is_wifi = slot.date() == (MONDAY + timedelta(days=5)).date()
            circumstances = {"link": "wifi" if is_wifi else "ethernet", "download_mbps": 40.0 if is_wifi else 98.0}
            rows.append(watched(good(slot, upload_mbps=9.8, **circumstances), down, probes_lost=number % 10))
    return rows


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return folders(tmp_path_factory.mktemp("week"), week(), converted_before=LATER.date())


@pytest.fixture(scope="module")
def figures(lake: Folders) -> Summary:
    return summary(lake, MONDAY, LATER, PLAN)


def test_availability_is_that_of_the_watch_to_the_second(figures: Summary) -> None:
    assert figures.watch
    assert figures.availability_of == "watch"
    assert figures.watch.watched_seconds == 7 * 86_400
    assert figures.watch.down_seconds == pytest.approx(125 + 1500)
    assert figures.availability_percent == pytest.approx(100 * (1 - 1625 / (7 * 86_400)))


def test_each_outage_has_its_place_its_length_and_what_tests_said_meanwhile(figures: Summary) -> None:
    provider, home = figures.outages
    assert (home.place, home.seconds, home.slots) == ("router", 125.0, 0)
    assert (provider.place, provider.seconds, provider.slots) == ("beyond-router", 1500.0, 2)
    assert provider.words == ["no answer from 1.1.1.1; the router 192.168.1.1 answered", "could not resolve host"]
    assert provider.exact_seconds == 10
    assert figures.outages_in_all == 2


def test_a_refused_test_and_one_that_failed_on_a_line_that_was_up_are_no_outage(figures: Summary) -> None:
    assert (figures.slots.failed, figures.slots.down) == (4, 2)
    assert figures.failures_by_kind == {"exit": 3, "rate-limited": 1}


def test_outages_are_added_up_by_place_by_month_and_by_length(figures: Summary) -> None:
    assert figures.watch
    assert {each.name: (each.outages, each.seconds) for each in figures.watch.by_place} == {
        "router": (1, 125.0),
        "beyond-router": (1, 1500.0),
    }
    assert [(each.name, each.outages) for each in figures.watch.by_month] == [("2026-11", 2)]
    assert figures.watch.shorter == {60: 0, 300: 1, 3600: 2}


def test_latency_and_loss_between_tests_are_told_over_time(figures: Summary) -> None:
    assert figures.watch
    assert figures.watch.bins
    assert {each.latency_ms for each in figures.watch.bins} == {12.0}
    assert {each.router_latency_ms for each in figures.watch.bins} == {0.5}
    assert figures.watch.probes_lost == sum(row.probes_lost or 0 for row in week())
    assert sum(each.down_seconds for each in figures.watch.bins) == pytest.approx(1625)


def test_tests_over_wifi_are_marked_counted_and_not_held_against_the_plan(lake: Folders, figures: Summary) -> None:
    (engine,) = figures.engines
    assert engine.plan_download
    assert figures.quality.by_mark == {"wifi": 144}
    assert (engine.plan_download.share, engine.plan_download.left_out) == (100.0, 144)
    assert engine.download
    assert engine.download.least == 40.0  # they are in every other figure
    ended = run(
        lake.result_dir.parent, "report", "--all-tests", "--json", *PERIOD,
        PLAN_DOWNLOAD_MBPS="100",
    )  # fmt: skip
    (seen,) = json.loads(ended.stdout)
    assert seen["engines"][0]["plan_download"]["share"] < 90
    assert seen["engines"][0]["plan_download"]["left_out"] == 0


@pytest.mark.parametrize(
    ("mark", "columns"),
    [
        ("tunnel", {"link": "tunnel"}),
        ("slow-link", {"link_mbps": 10.0}),
        ("traffic", {"other_bytes": 30_000_000, "data_bytes": 200_000_000}),
        ("busy", {"cpu_percent": 97.0}),
        ("above-link", {"link": "ethernet", "link_mbps": 100.0, "upload_mbps": 110.1}),
    ],
)
def test_each_mark_has_its_cause(tmp_path: Path, mark: str, columns: dict[str, Any]) -> None:
    found = summary(
        folders(tmp_path, [good(MONDAY, **columns), good(MONDAY + INTERVAL, link="ethernet", cpu_percent=20.0)]),
        MONDAY, LATER, PLAN,
    )  # fmt: skip
    assert (found.quality.by_mark, found.quality.tests) == ({mark: 1}, 2)


def test_a_speed_above_the_rate_of_wifi_or_just_above_that_of_a_cable_proves_nothing(tmp_path: Path) -> None:
    fast = {"download_mbps": 940.0, "upload_mbps": 50.0}
    rows = [
        good(MONDAY, link="ethernet", link_mbps=900.0, **fast),
        good(MONDAY + INTERVAL, link="virtual", link_mbps=100.0, **fast),
        good(MONDAY + 2 * INTERVAL, link="ethernet", link_mbps=None, **fast),
    ]
    assert summary(folders(tmp_path, rows), MONDAY, LATER, PLAN).quality.marked == 0


def test_tests_through_another_provider_are_counted_and_not_held_against_the_plan(tmp_path: Path) -> None:
    rows = [good(MONDAY + number * INTERVAL, download_mbps=95.0) for number in range(8)]
    for number, name in enumerate(["Deutsche Telekom AG", "TELEKOM, Inc.", "Mobile & Co", None]):
        rows[number].raw["isp"] = name
    rows[2].download_mbps = 12.0
    where = folders(tmp_path, rows)
    ended = run(
        tmp_path, "report", *PERIOD,
        EXPECT_ISP="föhn & söhne, internet; telekom", PLAN_DOWNLOAD_MBPS="100",
    )  # fmt: skip
    assert "1 of 8 successful tests may say little about the line: 1 through another provider than EXPECT_ISP" in (
        ended.stdout
    )
    assert "100 % of tests reached 90 % of 100 Mbit/s" in ended.stdout
    assert "EXPECT_ISP" not in run(tmp_path, "report", *PERIOD).stdout
    found = summary(where, MONDAY, LATER, Plan(100.0, 10.0, ("telekom",)))
    assert found.quality.by_mark == {"other-provider": 5}


def test_where_nobody_watched_slots_tell_the_availability_and_the_outages(tmp_path: Path) -> None:
    rows = [good(MONDAY), failed(MONDAY + INTERVAL), failed(MONDAY + 2 * INTERVAL), good(MONDAY + 3 * INTERVAL)]
    found = summary(folders(tmp_path, rows), MONDAY, LATER, PLAN)
    assert (found.watch, found.availability_of, found.availability_percent) == (None, "slots", 50.0)
    assert [(each.place, each.slots) for each in found.outages] == [(None, 2)]


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.lists(MADE, max_size=6, unique_by=lambda each: each[0]), st.integers(1, 6))
def test_the_sums_of_outages_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[int, float, OutagePlace]], hours: int
) -> None:
    rows = [
        outage(MONDAY + number * INTERVAL + timedelta(seconds=number), length, place) for number, length, place in made
    ]
    where = folders(tmp_path_factory.mktemp("sums"), [*rows, watched(good(MONDAY + timedelta(hours=hours)))])
    found = summary(where, MONDAY, LATER, PLAN)
    assert found.watch
    assert found.outages_in_all == found.watch.outages_in_all == len(made)
    assert found.watch.outage_seconds == pytest.approx(sum(length for _, length, _ in made), abs=0.01)
    assert sum(each.seconds for each in found.watch.by_place) == pytest.approx(found.watch.outage_seconds, abs=0.01)
    assert all(isinstance(each, Outage) and each.place for each in found.outages)


def test_an_outage_that_a_slot_and_the_watch_tell_is_one(tmp_path: Path) -> None:
    """A daemon that starts in an outage makes its first test before the watch knows the line."""
    rows = [failed(MONDAY), outage(MONDAY + timedelta(seconds=2), 700.0, "beyond-router")]
    rows += [watched(failed(MONDAY + INTERVAL), 598, "down"), watched(good(MONDAY + 2 * INTERVAL), 102)]
    found = summary(folders(tmp_path, rows), MONDAY, LATER, PLAN)
    assert [(each.place, each.seconds) for each in found.outages] == [("beyond-router", 700.0)]
    assert found.outages_in_all == 1


def test_while_the_line_stays_down_its_seconds_run_on(now: tuple[Page, Folders]) -> None:
    page, where = now
    say(where, seen=datetime.now(UTC) - timedelta(seconds=40), state="down", place="router", words="no answer")
    assert 105 <= page.get("/api/now").json()["lines"][0]["watch"]["down_seconds"] <= 120


# ------------------------------------------------------------------------------------------------------ the views


def test_the_report_in_a_terminal_says_where_each_outage_was(lake: Folders) -> None:
    ended = run(lake.result_dir.parent, "report", *PERIOD)
    assert "the line was up 99.731 % of the 7 d in which it was watched" in ended.stdout
    assert "2 outages, the longest 25 min on 19 Nov 2026 (1 at the router, 1 behind the router)" in ended.stdout
    assert "25 min behind the router: no answer from 1.1.1.1; the router 192.168.1.1 answered" in ended.stdout
    assert "144 of 1,004 successful tests may say little about the line: 144 over Wi-Fi" in ended.stdout
    assert "In 2 slots the test failed while the line was up" in ended.stdout


def test_the_report_as_a_file_shows_places_to_the_second_and_a_chart_between_tests(
    lake: Folders, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    run(
        lake.result_dir.parent,
        "report",
        "--since",
        "2026-11-16T00:00Z",
        "--until",
        "2026-11-23T00:00Z",
        "-o",
        str(path),
    )
    page = path.read_text()
    text = text_of(page)
    assert "17 Nov 2026 21:00:03 17 Nov 2026 21:02:08 2 min 5 s at the router" in text  # local time in Berlin
    assert "Availability 99.731 %" in text
    assert "1 outage behind the router: 25 min." in text
    assert "Latency and loss between tests" in text
    assert 'class="broken"' in page


@pytest.fixture
def now(tmp_path: Path) -> Iterator[tuple[Page, Folders]]:
    this = datetime.now(UTC).replace(microsecond=0)
    where = folders(tmp_path, [watched(failed(this - timedelta(minutes=3), words="Limit", error_kind="rate-limited"))])
    with serving(where) as page:
        yield page, where


def say(where: Folders, **more: object) -> None:
    """Write what a watch says."""
    this = datetime.now(UTC)
    seen = WatchState(seen=this, location=HOME, interval_seconds=10.0, state="up", since=this)
    seen.latency_ms, seen.router_latency_ms, seen.loss_ratio, seen.down_seconds, seen.outages = 12.5, 0.5, 0.25, 65.0, 2
    watch_state.write(msgspec.structs.replace(seen, **more), where.result_dir)


def test_the_state_now_is_that_of_the_watch_and_not_of_the_last_test(now: tuple[Page, Folders]) -> None:
    page, where = now
    assert page.get("/api/now").json()["lines"][0]["condition"] == "test-failed"
    say(where)
    line = page.get("/api/now").json()["lines"][0]
    assert (line["condition"], line["up"], line["watch"]["latency_ms"]) == ("up", True, 12.5)
    say(where, state="down", place="router", words="no answer from 1.1.1.1")
    line = page.get("/api/now").json()["lines"][0]
    assert (line["condition"], line["watch"]["place"]) == ("down", "router")
    assert "(router): no answer from 1.1.1.1" in text_of(page.get("/").text)


def test_a_watch_of_another_line_or_of_long_ago_says_nothing_of_this_one(now: tuple[Page, Folders]) -> None:
    page, where = now
    say(where, location="another")
    assert page.get("/api/now").json()["lines"][0]["watch"] is None
    say(where, seen=datetime.now(UTC) - timedelta(minutes=5))
    assert page.get("/api/now").json()["lines"][0]["watch"] is None


def test_a_watch_that_looks_every_five_minutes_is_believed_for_so_long(now: tuple[Page, Folders]) -> None:
    page, where = now
    say(where, seen=datetime.now(UTC) - timedelta(minutes=5), interval_seconds=300.0)
    assert page.get("/api/now").json()["lines"][0]["watch"]["latency_ms"] == 12.5
    say(where, seen=datetime.now(UTC) - timedelta(minutes=7), interval_seconds=300.0)
    assert page.get("/api/now").json()["lines"][0]["watch"] is None


def test_metrics_tell_what_the_watch_sees(now: tuple[Page, Folders]) -> None:
    page, where = now
    assert "speedtest_line_up{" not in page.get("/metrics").text
    say(where, state="down", place="router", words="no answer")
    until(lambda: "speedtest_line_up{" in page.get("/metrics").text, "a scrape that has read the watch's file")
    text = page.get("/metrics").text
    labels = f'{{location="{HOME}"}}'
    assert f"speedtest_line_up{labels} 0.0" in text
    assert f"speedtest_line_down_seconds_total{labels} 65.0" in text
    assert f"speedtest_line_outages_total{labels} 2.0" in text
    assert f"speedtest_probe_latency_seconds{labels} 0.0125" in text
    assert f"speedtest_probe_loss_ratio{labels} 0.25" in text
    assert f'speedtest_line_down_place{{location="{HOME}",place="router"}} 1.0' in text


def test_status_shows_what_the_watch_sees_and_the_availability(now: tuple[Page, Folders]) -> None:
    _, where = now
    say(where, state="down", place="router", words="no answer from 1.1.1.1")
    shown = run(where.result_dir.parent, "status").stdout
    assert "state                 down" in shown
    assert ", router: no answer from 1.1.1.1, 12.5 ms, 25.0 % lost" in shown
    assert "availability          24h 100 %, 7d 100 %, 30d 100 %" in shown


def test_the_results_of_the_api_have_outages_and_circumstances(lake: Folders) -> None:
    with serving(lake) as page:
        found = page.get("/api/results?since=2026-11-16T00:00Z&until=2026-11-23T00:00Z&limit=2000").json()["results"]
    outages = [row for row in found if row["status"] == "outage"]
    assert [(row["error_kind"], row["duration_seconds"]) for row in outages] == [
        ("router", 125.0),
        ("beyond-router", 1500.0),
    ]
    assert {row["link"] for row in found if row["status"] == "ok"} == {"ethernet", "wifi"}
