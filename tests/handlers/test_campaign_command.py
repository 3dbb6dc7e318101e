"""`speedsnake campaign`: what it plans, shows, refuses and cancels, and the verdict at the end."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from daemon import run as child
from verdicts import LINE, at, contract, every, figures, keep, run

from speedtest.campaigns import order
from speedtest.campaigns.order import CampaignProgress

AHEAD = (datetime.now(UTC) + timedelta(days=40)).date()
BERLIN = {"TZ": "Europe/Berlin", "SPEEDTEST_LOCATION_UUID": LINE}


def planned(folder: Path, *arguments: str, **more: str) -> tuple[int, str]:
    ended = run(folder, "campaign", *arguments, **(BERLIN | more))
    return ended.exit_code, ended.output


def test_a_plan_shows_each_test_and_the_official_tool_and_is_ordered(tmp_path: Path) -> None:
    code, text = planned(tmp_path, "--profile", "de-bnetza", "--start", AHEAD.isoformat())
    assert code == 0
    assert "https://breitbandmessung.de" in text
    for day in (AHEAD, AHEAD + timedelta(days=2), AHEAD + timedelta(days=4)):
        assert f"{day}        10 tests: 11:00, 11:10, 11:20, 11:30, 11:40, 19:00" in text
    found = order.read_order(tmp_path / "results")
    assert found
    assert (found.profile, found.start, found.location) == ("de-bnetza", AHEAD, LINE)
    assert planned(tmp_path, "status")[1].count("10 tests") == 3


def test_the_order_has_what_the_verdict_will_leave_out(tmp_path: Path) -> None:
    contract(tmp_path, figures(maximum=500, normal=400) + figures("upload", maximum=600))
    code, _ = planned(tmp_path, "--profile", "de-bnetza", PLAN_DOWNLOAD_MBPS="100", EXPECT_ISP="Example Net;Other")
    found = order.read_order(tmp_path / "results")
    assert (code, found and found.link_mbps, found and found.expected_isps) == (0, 600, ("Example Net", "Other"))


def test_a_contract_file_that_cannot_be_used_is_told_before_anything_is_ordered(tmp_path: Path) -> None:
    contract(tmp_path, figures(maximum=50, minimum=80))
    code, text = planned(tmp_path, "--profile", "de-bnetza")
    assert (code, "minimum" in text, order.read_order(tmp_path / "results")) == (78, True, None)


def test_a_plan_that_is_only_shown_is_not_ordered(tmp_path: Path) -> None:
    code, text = planned(tmp_path, "--profile", "cz-ctu", "--show")
    assert (code, order.read_order(tmp_path / "results")) == (0, None)
    assert "6 tests: 18:00, 18:15" in text


def test_a_second_campaign_waits_until_the_first_is_cancelled(tmp_path: Path) -> None:
    asked = ("--profile", "hr-hakom", "--start", AHEAD.isoformat())
    assert planned(tmp_path, *asked)[0] == 0
    code, text = planned(tmp_path, *asked)
    assert (code, "cancel" in text) == (64, True)
    assert planned(tmp_path, "cancel")[0] == 0
    assert planned(tmp_path, "cancel")[0] == 64
    assert planned(tmp_path, *asked)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "more", "code", "words"),
    [
        ((), {}, 64, "--profile"),
        (("--profile", "de-bnetz"), {}, 64, "de-bnetza"),
        (("--profile", "de-bnetza", "--start", "monday"), {}, 64, "2026-03-02"),
        (("--profile", "de-bnetza", "--start", "2020-01-01"), {}, 64, "past"),
        (("--profile", "de-bnetza"), {"QUIET_HOURS": "22:00-12:00"}, 78, "QUIET_HOURS"),
        (("status",), {}, 64, "no campaign"),
        (("cancel",), {}, 64, "no campaign"),
    ],
)
def test_what_cannot_be_planned_is_refused_and_nothing_is_ordered(
    tmp_path: Path, arguments: tuple[str, ...], more: dict[str, str], code: int, words: str
) -> None:
    found, text = planned(tmp_path, *arguments, **more)
    assert (found, words in text) == (code, True), text
    assert not (tmp_path / "results" / order.ORDER_NAME).exists()


def test_an_order_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / order.ORDER_NAME).write_text("{")
    code, text = planned(tmp_path, "status")
    assert (code, "cannot be read" in text) == (1, True)


@pytest.mark.slow
def test_the_verdict_ends_a_complete_campaign(tmp_path: Path) -> None:
    contract(tmp_path, figures(maximum=100, normal=80, minimum=50))
    for day in (2, 4, 6):
        for clock in ("11:00", "19:00"):
            keep(every(at(date(2026, 3, day), clock), 10, [70.0] * 5), tmp_path)
    now = datetime.now(UTC)
    wanted = order.Order(
        id="sample", profile="de-bnetza", location=LINE, timezone=None, start=date(2026, 3, 2), made=now
    )
    order.write_order(wanted, tmp_path / "results")
    order.write_progress(CampaignProgress(id="sample", complete=now), tmp_path / "results")
    assert "not made yet" in planned(tmp_path, "status")[1]
    ended = child(tmp_path, "campaign_verdict", CONTRACT_FILE=str(tmp_path / "contract.toml"))
    assert ended.returncode == 0, ended.stderr
    record = json.loads(ended.stderr.splitlines()[-1])
    assert record["event"] == "campaign_verdict"
    assert "Breitbandmessung" in record["message"]
    assert "fail" in planned(tmp_path, "status")[1]
