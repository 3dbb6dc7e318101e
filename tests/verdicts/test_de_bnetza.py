"""Germany's rule for the speed, by its worked examples."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from verdicts import at, bad, contract, every, figures, good, keep, rule, run, verdict

from speedtest.measurement import Measurement

HOME_100 = figures(maximum=100, normal=80, minimum=50)
A = [95, 92, 85, 84, 82, 81, 80, 80, 79.5, 78]
B = [94, 91, 88, 86, 85, 84, 83, 82, 81, 76]
C = [93, 92, 90, 88, 86, 85, 84, 83, 81, 77]
EQUAL = [90.00, 88, 86, 85, 84, 83, 82, 81, 80.00, 50.00]
ALMOST = [89.99, *EQUAL[1:]]
FIRST = date(2026, 3, 2)
DAYS = [FIRST, FIRST + timedelta(days=2), FIRST + timedelta(days=4)]


def day(when: date, speeds: Sequence[float]) -> list[Measurement]:
    """Return ten tests: five from 11:00, five from 19:00, ten minutes apart."""
    return every(at(when, "11:00"), 10, speeds[:5]) + every(at(when, "19:00"), 10, speeds[5:])


def measured(folder: Path, days: Mapping[date, Sequence[float]], terms: str = HOME_100) -> None:
    contract(folder, terms)
    keep([row for when, speeds in days.items() for row in day(when, speeds)], folder)


def of_days(*speeds: Sequence[float]) -> dict[date, Sequence[float]]:
    return dict(zip(DAYS, speeds, strict=True))


def test_de_1_26_of_30_tests_are_not_enough(tmp_path: Path) -> None:
    measured(tmp_path, of_days(A, B, C))
    found = verdict(tmp_path, "de-bnetza")
    assert [rule(found, name)["verdict"] for name in ("R1", "R2", "R3")] == ["pass", "fail", "pass"]
    assert [rule(found, "R2")[name] for name in ("have", "need", "of")] == [26, 27, 30]
    assert [row["value"] for row in rule(found, "R2")["deciding_rows"]] == [79.5, 78, 76, 77]
    assert rule(found, "R1")["have"] == 3
    assert rule(found, "R3")["figures"]["days_below"] == 0
    assert found["overall"] == "fail"
    assert found["campaign"]["days"] == ["2026-03-02", "2026-03-04", "2026-03-06"]
    assert found["indicative"]
    assert found["next_step"]["tool"]["url"] == "https://breitbandmessung.de"


def test_de_2_what_equals_a_limit_has_reached_it(tmp_path: Path) -> None:
    measured(tmp_path, of_days(EQUAL, ALMOST, EQUAL))
    found = verdict(tmp_path, "de-bnetza")
    assert [(rule(found, name)["verdict"], rule(found, name)["have"]) for name in ("R1", "R2", "R3")] == [
        ("pass", 2),
        ("pass", 27),
        ("pass", 3),
    ]
    assert found["overall"] == "pass"


def test_no_figure_is_rounded_across_its_limit(tmp_path: Path) -> None:
    measured(tmp_path, of_days([89.9996, *EQUAL[1:]], [89.9996, *EQUAL[1:]], EQUAL))
    shown = run(tmp_path, "verdict", "--profile", "de-bnetza")
    assert shown.exit_code == 3
    assert "89.9996 Mbit/s" in shown.stdout
    assert "90.00 Mbit/s" in shown.stdout


def test_de_4_fifteen_calendar_days_are_one_too_many(tmp_path: Path) -> None:
    days = [date(2026, 3, 2), date(2026, 3, 4), date(2026, 3, 16)]
    measured(tmp_path, {when: [10.0] * 10 for when in days})
    found = verdict(tmp_path, "de-bnetza")
    assert found["overall"] == "insufficient"
    assert "2 more on or after 2026-03-18" in rule(found, "R1")["reason"]["text"]
    assert found["campaign"] is None


def test_fourteen_calendar_days_are_allowed(tmp_path: Path) -> None:
    measured(tmp_path, {date(2026, 3, number): [10.0] * 10 for number in (2, 4, 15)})
    assert verdict(tmp_path, "de-bnetza")["overall"] == "fail"


def test_one_more_day_is_asked_for_while_it_can_still_join(tmp_path: Path) -> None:
    measured(tmp_path, {date(2026, 3, number): [90.0] * 10 for number in (2, 10)})
    assert "1 more from 2026-03-12 to 2026-03-15" in rule(verdict(tmp_path, "de-bnetza"), "R2")["reason"]["text"]


def test_days_without_a_free_day_between_them_are_no_campaign(tmp_path: Path) -> None:
    measured(tmp_path, {date(2026, 3, number): [10.0] * 10 for number in (2, 3, 5)})
    assert verdict(tmp_path, "de-bnetza")["overall"] == "insufficient"


def test_de_6_hourly_tests_conform(tmp_path: Path) -> None:
    contract(tmp_path, HOME_100)
    hours = [row for when in DAYS for row in every(at(when, "00:00"), 60, [90.0] * 24)]
    keep(hours, tmp_path)
    found = verdict(tmp_path, "de-bnetza")
    used = [row["started_at"][11:16] for row in found["campaign"]["rows"][:10]]
    assert used == [f"{hour}:00" for hour in (11, 12, 13, 14, 15, 19, 20, 21, 22, 23)]
    assert found["overall"] == "pass"


def test_de_7_a_missing_figure_is_not_assessed(tmp_path: Path) -> None:
    measured(tmp_path, of_days(A, A, A), "[contract.upload]\nmaximum = 40\nnormal = 30\n")
    found = verdict(tmp_path, "de-bnetza")
    assert [rule(found, name, "upload")["verdict"] for name in ("R1", "R2", "R3")] == ["pass", "pass", "not_assessed"]
    assert rule(found, "R3", "upload")["reason"]["text"] == "the contract file does not have contract.upload.minimum"
    assert (found["overall"], found["summary"]["text"]) == ("pass", "pass on the rules assessed")


def test_the_newest_campaign_decides_and_all_others_are_counted(tmp_path: Path) -> None:
    bad_week = {when - timedelta(days=7): [10.0] * 10 for when in DAYS}
    measured(tmp_path, bad_week | of_days(EQUAL, EQUAL, EQUAL))
    found = verdict(tmp_path, "de-bnetza")
    assert found["overall"] == "pass"
    assert found["campaign"]["others"] == {"fail": 1}


def test_a_failed_test_is_never_0_and_a_repeated_one_never_replaces_a_low_one(tmp_path: Path) -> None:
    contract(tmp_path, HOME_100)
    rows = [row for when, speeds in of_days(A, B, C).items() for row in day(when, speeds)]
    low = rows[9]
    assert low.started_at
    again = good(low.started_at + timedelta(seconds=60), download_mbps=99.0, slot=low.slot, attempt=2)
    failures = [bad(at(DAYS[0], f"1{hour}:00")) for hour in (5, 6, 7)]
    by_hand = [good(at(DAYS[1], "16:00"), slot=None, attempt=None, download_mbps=1.0)]
    keep([*rows, again, *failures, *by_hand], tmp_path)
    found = verdict(tmp_path, "de-bnetza")
    assert rule(found, "R2")["have"] == 26
    assert rule(found, "R3")["verdict"] == "pass"
    assert (found["excluded"]["failed"], found["excluded"]["retest"], found["excluded"]["once"]) == (3, 1, 1)
    assert [row["reason"] for row in found["excluded"]["rows"]] == ["failed", "failed", "failed", "once"]
    assert found["campaign"]["failed"] == 3


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("wifi", {"link": "wifi"}),
        ("vpn", {"raw": {"interface_isVpn": "true"}}),
        ("vpn", {"link": "tunnel"}),
        ("cellular", {"link": "cellular"}),
        ("busy", {"cpu_percent": 85.1}),
        ("other_traffic", {"other_bytes": 10_000_000}),
        ("slow_link", {"link_mbps": 99.9}),
    ],
)
def test_a_test_that_is_known_to_be_unfit_does_not_count(
    tmp_path: Path, reason: str, values: dict[str, object]
) -> None:
    measured(tmp_path, of_days(A, B, C))
    keep([good(at(DAYS[0], "11:02"), download_mbps=1.0, **values)], tmp_path)
    found = verdict(tmp_path, "de-bnetza")
    assert found["excluded"][reason] == 1
    assert rule(found, "R3")["verdict"] == "pass"


def test_wiring_that_is_not_recorded_is_told(tmp_path: Path) -> None:
    contract(tmp_path, HOME_100)
    keep([row for when in DAYS for row in every(at(when, "00:00"), 60, [90.0] * 24, link="virtual")], tmp_path)
    found = verdict(tmp_path, "de-bnetza")
    assert found["wired"] == "not-recorded"
    assert any(why["id"] == "indicative.wired" for why in found["indicative_because"])


def test_two_lines_in_one_campaign_are_insufficient(tmp_path: Path) -> None:
    contract(tmp_path, HOME_100)
    other = {"raw": {"isp": "Another Net"}}
    rows = [row for when in DAYS[:2] for row in day(when, A)]
    keep(rows + [replace(row, **other) for row in day(DAYS[2], A)], tmp_path)
    found = verdict(tmp_path, "de-bnetza")
    assert found["overall"] == "insufficient"
    assert "Another Net, Example Net" in rule(found, "R1")["reason"]["text"]


def test_engines_are_never_mixed(tmp_path: Path) -> None:
    contract(tmp_path, HOME_100)
    rows = [row for when in DAYS for row in day(when, EQUAL)]
    keep(rows[:-5] + [replace(row, engine="librespeed") for row in rows[-5:]], tmp_path)
    found = verdict(tmp_path, "de-bnetza")
    assert (found["overall"], found["excluded"]["other_engine"]) == ("insufficient", 5)
    assert verdict(tmp_path, "de-bnetza", "--engine", "librespeed")["overall"] == "insufficient"


def test_rows_without_a_zone_do_not_count(tmp_path: Path) -> None:
    contract(tmp_path, HOME_100)
    keep([replace(row, timezone=None) for when in DAYS for row in day(when, A)], tmp_path)
    found = verdict(tmp_path, "de-bnetza")
    assert (found["overall"], found["excluded"]["no_zone"]) == ("insufficient", 30)
