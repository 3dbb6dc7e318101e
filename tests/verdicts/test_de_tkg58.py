"""Germany's rule for complete outages, by its worked examples."""

from datetime import date
from pathlib import Path

import pytest
from verdicts import at, bad, contract, good, keep, rule, verdict

from speedtest.measurement import Measurement

HOURS = ("02:00", "08:00", "14:00", "20:00")


def terms(fee: float = 39.95, reported: str | None = "2026-03-02") -> str:
    dates = f"[dates]\nfault_reported = {reported}\n" if reported else ""
    return f"[contract]\nmonthly_fee = {fee}\n{dates}"


def out(*days: int, kind: str = "exit", **more: object) -> list[Measurement]:
    return [bad(at(date(2026, 3, day), hour), error_kind=kind, **more) for day in days for hour in HOURS]


def up(*days: int) -> list[Measurement]:
    return [good(at(date(2026, 3, day), hour)) for day in days for hour in HOURS]


def test_t_1_four_days_at_the_least_amounts(tmp_path: Path) -> None:
    contract(tmp_path, terms())
    keep(out(*range(2, 9)) + up(9), tmp_path)
    found = rule(verdict(tmp_path, "de-tkg58"), "out", None)
    assert found["verdict"] == "fail"
    assert "2026-03-05, 2026-03-06, 2026-03-07, 2026-03-08" in found["reason"]["text"]
    assert "5.00 + 5.00 + 10.00 + 10.00 = 30.00 EUR" in found["reason"]["text"]


def test_t_2_a_tenth_that_equals_the_least_amount(tmp_path: Path) -> None:
    contract(tmp_path, terms(50.00))
    keep(out(*range(2, 8)) + up(8), tmp_path)
    found = rule(verdict(tmp_path, "de-tkg58"), "out", None)
    assert (found["verdict"], found["have"]) == ("fail", 3)
    assert "5.00 + 5.00 + 10.00 = 20.00 EUR" in found["reason"]["text"]


def test_t_4_a_day_without_a_daemon_leaves_it_open(tmp_path: Path) -> None:
    contract(tmp_path, terms())
    keep(out(2, 3, 4, 5, 7, 8) + up(9), tmp_path)
    found = rule(verdict(tmp_path, "de-tkg58"), "out", None)
    assert found["verdict"] == "insufficient"
    text = "at least 5.00 EUR (2026-03-05), up to 30.00 EUR if the service was also out on 2026-03-06"
    assert found["reason"]["text"] == text


def test_service_that_is_back_by_the_end_of_the_second_day_passes(tmp_path: Path) -> None:
    contract(tmp_path, terms())
    keep(out(2, 3) + up(4), tmp_path)
    assert verdict(tmp_path, "de-tkg58")["overall"] == "pass"


def test_a_test_before_the_outage_on_the_day_of_the_report_does_not_end_it(tmp_path: Path) -> None:
    contract(tmp_path, terms())
    keep(up(2) + out(*range(3, 9)) + up(9), tmp_path)  # it began and was reported after the day's last test
    found = rule(verdict(tmp_path, "de-tkg58"), "out", None)
    assert found["verdict"] == "fail"
    assert "5.00 + 5.00 + 10.00 + 10.00 = 30.00 EUR" in found["reason"]["text"]


def test_service_that_came_back_on_the_day_of_the_report_passes(tmp_path: Path) -> None:
    contract(tmp_path, terms())
    keep([*out(2)[:2], *up(2)[2:], *up(3)], tmp_path)
    found = rule(verdict(tmp_path, "de-tkg58"), "out", None)
    assert (found["verdict"], "back on 2026-03-02" in found["reason"]["text"]) == ("pass", True)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (terms(reported=None), out(2, 3)),
        (terms(), out(2, 3)),  # the second day is not over
        (terms(), out(2, 3, 4) + out(5, 6, kind="rate-limited") + up(7)),  # the program's failures say nothing
        (terms(), out(2, 3, 4) + out(5, 6, line="up") + up(7)),  # the watch saw the line up
    ],
)
def test_what_is_not_known_is_insufficient(tmp_path: Path, text: str, rows: list[Measurement]) -> None:
    contract(tmp_path, text)
    keep(rows, tmp_path)
    assert verdict(tmp_path, "de-tkg58")["overall"] == "insufficient"


def test_a_day_that_was_up_for_a_while_makes_what_follows_uncertain(tmp_path: Path) -> None:
    contract(tmp_path, terms())
    partly = [*out(6), good(at(date(2026, 3, 6), "09:00"))]
    keep(out(2, 3, 4, 5, 7) + partly + up(8), tmp_path)
    found = rule(verdict(tmp_path, "de-tkg58"), "out", None)
    assert found["verdict"] == "insufficient"
    assert "at least 5.00 EUR (2026-03-05), up to 15.00 EUR" in found["reason"]["text"]


def test_without_a_fee_it_is_not_assessed(tmp_path: Path) -> None:
    contract(tmp_path, "[dates]\nfault_reported = 2026-03-02\n")
    keep(out(2, 3, 4, 5), tmp_path)
    assert verdict(tmp_path, "de-tkg58")["overall"] == "not_assessed"


def test_no_amount_is_told_as_an_entitlement(tmp_path: Path) -> None:
    contract(tmp_path, terms())
    keep(out(*range(2, 9)) + up(9), tmp_path)
    texts = [notice["text"] for notice in verdict(tmp_path, "de-tkg58")["notices"]]
    assert any("no entitlement" in text for text in texts)
