"""The page as a browser sees it: what it shows, that it only reads, and how it ends."""

import concurrent.futures
import re
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from command import speedsnake
from daemon import run
from pages import ONLY_READING, Page, days_until_now, lake, serving, this_slot
from samples import HOME, OFFICE, keep
from views import failed, folders, good, skipped

from speedtest.data import heartbeat
from speedtest.data.heartbeat import Heartbeat
from speedtest.data.partitions import Folders
from speedtest.page.headers import headers
from speedtest.values import amounts

ROUTES = (
    "/",
    "/?range=24h",
    "/?range=all&theme=dark&refresh=off",
    f"/?location={OFFICE}",
    "/style.css",
    "/icon.svg",
    "/api/results",
    "/api/summary",
    "/api/locations",
    "/api/now",
    "/openapi.json",
    "/metrics",
    "/healthz",
    "/nothing",
    "/?range=x",
)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    rows = [*days_until_now(), *days_until_now(1, OFFICE, 1)[6:]]
    return lake(tmp_path_factory.mktemp("page"), rows)


@pytest.fixture(scope="module")
def page(where: Folders) -> Iterator[Page]:
    with serving(where, "-c", ONLY_READING, PLAN_DOWNLOAD_MBPS="500", PYTHONDONTWRITEBYTECODE="1") as page:
        yield page


def text_of(body: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.mark.slow
def test_the_state_now_is_shown_first_and_the_sections_of_the_report_follow(page: Page) -> None:
    answer = page.get("/")
    text = text_of(answer.text)
    last = page.get("/api/now").json()["lines"][0]["last"]
    assert answer.status_code == 200
    assert f"Now Up Download {amounts.amount(last['download_mbps'])} Mbit/s" in text
    places = [text.index(words) for words in ("Now", "The last 30 days", "Against the plan", "Throughput", "Outages")]
    assert places == sorted(places)


def test_figures_of_the_page_are_those_that_duckdb_computes(page: Page, where: Folders) -> None:
    berlin = "timezone('Europe/Berlin', timestamp)::date"
    the_day = (datetime.now(UTC) - timedelta(days=2)).date()  # complete in every zone, so it is Parquet
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        engine.execute(
            f"select median(download_mbps), count(*) from '{where.upload_dir}/*/*/*/*/*.parquet' "
            f"where status = 'ok' and speedtest_address = '{HOME}' and {berlin} = '{the_day}'"
        )
        ((median, tests),) = engine.fetchall()
    text = text_of(page.get(f"/?from={the_day}&to={the_day}&location={HOME}").text)
    assert f"Download, median {amounts.amount(median)} Mbit/s" in text
    assert f"in 80 % of {tests} tests" in text


@pytest.mark.parametrize("chosen", ["24h", "7d", "30d", "1y", "all"])
def test_every_period_is_one_click_and_says_which_it_is(page: Page, chosen: str) -> None:
    body = page.get(f"/?range={chosen}&theme=dark").text
    (current,) = re.findall(r'href="([^"]+)" aria-current="page"', body)
    assert f"range={chosen}" in current
    assert "theme=dark" in current
    assert page.get(f"/{current.replace('&amp;', '&')}").status_code == 200


def test_light_or_dark_is_as_the_system_says_unless_it_is_chosen(page: Page) -> None:
    assert "data-theme" not in page.get("/").text
    assert '<html lang="en" data-theme="dark">' in page.get("/?theme=dark").text
    assert "prefers-color-scheme: dark" in page.get("/style.css").text


def test_days_go_before_a_range_that_the_form_carries_along(page: Page) -> None:
    today = datetime.now(UTC).date()
    assert "aria-current" not in page.get(f"/?range=7d&from={today}&to=").text
    assert 'href="?range=7d" aria-current' in page.get("/?range=7d&from=&to=").text.replace(f"&amp;location={HOME}", "")


def test_another_location_has_a_page_of_its_own(page: Page) -> None:
    assert "<h1>office</h1>" in page.get(f"/?location={OFFICE}").text
    assert f"<h1>{HOME}</h1>" in page.get("/").text


def test_a_page_without_news_is_not_sent_again(page: Page) -> None:
    first = page.get("/?range=7d")
    again = page.get("/?range=7d", **{"If-None-Match": f'W/{first.headers["etag"]}, "other"'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["refresh"] == first.headers["refresh"]
    assert page.get("/?range=24h", **{"If-None-Match": first.headers["etag"]}).status_code == 200


def test_the_page_comes_again_by_itself_unless_that_is_switched_off(page: Page) -> None:
    assert page.get("/").headers["refresh"] == "60"
    assert "refresh" not in page.get("/?refresh=off").headers


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("range=2d", "range=2d must be one of 24h, 7d, 30d, 1y, all"),
        ("from=yesterday", "from=yesterday must be a day, such as 2026-01-31"),
        ("from=2026-02-01&to=2026-01-01", "from=2026-02-01 is after to=2026-01-01"),
        ("from=2999-01-01", "2999-01-01 is in the future"),
        ("theme=pink", "theme=pink must be one of auto, light, dark"),
        ("colour=red", "colour is not a parameter of this address; allowed are range, from, to"),
        ("from=&to=&range=" + "x" * 5000, "x must be one of"),
    ],
)
def test_a_parameter_that_means_nothing_is_told_with_what_does(page: Page, query: str, advice: str) -> None:
    answer = page.get(f"/?{query}")
    assert answer.status_code == 400
    assert advice in text_of(answer.text)
    assert len(answer.text) < 2000


def test_a_location_that_is_not_there_is_told_with_those_that_are(page: Page) -> None:
    answer = page.get("/?location=..%2F..%2Fetc")
    assert answer.status_code == 404
    assert HOME in text_of(answer.text)


@pytest.mark.parametrize("period", ["from=0001-01-01", "to=9999-12-31", "from=0001-01-01&to=9999-12-31"])
def test_the_ends_of_the_calendar_are_days_like_others(page: Page, period: str) -> None:
    assert page.get(f"/?{period}").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Pacific/Auckland", date(2025, 11, 20), 24),
        ("America/Los_Angeles", date(2025, 11, 20), 24),
        ("Europe/Berlin", date(2025, 10, 26), 25),
        ("Europe/Berlin", date(2025, 3, 30), 23),
        ("America/Santiago", date(2025, 9, 7), 23),  # its first hour does not exist
    ],
)
def test_a_day_is_that_of_the_line(tmp_path: Path, zone: str, day: date, hours: int) -> None:
    first = datetime.combine(day - timedelta(days=1), time(), UTC)
    rows = [good(first + timedelta(minutes=30 * number), timezone=zone) for number in range(3 * 48)]
    period = f"since={day}&until={day + timedelta(days=1)}"
    with serving(folders(tmp_path, rows)) as page:
        text = text_of(page.get(f"/?from={day}&to={day}").text)
        found = page.get(f"/api/results?limit=50&{period}").json()
        summary = page.get(f"/api/summary?{period}").json()
    assert f"in 80 % of {2 * hours} tests" in text
    assert len(found["results"]) == summary["tests"] == 2 * hours
    begins = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    assert datetime.fromisoformat(summary["since"]) == max(begins, first)
    assert f"From ({zone})" in text


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_forbids_what_the_page_does_not_need(page: Page, path: str) -> None:
    answer = page.get(path)
    for name, value in headers().items():
        assert answer.headers[name] == value or name == "Cache-Control"
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] in ("no-store", "private, no-cache")


