"""What other programs get from the page: JSON as its API description says, and metrics for Prometheus."""

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from foreign import without_status
from openapi_spec_validator import validate
from pages import HOSTILE, Page, days_until_now, lake, serving, this_slot
from paths import PROJECT
from prometheus_client.parser import text_string_to_metric_families
from samples import HOME, OFFICE
from views import failed, folders, good

from speedtest.data.heartbeat import Heartbeat, write
from speedtest.data.partitions import Folders
from speedtest.figures.rows import COLUMNS, Rows

DOCS = PROJECT / "docs"


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    rows = [*days_until_now(), *days_until_now(1, OFFICE, 1)[6:]]
    where = lake(tmp_path_factory.mktemp("page"), rows)
    due = datetime.now(UTC) + timedelta(minutes=5)
    write(
        Heartbeat(pid=1, interval_seconds=600, timeout_seconds=120, next_due=due, next_due_monotonic=0),
        where.result_dir,
    )
    return where


@pytest.fixture(scope="module")
def page(where: Folders) -> Iterator[Page]:
    with serving(where) as page:
        yield page


def metrics(page: Page) -> dict[tuple[str, ...], float]:
    """Return every sample by its name, its location and its engine (if it has these)."""
    families = text_string_to_metric_families(page.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {
        (each.name, *(each.labels[name] for name in ("location", "engine") if name in each.labels)): each.value
        for each in samples
    }


def follow(page: Page, query: str | None) -> list[dict[str, Any]]:
    """Return the rows of an answer and of all answers that follow it."""
    rows: list[dict[str, Any]] = []
    for _ in range(100):
        if query is None:
            return rows
        answer = page.get(f"/api/results{query}").json()
        rows += answer["results"]
        query = answer["next"]
    raise AssertionError(f"it never ends: {query}")


def test_every_row_is_had_once_and_in_order_by_following_next(page: Page, where: Folders) -> None:
    since = datetime.now(UTC) - timedelta(days=2)
    query = f"?since={since.isoformat().replace('+', '%2B')}&limit=50&location={HOME}"
    seen = [row["slot"] for row in follow(page, query)]
    rows = Rows(where).of(since, datetime.now(UTC), HOME)
    assert seen == [f"{slot:%Y-%m-%dT%H:%M:%SZ}" for slot in rows["slot"]]
    assert len(page.get(f"/api/results{query}").json()["results"]) == 50


def test_rows_of_one_instant_are_not_lost_between_two_answers(tmp_path: Path) -> None:
    rows = [good(this_slot(), seed=number) for number in range(7)]
    with serving(folders(tmp_path, rows)) as page:
        seen = [row["data_bytes"] for row in follow(page, "?limit=2")]
    assert sorted(seen) == sorted(row.data_bytes or 0 for row in rows)


@pytest.mark.slow
def test_answers_go_on_over_months(tmp_path: Path) -> None:
    rows = [good(this_slot() - timedelta(days=number)) for number in range(90)]
    with serving(lake(tmp_path, rows)) as page:
        seen = [row["data_bytes"] for row in follow(page, "?since=100d&limit=40")]
    assert seen == [row.data_bytes for row in reversed(rows)]


def test_a_row_has_the_columns_of_the_lake_with_null_for_what_was_not_measured(page: Page, where: Folders) -> None:
    answer = page.get("/api/results?limit=5000&since=2d").json()
    assert all(tuple(row) == COLUMNS for row in answer["results"])
    bad = next(row for row in answer["results"] if row["status"] == "failed")
    assert (bad["download_mbps"], bad["error"]) == (None, "no route to host")
    fine = next(row for row in answer["results"] if row["status"] == "ok")
    rows = Rows(where).of(datetime.now(UTC) - timedelta(days=3), datetime.now(UTC), HOME)
    same = rows[rows["slot"] == fine["slot"]].iloc[0]
    assert fine["download_mbps"] == same["download_mbps"]
    assert fine["data_bytes"] == same["data_bytes"]


def test_the_summary_is_what_the_page_shows(page: Page) -> None:
    summary = page.get(f"/api/summary?since=2d&location={OFFICE}").json()
    assert summary["location"] == OFFICE
    assert summary["engines"][0]["download"]["tests"] > 50
    assert page.get("/api/locations").json() == {"locations": [HOME, OFFICE], "next": None}


@pytest.mark.parametrize(
    ("path", "status", "advice"),
    [
        ("/api/results?since=then", 400, "'then'"),
        ("/api/results?limit=0", 400, "limit=0 must be a whole number from 1 to"),
        ("/api/results?limit=99999999999999999999", 400, "must be a whole number from 1 to"),
        ("/api/results?limit=-1", 400, "limit=-1 must be"),
        ("/api/results?cursor=x", 400, "cursor must be copied from `next`"),
        ("/api/results?cursor=x~1", 400, "'x'"),
        ("/api/results?page=2", 400, "page is not a parameter of this address; allowed are since, until"),
        ("/api/summary?since=2026-02-01&until=2026-01-01", 400, "2026-02-01"),
        ("/api/summary?location=moon", 404, f"location=moon has no rows; locations with rows: {HOME}, {OFFICE}"),
        ("/api/locations?x=1", 400, "allowed are limit, cursor"),
        ("/api/locations?cursor=x", 400, "cursor must be copied from `next`"),
        ("/api/now?x=1", 400, "it has no parameters"),
        ("/api/nothing", 404, "try /, /api/results"),
    ],
)
def test_a_mistake_is_told_as_json_with_what_is_allowed(page: Page, path: str, status: int, advice: str) -> None:
    answer = page.get(path)
    assert answer.status_code == status
    assert advice in answer.json()["error"]


def test_the_description_is_valid_and_every_answer_is_as_described(page: Page) -> None:
    described = page.get("/openapi.json").json()
    validate(described)
    for path, operations in described["paths"].items():
        for status, query in (("200", ""), ("400", "?nothing=1")):
            answer = page.get(path + query)
            schema = operations["get"]["responses"][status]["content"]["application/json"]["schema"]
            assert answer.status_code == int(status)
            jsonschema.validate(answer.json(), schema | {"components": described["components"]})
    assert set(described["paths"]) == set(re.findall(r"`(/api/\w+)", (PROJECT / "README.md").read_text()))


def test_metrics_are_the_last_test_in_base_units(page: Page) -> None:
    found, line = metrics(page), page.get("/api/now").json()["lines"][0]
    last = line["last"]
    for name, column, unit in (
        ("download_bits_per_second", "download_mbps", 1e6),
        ("upload_bits_per_second", "upload_mbps", 1e6),
        ("latency_seconds", "latency_ms", 1e-3),
        ("jitter_seconds", "jitter_ms", 1e-3),
        ("packet_loss_ratio", "packet_loss_percent", 1e-2),
        ("download_latency_seconds", "download_latency_ms", 1e-3),
        ("upload_latency_seconds", "upload_latency_ms", 1e-3),
    ):
        assert math.isclose(found[f"speedtest_{name}", HOME, "ookla"], last[column] * unit), name
    instant = datetime.fromisoformat(last["timestamp"]).timestamp()
    assert found["speedtest_up", HOME] == 1
    assert found["speedtest_last_success_timestamp_seconds", HOME] == instant
    assert found["speedtest_last_attempt_timestamp_seconds", HOME] == instant
    assert found["speedtest_failures_in_a_row", HOME] == 0
    assert found["speedtest_month_data_bytes", HOME] == line["data_bytes_of_month"] > 1e6
    assert found["speedtest_rows_waiting",] == 0
    assert found["speedtest_next_due_timestamp_seconds",] > datetime.now(UTC).timestamp()


def test_a_location_that_was_left_has_no_present(page: Page) -> None:
    found = metrics(page)
    assert ("speedtest_up", OFFICE) not in found
    assert ("speedtest_download_bits_per_second", OFFICE, "ookla") not in found
    assert found["speedtest_last_success_timestamp_seconds", OFFICE] > 0


def test_a_failed_test_has_no_speed_and_is_not_up(tmp_path: Path) -> None:
    rows = [good(this_slot() - timedelta(minutes=10)), failed(this_slot())]
    with serving(folders(tmp_path, rows)) as page:
        found = metrics(page)
    assert found["speedtest_up", HOME] == 0
    assert found["speedtest_failures_in_a_row", HOME] == 1
    assert not [name for name in found if name[0].endswith(("per_second", "latency_seconds", "ratio"))]


@pytest.mark.slow
def test_a_test_that_failed_for_another_reason_leaves_the_line_unknown_in_every_view(tmp_path: Path) -> None:
    rows = [failed(this_slot() - number * timedelta(minutes=10), error_kind="rate-limited") for number in range(3)]
    with serving(folders(tmp_path, rows)) as page:
        found, line, summary = metrics(page), page.get("/api/now").json()["lines"][0], page.get("/api/summary").json()
        shown = page.get("/").text
    assert (line["condition"], line["up"], line["down_in_a_row"]) == ("test-failed", None, 0)
    assert ("speedtest_up", HOME) not in found
    assert found["speedtest_failures_in_a_row", HOME] == 3
    assert found["speedtest_down_in_a_row", HOME] == 0
    assert (summary["outages_in_all"], summary["slots"]["failed"], summary["uptime_percent"]) == (0, 3, 0)
    assert '<p class="verdict unknown">Test failed</p>' in shown


@pytest.mark.slow
def test_rows_without_a_status_are_shown_as_what_they_are_in_every_view(tmp_path: Path) -> None:
    where = folders(tmp_path, [])
    without_status(where.result_dir, this_slot() - timedelta(minutes=30), 3)
    with serving(where, SPEEDTEST_LOCATION_UUID=HOME) as page:
        found, line, summary = metrics(page), page.get("/api/now").json()["lines"][0], page.get("/api/summary").json()
        shown = page.get("/").text
    assert (line["condition"], line["failures_in_a_row"], line["rows_without_status"]) == ("no-test", None, 3)
    assert found["speedtest_rows_without_status", HOME] == 3
    assert ("speedtest_failures_in_a_row", HOME) not in found
    assert (summary["without_status"], summary["tests"], summary["outages_in_all"]) == (3, 0, None)
    assert '<p class="verdict unknown">No test yet</p>' in shown
    assert "3 rows of the last month have no known status" in shown
    assert "There were no outages" not in shown


@pytest.mark.slow
def test_a_line_of_another_result_dir_is_not_seen_rather_than_late(tmp_path: Path) -> None:
    """Two daemons share UPLOAD_DIR. Yesterday is converted for both; today's rows of the other one lie elsewhere."""
    there = this_slot() - timedelta(days=2)
    where = lake(tmp_path, [good(this_slot()), good(there, OFFICE)])
    beat = Heartbeat(
        pid=1,
        interval_seconds=600,
        timeout_seconds=120,
        next_due=this_slot() + timedelta(minutes=20),
        next_due_monotonic=0,
    )
    write(beat, where.result_dir)  # as an older version wrote it: it names no line
    with serving(where) as page:
        assert [line["condition"] for line in page.get("/api/now").json()["lines"]] == ["up", "late"]
    beat.location = HOME
    write(beat, where.result_dir)
    with serving(where) as page:
        now, text, shown = page.get("/api/now").json(), page.get("/metrics").text, page.get(f"/?location={OFFICE}").text
    assert [line["condition"] for line in now["lines"]] == ["up", "not-seen"]
    assert now["daemon"]["location"] == HOME
    assert f'speedtest_condition{{condition="not-seen",location="{OFFICE}"}} 1.0' in text
    assert "Not seen from here" in shown
    assert "Next test due" not in shown
    rules = yaml.safe_load((DOCS / "prometheus-rules.yml").read_text())["groups"][0]["rules"]
    late = next(rule["expr"] for rule in rules if rule["alert"] == "NotMeasured")
    assert late.endswith('unless on (location) speedtest_condition{condition="not-seen"}')


COUNTERS = {"speedtest_line_down_seconds", "speedtest_line_watched_seconds", "speedtest_line_outages"}


def test_names_and_units_are_as_prometheus_wants_them(page: Page) -> None:
    for family in text_string_to_metric_families(page.get("/metrics").text):
        assert re.fullmatch(r"speedtest_[a-z_]+", family.name)
        assert family.type == ("counter" if family.name in COUNTERS else "gauge")
        assert family.documentation
        assert not re.search(r"_(total|ms|mbps|percent|milliseconds|megabits)", family.name)
    assert page.get("/metrics").headers["content-type"].startswith("text/plain; version=")


@pytest.mark.slow
def test_hostile_rows_are_harmless_in_every_answer(tmp_path: Path) -> None:
    row = good(this_slot(), engine_version=HOSTILE)
    row.engine = HOSTILE
    row.raw |= {"server_name": HOSTILE + "x" * 10_000, "server_id": "=cmd()"}
    bad = failed(this_slot() - timedelta(minutes=10), words=HOSTILE)
    with serving(folders(tmp_path, [row, bad])) as page:
        for path in ("/", "/?range=all"):
            body = page.get(path).text
            assert "<script" not in body
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", body)
            assert "x" * 201 not in body
            assert "49" not in re.findall(r"\{\{.*?\}\}", body)
        assert page.get("/api/results").json()["results"][1]["engine"] == HOSTILE
        (up,) = [name for name in metrics(page) if name[0] == "speedtest_download_bits_per_second"]
        assert up[2].startswith('<script>alert("1")</script>')
        assert up[2].isprintable()
        assert "=cmd()" in up[2]


@pytest.mark.parametrize("file", ["grafana-dashboard.json", "prometheus.yml", "prometheus-rules.yml"])
def test_every_metric_that_the_documents_name_is_there(page: Page, file: str) -> None:
    text = (DOCS / file).read_text()
    named = {name.removesuffix("_total") for name in re.findall(r"\bspeedtest_[a-z_]+", text)} - {"speedtest_page"}
    there = {family.name for family in text_string_to_metric_families(page.get("/metrics").text)}
    named.discard("speedtest_files_waiting_since_timestamp_seconds")  # absent while nothing waits
    assert named <= there
    assert named or file == "prometheus.yml"


def test_the_dashboard_and_the_scrape_configuration_are_well_formed() -> None:
    board: dict[str, Any] = json.loads((DOCS / "grafana-dashboard.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    scrape = yaml.safe_load((DOCS / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["metrics_path"] == "/metrics"
    assert set(scrape["basic_auth"]) == {"username", "password_file"}
