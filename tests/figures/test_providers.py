"""A line that goes through another provider for a while: who, how many tests, since when, and each change."""

import csv
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import httpx
import pytest
from command import speedsnake
from pages import lake, serving, this_slot
from samples import HOME, utc
from views import INTERVAL, failed, folders, good, summary

from speedtest.figures.rows import Rows
from speedtest.measurement import Measurement
from speedtest.report import sentences

DAY = utc(2026, 3, 28)
FIBRE, LTE = "Föhn & Söhne, Internet", "LTE AG"


def at(number: int) -> datetime:
    return DAY + number * INTERVAL


def through(due: datetime, isp: str | None, address: str = "203.0.113.9", *, vpn: bool = False) -> Measurement:
    """Return a successful test with Ookla's program through this provider."""
    row = good(due)
    row.raw |= {"isp": isp, "interface_externalIp": address, "interface_isVpn": str(vpn).lower()}
    return row


def by_python(due: datetime, isp: str) -> Measurement:
    """Return a successful test with speedtest-cli through this provider."""
    row = good(due, engine="speedtest-cli")
    row.raw = {"client_isp": isp, "client_ip": "203.0.113.9"}
    return row


def failover() -> list[Measurement]:
    """Return 120 tests, 30 of them over LTE, and a failed one."""
    rows = [
        through(at(number), LTE, f"198.51.100.{number % 3}") if 60 <= number < 90 else through(at(number), FIBRE)
        for number in range(120)
    ]
    return [*rows, failed(at(120))]


def test_a_failover_is_counted_and_told_where_outages_are_told(tmp_path: Path) -> None:
    where = folders(tmp_path, failover(), utc(2026, 4, 2).date())
    found = summary(where, DAY, at(121))
    providers = found.providers
    with duckdb.connect() as engine:
        expected = engine.execute(
            f"select isp, count(*), count(distinct interface_externalIp) from '{where.upload_dir}/*/*/*/*/*.parquet'"
            " where isp is not null group by isp order by 2 desc"
        ).fetchall()
    assert [(each.isp, each.tests, each.addresses_in_all) for each in providers.found] == expected
    assert [each.tests for each in providers.found] == [90, 30]
    back, away = providers.changes
    assert (away.before, away.after, back.before, back.after) == (FIBRE, LTE, LTE, FIBRE)
    assert away.last_before <= at(60) <= away.first_after <= at(61)
    assert (providers.changes_in_all, providers.unnamed, providers.address_changes) == (2, 1, 29)
    assert sentences.lead(found).endswith(f"The provider changed 2 times: 30 tests did not go through {FIBRE}.")


def test_one_provider_has_no_change_and_none_is_told(tmp_path: Path) -> None:
    found = summary(folders(tmp_path, [through(at(number), FIBRE) for number in range(4)]), DAY, at(4))
    assert (found.providers.changes, found.providers.changes_in_all) == ([], 0)
    assert "provider" not in sentences.lead(found)


def test_programs_that_name_a_provider_differently_make_no_change(tmp_path: Path) -> None:
    rows = [(through if number % 2 else by_python)(at(number), f"{number % 2}") for number in range(8)]
    found = summary(folders(tmp_path, rows), DAY, at(8))
    assert (found.providers.changes_in_all, [each.tests for each in found.providers.found]) == (0, [4, 4])


def test_a_tunnel_is_a_change(tmp_path: Path) -> None:
    rows = [through(at(number), FIBRE, vpn=number == 2) for number in range(4)]
    found = summary(folders(tmp_path, rows), DAY, at(4))
    assert [(each.vpn_before, each.vpn_after) for each in found.providers.changes] == [(True, False), (False, True)]
    assert [(each.vpn, each.tests) for each in found.providers.found] == [(False, 3), (True, 1)]


@pytest.mark.parametrize("isp", [None, ""])
def test_a_test_that_names_no_provider_is_counted_as_such(tmp_path: Path, isp: str | None) -> None:
    found = summary(folders(tmp_path, [through(at(0), isp), through(at(1), FIBRE)]), DAY, at(2))
    assert ([each.tests for each in found.providers.found], found.providers.unnamed) == ([1], 1)


