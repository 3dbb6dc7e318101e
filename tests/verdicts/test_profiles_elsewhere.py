"""The rules of the United Kingdom and the United States, and those at second hand, by their worked examples."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from verdicts import at, contract, every, figures, good, keep, rule, run, verdict

pytestmark = pytest.mark.slow
LONDON, CHICAGO, HELSINKI = "Europe/London", "America/Chicago", "Europe/Helsinki"
FIRST = date(2026, 6, 1)


class TestTheUnitedKingdom:
    TERMS = "[contract]\nsignatory = true\n[contract.download]\nminimum = 50\n[dates]\ncomplaint = 2026-05-01\n"
    CLOCKS = ("07:00", "10:00", "20:30", "21:30")

    def judged(
        self, folder: Path, morning: float, evening: float, terms: str = TERMS, first: date = FIRST
    ) -> dict[str, Any]:
        contract(folder, terms)
        speeds = (morning, morning, evening, evening)
        rows = [
            good(at(first + timedelta(days=day), clock), download_mbps=speed, timezone=LONDON)
            for day in range(3)
            for clock, speed in zip(self.CLOCKS, speeds, strict=True)
        ]
        keep(rows, folder)
        return verdict(folder, "uk-ofcom")

    def test_uk_1_all_below_after_the_30_days(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, 47, 41)
        assert found["overall"] == "fail"
        assert found["campaign"]["days"] == ["2026-06-01", "2026-06-02", "2026-06-03"]

    def test_uk_2_what_equals_the_guarantee_is_not_below(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, 50.00, 50.00)["overall"] == "pass"

    def test_uk_3_only_the_evenings(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, 60, 30)
        assert found["overall"] == "insufficient"
        assert "below on 3 of 3 evenings" in rule(found, "Rmin")["reason"]["text"]

    def test_uk_4_no_complaint(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, 47, 41, self.TERMS.partition("[dates]")[0])
        assert found["overall"] == "insufficient"
        assert len(rule(found, "Rmin")["deciding_rows"]) == 3

    def test_while_the_30_days_run_nothing_is_decided(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, 47, 41, first=date(2026, 5, 29))
        assert found["overall"] == "insufficient"
        assert "2026-05-31" in rule(found, "Rmin")["reason"]["text"]

    def test_who_has_not_signed_is_not_bound(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, 47, 41, self.TERMS.replace("true", "false"))
        assert found["overall"] == "not_assessed"


class TestTheUnitedStates:
    TERMS = figures(required=100) + figures("upload", required=20)

    def judged(self, folder: Path, profile: str, speeds: Sequence[float], *options: str) -> dict[str, Any]:
        contract(folder, self.TERMS)
        times = [at(FIRST + timedelta(days=day), f"{hour}:10") for day in range(7) for hour in range(18, 24)]
        rows = zip(times, speeds, strict=False)
        keep([good(when, download_mbps=speed, timezone=CHICAGO) for when, speed in rows], folder)
        return verdict(folder, profile, *options)

    @pytest.mark.parametrize(
        ("speeds", "overall"),
        [
            ([81.0] * 34 + [20.0] * 8, "pass"),
            ([81.0] * 33 + [20.0] * 9, "fail"),
            ([80.0] * 32 + [20.0] * 8, "pass"),
            ([90.0] * 20, "insufficient"),
        ],
        ids=["US-1", "33 of 42", "US-3", "US-4"],
    )
    @pytest.mark.parametrize(("profile", "options"), [("us-caf", ()), ("us-bead", ("--allow-second-hand",))])
    def test_four_fifths_of_the_tests(
        self, tmp_path: Path, profile: str, options: tuple[str, ...], speeds: list[float], overall: str
    ) -> None:
        found = self.judged(tmp_path, profile, speeds, *options)
        assert rule(found, "Rspeed")["verdict"] == overall
        assert found["overall"] == overall

    def test_only_the_first_test_of_an_hour_counts(self, tmp_path: Path) -> None:
        contract(tmp_path, figures(required=100))
        rows = every(at(FIRST, "00:00"), 30, [90.0, 10.0] * 24 * 7, timezone=CHICAGO)
        keep(rows, tmp_path)
        found = verdict(tmp_path, "us-caf")
        assert (found["overall"], rule(found, "Rspeed")["of"]) == ("pass", 42)
        assert rule(found, "Rlatency", None)["verdict"] == "not_assessed"


class TestSecondHand:
    def finland(self, folder: Path, low: int, value: float = 95.0, per_block: int = 16) -> dict[str, Any]:
        contract(folder, figures(maximum=100))
        speeds = [value] * (6 * per_block)
        speeds[per_block : per_block + low] = [80.0] * low
        keep(every(at(FIRST, "00:00"), 240 / per_block, speeds, timezone=HELSINKI), folder)
        return verdict(folder, "fi-traficom", "--allow-second-hand")

    @pytest.mark.parametrize(
        ("low", "value", "per_block", "overall"),
        [
            (1, 95.0, 16, "pass"),
            (2, 95.0, 16, "fail"),
            (1, 90.0, 10, "pass"),
            (0, 95.0, 4, "insufficient"),
        ],
        ids=["FI-1", "FI-2", "FI-3", "FI-4"],
    )
    def test_finland(self, tmp_path: Path, low: int, value: float, per_block: int, overall: str) -> None:
        assert self.finland(tmp_path, low, value, per_block)["overall"] == overall

    @pytest.mark.parametrize(
        ("speeds", "overall"),
        [([90.0] * 99 + [69.9], "fail"), ([90.0] * 99 + [70.0], "pass"), ([90.0] * 8, "insufficient")],
        ids=["BA-1", "BA-2", "BA-3"],
    )
    def test_bosnia(self, tmp_path: Path, speeds: list[float], overall: str) -> None:
        contract(tmp_path, figures(maximum=100))
        keep(every(at(FIRST, "00:00"), 60, speeds), tmp_path)
        assert verdict(tmp_path, "ba-rak", "--allow-second-hand")["overall"] == overall

    @pytest.mark.parametrize("profile", ["us-bead", "fi-traficom", "ba-rak"])
    def test_they_are_off_unless_allowed(self, tmp_path: Path, profile: str) -> None:
        ended = run(tmp_path, "verdict", "--profile", profile)
        assert (ended.exit_code, "--allow-second-hand" in ended.stderr) == (64, True)
