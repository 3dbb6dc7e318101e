"""`speedsnake verdict`: which profiles there are, the contract's own figures, exit codes, and what cannot be judged."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from command import speedsnake
from jsonschema import Draft202012Validator
from paths import PROJECT
from verdicts import LINE, at, bad, contract, every, figures, good, keep, rule, run, verdict

from speedtest.verdicts import types
from speedtest.verdicts.profiles import PROFILES

pytestmark = pytest.mark.slow
MONDAY = date(2026, 3, 2)
OPEN = [profile.name for profile in PROFILES.values() if not profile.second_hand]
SCHEMA = json.loads((PROJECT / "docs" / "verdict.schema.json").read_text(encoding="utf-8"))


def a_week(folder: Path, terms: str) -> None:
    """Write a week of tests every 15 minutes."""
    contract(folder, terms)
    keep(every(at(MONDAY, "00:00"), 15, [90.0] * 96 * 7), folder)


def test_the_list_tells_of_each_profile_where_it_comes_from(tmp_path: Path) -> None:
    shown = run(tmp_path, "verdict", "--list")
    assert shown.exit_code == 0
    listed = json.loads(run(tmp_path, "verdict", "--list", "--json").stdout)
    first_hand = "at-rtr cz-ctu de-bnetza de-tkg58 eu-minimum hr-hakom it-nemesys nl-acm uk-ofcom us-caf"
    assert [each["profile"] for each in listed if not each["second_hand"]] == first_hand.split()
    assert {each["profile"] for each in listed if each["second_hand"]} == {"us-bead", "fi-traficom", "ba-rak"}
    for each in listed:
        assert each["sources"][0]["dated"]
        assert each["needs"]
        for text in (each["profile"], each["country"], each["sources"][0]["name"], each["checked_on"]):
            assert text in shown.stdout


def test_an_unknown_profile_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    ended = run(tmp_path, "verdict", "--profile", "de-bnetz")
    assert (ended.exit_code, "did you mean de-bnetza?" in ended.stderr) == (64, True)
    ended = run(tmp_path, "verdict")
    assert (ended.exit_code, "--list" in ended.stderr) == (64, True)


@pytest.mark.parametrize("profile", OPEN)
def test_every_verdict_has_the_form_that_the_schema_describes(tmp_path: Path, profile: str) -> None:
    both = "maximum = 100\nnormal = 80\nminimum = 50\nadvertised = 100\nrequired = 100\n"
    terms = f"[contract]\nmonthly_fee = 40\n[contract.download]\n{both}[contract.upload]\n{both}"
    a_week(tmp_path, f"{terms}[dates]\nfault_reported = 2026-03-03\ncomplaint = 2026-01-01\n")
    found = verdict(tmp_path, profile)
    Draft202012Validator(SCHEMA).validate(found)
    assert found["rules"]
    assert found["sources"]
    assert any("not legal advice" in notice["text"] for notice in found["notices"])
    shown = run(tmp_path, "verdict", "--profile", profile).stdout
    assert "not legal advice" in shown
    if found["next_step"]["tool"]:
        assert shown.index(found["next_step"]["tool"]["name"]) < shown.index("\nverdict ")


@pytest.mark.parametrize("profile", OPEN)
def test_without_a_contract_and_without_rows_nothing_passes(tmp_path: Path, profile: str) -> None:
    found = verdict(tmp_path, profile)
    assert found["overall"] in ("not_assessed", "insufficient")
    Draft202012Validator(SCHEMA).validate(found)
    keep(every(at(MONDAY, "00:00"), 15, [90.0] * 96), tmp_path)
    assert verdict(tmp_path, profile)["overall"] in ("not_assessed", "insufficient")


def test_the_program_ends_with_the_code_of_its_verdict(tmp_path: Path) -> None:
    a_week(tmp_path, figures(minimum=90.0))
    variables = {"CONTRACT_FILE": "contract.toml"}
    assert speedsnake(tmp_path, "verdict", "--profile", "eu-minimum", **variables).returncode == 0
    contract(tmp_path, figures(minimum=90.1))
    ended = speedsnake(tmp_path, "verdict", "--profile", "eu-minimum", **variables)
    assert (ended.returncode, ended.stderr) == (3, "")
    assert "90.00 Mbit/s" in ended.stdout


def test_the_plan_is_what_is_advertised(tmp_path: Path) -> None:
    found = verdict(tmp_path, "nl-acm", "--contract-only", PLAN_DOWNLOAD_MBPS="100")
    assert found["contract"]["download"] == {"advertised": 100}


class TestTheContractAlone:
    def flagged(self, folder: Path, profile: str, terms: str, check: str, *options: str) -> str:
        contract(folder, terms)
        return rule(verdict(folder, profile, "--contract-only", *options), check)["verdict"]

    def test_cc_1_seventy_percent_are_enough_in_croatia(self, tmp_path: Path) -> None:
        assert self.flagged(tmp_path, "hr-hakom", figures(maximum=100, minimum=70), "minimum_share") == "pass"

    def test_cc_2_the_next_lower_package_may_promise_more(self, tmp_path: Path) -> None:
        terms = figures(maximum=200, next_lower_maximum=150, minimum=140)
        assert self.flagged(tmp_path, "hr-hakom", terms, "minimum_share") == "pass"
        assert self.flagged(tmp_path, "hr-hakom", terms, "next_lower") == "fail"

    def test_cc_3_sixty_percent_in_czechia(self, tmp_path: Path) -> None:
        assert self.flagged(tmp_path, "cz-ctu", figures(advertised=100, normal=59), "normal_share") == "fail"
        assert self.flagged(tmp_path, "cz-ctu", figures(advertised=100, normal=60), "normal_share") == "pass"

    def test_cc_4_what_is_missing_is_not_assessed(self, tmp_path: Path) -> None:
        contract(tmp_path, figures(maximum=100))
        found = verdict(tmp_path, "hr-hakom", "--contract-only")
        assert rule(found, "minimum_share")["verdict"] == "not_assessed"
        assert rule(found, "stated.normal")["verdict"] == "not_assessed"

    @pytest.mark.parametrize(
        ("terms", "check", "expected"),
        [
            ('[contract]\ncountry = "SI"\n' + figures(maximum=100, normal=80, minimum=49.9), "SI.minimum", "fail"),
            ('[contract]\ncountry = "SI"\n' + figures(maximum=100, normal=80, minimum=49.9), "SI.normal", "pass"),
            (
                '[contract]\ncountry = "SI"\ntechnology = "fixed-wireless"\n' + figures(maximum=100, minimum=25),
                "SI.minimum",
                "pass",
            ),
            ('[contract]\ncountry = "LV"\n' + figures(maximum=100, minimum=19), "LV.minimum", "fail"),
            ('[contract]\ncountry = "NL"\n' + figures(maximum=100, advertised=101), "NL.advertised", "fail"),
            ('[contract]\ncountry = "RS"\n' + figures(maximum=100, minimum=69), "RS.minimum", "fail"),
        ],
    )
    def test_the_relations_of_other_countries(self, tmp_path: Path, terms: str, check: str, expected: str) -> None:
        assert self.flagged(tmp_path, "eu-minimum", terms, check) == expected

    def test_hr_5_a_flag_is_told_beside_the_verdict_and_does_not_change_it(self, tmp_path: Path) -> None:
        contract(tmp_path, figures(maximum=100, minimum=60))
        keep([good(at(MONDAY + timedelta(days=day), "20:00"), timezone="Europe/Zagreb") for day in range(3)], tmp_path)
        found = verdict(tmp_path, "hr-hakom")
        assert found["overall"] == "pass"
        assert any("below 70" in notice["text"] for notice in found["notices"])

    def test_where_no_relation_is_known_nothing_is_assessed(self, tmp_path: Path) -> None:
        found = verdict(tmp_path, "us-caf", "--contract-only")
        assert (found["overall"], found["rules"]) == ("not_assessed", [])


def test_since_and_until_bound_what_is_looked_at_and_say_so(tmp_path: Path) -> None:
    contract(tmp_path, figures(minimum=50))
    keep(every(at(MONDAY, "00:00"), 60, [10.0] * 240 + [90.0] * 240), tmp_path)
    assert verdict(tmp_path, "eu-minimum")["overall"] == "fail"
    bounds = ("--since", "2026-03-12", "--until", "2026-03-20")
    found = verdict(tmp_path, "eu-minimum", *bounds)
    assert (found["overall"], found["campaign"]["chosen_by_hand"]) == ("pass", True)
    assert found["campaign"]["days"][0] == "2026-03-12"
    assert run(tmp_path, "verdict", "--profile", "eu-minimum", "--since", "soon").exit_code == 64


def test_of_several_lines_one_must_be_named(tmp_path: Path) -> None:
    contract(tmp_path, figures(minimum=50))
    rows = every(at(MONDAY, "00:00"), 60, [90.0] * 240)
    keep(rows + every(at(MONDAY, "00:10"), 60, [10.0] * 240, speedtest_address="office"), tmp_path)
    ended = run(tmp_path, "verdict", "--profile", "eu-minimum")
    assert (ended.exit_code, "--location" in ended.stderr) == (64, True)
    assert verdict(tmp_path, "eu-minimum", "--location", LINE)["overall"] == "pass"
    assert verdict(tmp_path, "eu-minimum", "--location", "office")["overall"] == "fail"


def test_an_unknown_engine_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    ended = run(tmp_path, "verdict", "--profile", "eu-minimum", "--engine", "okla")
    assert (ended.exit_code, "did you mean ookla?" in ended.stderr) == (64, True)


def test_only_the_last_year_is_looked_at_unless_more_is_asked_for(tmp_path: Path) -> None:
    contract(tmp_path, figures(minimum=50))
    old = every(datetime(2023, 3, 1), 60, [90.0] * 240)  # noqa: DTZ001 (a wall time)
    keep([*old, *(bad(at(MONDAY + timedelta(days=day), "12:00")) for day in range(3))], tmp_path)
    found = verdict(tmp_path, "eu-minimum")
    assert found["overall"] == "insufficient"
    assert "--since looks further back" in found["notices"][0]["text"]
    found = verdict(tmp_path, "eu-minimum", "--since", "2023-01-01")
    assert (found["overall"], found["campaign"]["days"][0]) == ("pass", "2023-03-01")


def test_no_text_of_a_row_can_control_the_terminal(tmp_path: Path) -> None:
    contract(tmp_path, figures(minimum=91))
    hostile = {"server_name": "\x1b[31mred\x1b]0;title\x07", "isp": "Example Net"}
    keep(every(at(MONDAY, "00:00"), 60, [90.0] * 24, raw=hostile), tmp_path)
    shown = run(tmp_path, "verdict", "--profile", "eu-minimum").stdout
    assert "red" in shown
    assert "\x1b]" not in shown
    assert "\x07" not in shown


def test_the_schema_in_the_docs_is_that_of_the_code() -> None:
    command = (
        "python -c 'from speedtest.verdicts import types; print(types.schema(), end=\"\")' > docs/verdict.schema.json"
    )
    assert json.loads(types.schema()) == SCHEMA, command