def test_nothing_on_the_page_needs_another_server_or_a_script(page: Page) -> None:
    for path in ("/", "/?range=all", "/?range=x"):
        body = page.get(path).text
        assert not re.search(r"<script|<style|\son\w+=|\sstyle=|javascript:", body)
        assert set(re.findall(r"https?://[^\"'< ]+", body)) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_whatever_does_not_read_is_refused(page: Page, method: str) -> None:
    for path in ("/", "/api/results", "/nothing"):
        answer = page.client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.slow
def test_no_route_writes(page: Page, where: Folders) -> None:
    before = snapshot(where)
    for path in ROUTES:
        for method in ("GET", "HEAD", "POST"):
            page.client.request(method, path)
    assert snapshot(where) == before
    assert "WRITES" not in page.stderr


def snapshot(where: Folders) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for folder in (where.result_dir, where.upload_dir)
        for path in (folder, *folder.rglob("*"))
    }


def test_fifty_at_once_are_served_without_an_error(page: Page) -> None:
    paths = [
        ("/", "/?range=all", "/metrics", "/api/summary?since=2d", "/api/results?limit=5")[n % 5] for n in range(50)
    ]
    with concurrent.futures.ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(page.get, paths))
    assert [answer.status_code for answer in answers] == [200] * 50


@pytest.mark.slow
def test_a_line_that_is_down_is_told_with_its_words_and_how_often(tmp_path: Path) -> None:
    rows = [good(this_slot() - timedelta(minutes=10 * number)) for number in range(3, 10)]
    rows += [failed(this_slot() - timedelta(minutes=10 * number), words="<b>no & route") for number in range(3)]
    with serving(folders(tmp_path, rows)) as page:
        body = page.get("/").text
        assert "Now Down" in text_of(body)
        assert "It failed (exit): &lt;b&gt;no &amp; route" in body
        assert "3 failures in a row; the last successful test was at" in text_of(body)