def test_only_the_tests_through_one_provider_can_be_asked_for(tmp_path: Path) -> None:
    rows = Rows(folders(tmp_path, [*failover(), by_python(at(130), LTE)]))
    assert len(rows.of(DAY, at(140), HOME)) == 122
    assert len(rows.of(DAY, at(140), HOME, LTE)) == 31
    assert rows.of(DAY, at(140), HOME, LTE)["isp"].unique().tolist() == [LTE]
    assert rows.of(DAY, at(140), HOME, "nobody").empty


@pytest.mark.slow
def test_the_report_shows_providers_and_takes_one(tmp_path: Path) -> None:
    folders(tmp_path, failover())
    shown = speedsnake(tmp_path, "report").stdout
    assert f"changed from {FIBRE} to {LTE}, between 28 Mar 2026 10:50" in shown
    assert f"{LTE}: 30 tests from 28 Mar 2026 11:00 on, 3 external addresses" in shown
    (only,) = json.loads(speedsnake(tmp_path, "report", "--json", "--isp", LTE).stdout)
    assert (only["isp"], only["tests"], only["uptime_percent"], only["outages_in_all"]) == (LTE, 30, None, None)
    assert "unknown: failed tests name no provider" in speedsnake(tmp_path, "report", "--isp", LTE).stdout
    assert "No test in this period names this provider" in speedsnake(tmp_path, "report", "--isp", "x").stdout
    assert speedsnake(tmp_path, "report", "-o", "report.html").returncode == 0
    page = (tmp_path / "report.html").read_text()
    assert page.index("<h2>Outages</h2>") < page.index("<h2>Providers</h2>") < page.index("<h2>By program and server")
    assert f"<td>{LTE}</td>" in page


def test_the_export_takes_one_provider(tmp_path: Path) -> None:
    folders(tmp_path, [*failover(), by_python(at(130), LTE)], utc(2026, 4, 2).date())
    rows = list(csv.DictReader(io.StringIO(speedsnake(tmp_path, "export", "--isp", LTE).stdout)))
    assert [row["isp"] or row["client_isp"] for row in rows] == [LTE] * 31


@pytest.mark.slow
def test_the_page_its_api_and_metrics_show_the_provider(tmp_path: Path) -> None:
    rows = [through(this_slot() - number * INTERVAL, LTE if number < 2 else FIBRE, vpn=True) for number in range(9)]
    with serving(lake(tmp_path, rows)) as page:
        line = page.get("/api/now").json()["lines"][0]
        few = page.get("/api/results").json()["results"]
        one = page.client.get("/api/results", params={"isp": LTE}).json()
        total = page.client.get("/api/summary", params={"isp": LTE}).json()
        every = page.get("/api/summary").json()["providers"]
        shown, metrics = page.get("/").text, page.get("/metrics").text
    assert (line["last"]["isp"], line["last"]["vpn"], line["last"]["external_ip"]) == (LTE, True, "203.0.113.9")
    assert (len(few), [row["isp"] for row in one["results"]]) == (9, [LTE, LTE])
    assert (total["tests"], total["isp"], every["changes_in_all"]) == (2, LTE, 1)
    assert f"Through {LTE} (tunnel), 203.0.113.9." in shown
    assert f'speedtest_provider{{isp="{LTE}",location="{HOME}",vpn="true"}} 1.0' in metrics


def test_answers_for_one_provider_go_on_with_it(tmp_path: Path) -> None:
    rows = [through(this_slot() - number * INTERVAL, LTE if number % 2 else FIBRE) for number in range(12)]
    seen: list[str] = []
    with serving(lake(tmp_path, rows)) as page:
        query: str | None = f"?{httpx.QueryParams({'isp': LTE, 'limit': 2})}"
        while query is not None:
            answer = page.get(f"/api/results{query}").json()
            seen += [row["slot"] for row in answer["results"]]
            query = answer["next"]
    assert len(seen) == len(set(seen)) == 6


def test_many_providers_do_not_make_a_summary_long(tmp_path: Path) -> None:
    rows = [through(at(number), f"provider {number}") for number in range(60)]
    found = summary(folders(tmp_path, rows), DAY, DAY + timedelta(days=1)).providers
    assert (len(found.found), found.found_in_all, len(found.changes), found.changes_in_all) == (20, 60, 20, 59)