@pytest.mark.slow
def test_what_is_long_ago_is_not_the_present_and_what_was_skipped_is_said(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with serving(folders(tmp_path / "old", [good(this_slot() - timedelta(hours=3))])) as page:
        assert "Now Unknown" in text_of(page.get("/").text)
    quiet = [good(this_slot() - timedelta(hours=3)), skipped(this_slot())]
    with serving(folders(tmp_path / "quiet", quiet)) as page:
        text = text_of(page.get("/").text)
        assert "Now Up" in text
        assert "was skipped: quiet-hours" in text


@pytest.mark.slow
def test_without_rows_the_page_says_so_and_shows_the_first_when_it_comes(tmp_path: Path) -> None:
    where = folders(tmp_path, [])
    with serving(where) as page:
        assert "No results yet" in text_of(page.get("/").text)
        assert page.get("/api/results").json() == {"location": "", "results": [], "next": None}
        assert "speedtest_up{" not in page.get("/metrics").text
        keep([good(this_slot())], where.result_dir)
        assert "Now Up" in text_of(page.get("/").text)


@pytest.mark.slow
def test_it_comes_again_when_the_next_result_may_be_there_and_says_when_the_daemon_stopped(tmp_path: Path) -> None:
    where = folders(tmp_path, [good(this_slot())])
    beat = Heartbeat(
        pid=1,
        interval_seconds=600,
        timeout_seconds=120,
        next_due=datetime.now(UTC) + timedelta(seconds=500),
        next_due_monotonic=0,
        rows_waiting=2,
    )
    heartbeat.write(beat, where.result_dir)
    with serving(where) as page:
        first = page.get("/")
        assert 520 < int(first.headers["refresh"]) <= 545
        assert "2 rows wait in memory" in text_of(first.text)
        beat.next_due -= timedelta(hours=1)
        heartbeat.write(beat, where.result_dir)
        assert "the daemon seems to have stopped" in text_of(page.get("/").text)


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named_and_the_next_request_tries_again(tmp_path: Path) -> None:
    where = lake(tmp_path, days_until_now(2))
    (damaged,) = list(where.upload_dir.rglob("*.parquet"))[:1]
    whole = damaged.read_bytes()
    with serving(where) as page:
        damaged.write_bytes(whole[:100])
        answer = page.get("/api/summary?since=7d")
        assert answer.status_code == 503
        assert damaged.name in answer.json()["error"]
        damaged.write_bytes(whole)
        assert page.get("/api/summary?since=7d").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(tmp_path: Path, number: int) -> None:
    with serving(folders(tmp_path, [])) as page:
        page.get("/healthz")
        assert page.stop(number) == 0
        assert "Traceback" not in page.stderr


def test_a_port_that_is_taken_is_told(page: Page, tmp_path: Path) -> None:
    ended = run(tmp_path, "page", "--port", page.address.rpartition(":")[2])
    assert ended.returncode == 75
    assert "choose another port" in ended.stderr


def test_it_is_a_command_of_speedsnake_as_well(page: Page, tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "page", "--port", page.address.rpartition(":")[2], "--host", "127.0.0.1")
    assert ended.returncode == 75
    assert "PAGE_HOST=127.0.0.1" in ended.stderr


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"PAGE_HOST": "192.0.2.1"}, "this machine has no such address"),
        ({"PAGE_HOST": "example.net"}, "PAGE_HOST='example.net'"),
        ({"PAGE_PORT": "x"}, "PAGE_PORT='x'"),
        ({"PLAN_DOWNLOAD_MBPS": "fast"}, "PLAN_DOWNLOAD_MBPS='fast'"),
    ],
)
def test_a_mistake_in_the_settings_ends_it_with_78(tmp_path: Path, settings: dict[str, str], advice: str) -> None:
    ended = run(tmp_path, "page", programs=None, **settings)
    assert ended.returncode == 78
    assert advice in ended.stderr


def test_an_argument_that_means_nothing_ends_it_with_64_and_help_with_0(tmp_path: Path) -> None:
    assert run(tmp_path, "page", "--prot", "1").returncode == 64
    helped = run(tmp_path, "page", "--help")
    assert helped.returncode == 0
    assert "--host" in helped.stdout
