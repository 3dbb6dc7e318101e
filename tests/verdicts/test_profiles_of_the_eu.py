"""The rules of Czechia, Croatia, Italy, the Netherlands, Austria and of the Union, by their worked examples."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from verdicts import at, bad, contract, every, figures, good, keep, rule, verdict

from speedtest.measurement import Measurement

pytestmark = pytest.mark.slow
MONDAY = date(2026, 3, 2)
PRAGUE, ZAGREB, ROME, AMSTERDAM, VIENNA = (
    "Europe/Prague",
    "Europe/Zagreb",
    "Europe/Rome",
    "Europe/Amsterdam",
    "Europe/Vienna",
)


class TestCzechia:
    TERMS = figures(advertised=100, normal=60, minimum=30)

    def judged(self, folder: Path, speeds: Sequence[float | None]) -> dict[str, Any]:
        contract(folder, self.TERMS)
        keep(every(at(MONDAY, "18:00"), 15, speeds, timezone=PRAGUE), folder)
        return verdict(folder, "cz-ctu")

    def test_cz_1_below_normal_for_75_minutes(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [58, 55, 52, 59, 57, 56])
        assert [rule(found, name)["verdict"] for name in ("Rmin", "Rper")] == ["pass", "fail"]
        assert rule(found, "Rper")["figures"]["sure_minutes"] == pytest.approx(75.5)
        assert found["overall"] == "fail"

    def test_cz_2_what_equals_a_limit_is_not_below(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [60.0, 60.0, 30.0, 60.0, 60.0, 60.0])
        assert [rule(found, name)["verdict"] for name in ("Rmin", "Rper", "Rrec")] == ["pass", "pass", "not_assessed"]
        assert rule(found, "Rrec")["figures"]["drops"] == 1
        assert found["summary"]["text"] == "pass on the rules assessed"

    def test_a_run_that_may_be_longer_than_70_minutes_is_insufficient(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [70, 59, 59, 59, 59, 59])
        assert rule(found, "Rper")["verdict"] == "insufficient"

    def test_cz_4_a_failed_test_is_listed_and_five_are_not_enough(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [90, 90, 90, None, 90, 90])
        assert found["overall"] == "insufficient"
        assert [row["reason"] for row in found["excluded"]["rows"]] == ["failed"]

    def test_starts_may_be_90_seconds_off_and_no_more(self, tmp_path: Path) -> None:
        for number, (seconds, overall) in enumerate([(90, "pass"), (91, "insufficient")]):
            folder = tmp_path / str(number)
            contract(folder, self.TERMS)
            late = at(MONDAY, "18:15") + timedelta(seconds=seconds)
            rest = [at(MONDAY, clock) for clock in ("18:31", "18:46", "19:01", "19:16")]
            keep([good(when, timezone=PRAGUE) for when in (at(MONDAY, "18:00"), late, *rest)], folder)
            assert verdict(folder, "cz-ctu")["overall"] == overall


class TestCroatia:
    TERMS = figures(maximum=100, minimum=70)

    def judged(self, folder: Path, tests: dict[int, float]) -> dict[str, Any]:
        contract(folder, self.TERMS)
        rows = [
            good(at(date(2026, 3, day), "20:00"), download_mbps=speed, timezone=ZAGREB) for day, speed in tests.items()
        ]
        keep(rows, folder)
        return verdict(folder, "hr-hakom")

    def test_hr_1_all_three_below(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, {1: 65, 2: 66, 3: 69.9})["overall"] == "fail"

    def test_hr_2_what_equals_the_minimum_is_not_below(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, {1: 70.0, 2: 70.0, 5: 84})["overall"] == "pass"

    def test_one_below_is_not_decided(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, {1: 70.0, 2: 60.0, 5: 84})["overall"] == "insufficient"

    def test_hr_4_six_calendar_days_are_too_many(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, {1: 10, 3: 10, 6: 10})["overall"] == "insufficient"

    def test_on_the_day_of_a_change_of_the_clocks_23_hours_are_too_few(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, {27: 90, 28: 90, 29: 90})["overall"] == "insufficient"

    def test_the_seconds_that_a_start_is_late_do_not_matter(self, tmp_path: Path) -> None:
        contract(tmp_path, self.TERMS)
        rows = []
        for day, seconds in ((1, 50), (2, 3), (3, 1)):
            slot = good(at(date(2026, 3, day), "20:00"), timezone=ZAGREB).slot
            late = at(date(2026, 3, day), "20:00") + timedelta(seconds=seconds)
            rows.append(good(late, timezone=ZAGREB, slot=slot))
        keep(rows, tmp_path)
        assert verdict(tmp_path, "hr-hakom")["overall"] == "pass"


class TestItaly:
    TERMS = figures(minimum=40)

    def judged(self, folder: Path, speeds: Sequence[float | None], minutes: float = 15) -> dict[str, Any]:
        contract(folder, self.TERMS)
        keep(every(at(MONDAY, "00:00"), minutes, speeds, timezone=ROME, interval_seconds=minutes * 60), folder)
        return verdict(folder, "it-nemesys")

    def test_it_1_six_below(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, [80] * 90 + [39.9] * 6)["overall"] == "fail"

    def test_it_2_what_equals_the_guarantee_is_not_below(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, [40.0] * 96)["overall"] == "pass"

    def test_it_4_three_below(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, [80] * 93 + [10] * 3)["overall"] == "pass"

    @pytest.mark.parametrize("below", [4, 5])
    def test_four_and_five_depend_on_a_formula_that_is_not_published(self, tmp_path: Path, below: int) -> None:
        assert self.judged(tmp_path, [80] * (96 - below) + [10] * below)["overall"] == "insufficient"

    def test_it_5_95_of_96(self, tmp_path: Path) -> None:
        quarter = 13
        speeds = [None if number % 96 == quarter else 80.0 for number in range(288)]
        found = self.judged(tmp_path, speeds)
        assert found["overall"] == "insufficient"
        assert rule(found, "Rmin")["reason"]["text"].startswith("95 of 96")

    def test_a_missing_quarter_is_filled_within_48_hours(self, tmp_path: Path) -> None:
        speeds = [None if number == 13 else 80.0 for number in range(96 + 14)]
        assert self.judged(tmp_path, speeds)["overall"] == "pass"

    def test_it_6_half_an_hour_is_too_long_an_interval(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [80.0] * 144, 30)
        assert rule(found, "Rmin")["reason"]["text"].startswith("48 of 96")
        assert any("SLEEP_SECONDS=900" in notice["text"] for notice in found["notices"])

    def test_the_delay_is_judged_as_the_speed_is(self, tmp_path: Path) -> None:
        contract(tmp_path, "[contract]\nmaximum_latency_ms = 12.0\n" + self.TERMS)
        rows = every(at(MONDAY, "00:00"), 15, [80.0] * 90, timezone=ROME)
        rows += every(at(MONDAY, "22:30"), 15, [80.0] * 6, timezone=ROME, latency_ms=12.1)
        keep(rows, tmp_path)
        found = verdict(tmp_path, "it-nemesys")
        assert (rule(found, "Rmin")["verdict"], rule(found, "Rdelay", None)["verdict"]) == ("pass", "fail")


class TestTheUnion:
    TERMS = figures(minimum=50)

    def judged(self, folder: Path, speeds: Sequence[float | None], terms: str = TERMS) -> dict[str, Any]:
        contract(folder, terms)
        keep(every(at(MONDAY, "00:00"), 60, speeds), folder)
        return verdict(folder, "eu-minimum")

    def test_eu_1_not_seen_below(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [60.0] * 199 + [50.00])
        assert (found["overall"], rule(found, "Rmin")["reason"]["text"]) == ("pass", "not seen below in 200 tests")

    def test_eu_2_one_of_200(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [60.0] * 100 + [49.99] + [60.0] * 99)
        assert found["overall"] == "fail"
        assert "1 of 200 tests, the lowest at 99.98 %" in rule(found, "Rmin")["reason"]["text"]
        assert [row["value"] for row in rule(found, "Rmin")["deciding_rows"]] == [49.99]

    def test_eu_3_eight_rows_are_too_few(self, tmp_path: Path) -> None:
        assert self.judged(tmp_path, [90.0] * 8)["overall"] == "insufficient"

    def test_eu_5_failed_tests_are_listed_and_are_no_speed(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [60.0] * 100 + [None] * 4 + [60.0] * 96)
        assert (found["overall"], found["campaign"]["failed"]) == ("pass", 4)
        assert len(found["excluded"]["rows"]) == 4

    def test_a_failover_through_another_provider_is_not_held_against_the_line(self, tmp_path: Path) -> None:
        contract(tmp_path, self.TERMS)
        lte = {"raw": {"isp": "Mobile Ltd"}}
        keep(every(at(MONDAY, "00:00"), 60, [60.0] * 150), tmp_path)
        keep(every(at(MONDAY, "00:30"), 60, [5.0] * 9, **lte), tmp_path)
        found = verdict(tmp_path, "eu-minimum", EXPECT_ISP="example net")
        assert (found["overall"], found["excluded"]["other_provider"]) == ("pass", 9)
        assert verdict(tmp_path, "eu-minimum")["overall"] != "pass"

    def test_in_belgium_ones_own_tests_are_ordinary_evidence(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [60.0] * 200, '[contract]\ncountry = "BE"\n' + self.TERMS)
        assert not found["indicative"]
        assert self.judged(tmp_path / "other", [60.0] * 200)["indicative"]


class TestTheNetherlands:
    TERMS = figures(normal=80, minimum=40)
    CLOCKS = ("08:00", "12:00", "16:00", "20:00")

    def judged(self, folder: Path, speeds: Sequence[float], days: int = 3) -> dict[str, Any]:
        contract(folder, self.TERMS)
        times = [at(MONDAY + timedelta(days=day), clock) for day in range(days) for clock in self.CLOCKS]
        rows = zip(times[-len(speeds) :], speeds, strict=False)
        keep([good(when, download_mbps=speed, timezone=AMSTERDAM) for when, speed in rows], folder)
        return verdict(folder, "nl-acm")

    def test_nl_1_eight_of_ten_are_enough(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [80.0, 80.0, 85, 85, 85, 85, 85, 85, 60, 60])
        assert [rule(found, name)["verdict"] for name in ("Rn", "Rmin")] == ["pass", "pass"]
        assert found["overall"] == "pass"

    def test_nl_3_two_days_are_too_few(self, tmp_path: Path) -> None:
        contract(tmp_path, self.TERMS)
        rows = [
            good(at(MONDAY + timedelta(days=day), f"{hour:02}:00"), timezone=AMSTERDAM)
            for day in range(2)
            for hour in (8, 12, 16, 20, 21)
        ]
        keep(rows, tmp_path)
        assert verdict(tmp_path, "nl-acm")["overall"] == "insufficient"

    def test_nl_4_one_below_the_minimum(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, [85] * 9 + [39.9])
        assert [rule(found, name)["verdict"] for name in ("Rn", "Rmin")] == ["pass", "fail"]
        assert found["overall"] == "fail"


class TestAustria:
    TERMS = figures(maximum=100, normal=80, minimum=40)

    def cycle(self, day: int, good_tests: int, clock: str = "18:00") -> list[Measurement]:
        speeds = [90.0] * good_tests + [None] * (9 - good_tests)
        return every(at(date(2026, 3, day), clock), 15, speeds, timezone=VIENNA)

    def judged(self, folder: Path, *cycles: list[Measurement]) -> dict[str, Any]:
        contract(folder, self.TERMS)
        keep([row for cycle in cycles for row in cycle], folder)
        found = verdict(folder, "at-rtr")
        assert found["overall"] == "not_assessed"
        return found

    @pytest.mark.parametrize(
        ("cycles", "state"),
        [
            ([(1, 9), (2, 9), (3, 9)], "complete"),
            ([(1, 6), (2, 6), (3, 6)], "complete"),
            ([(1, 6), (2, 6), (3, 5)], "incomplete"),
            ([(1, 9), (8, 9), (15, 9)], "incomplete"),
            ([(1, 9), (8, 9), (14, 9)], "complete"),
        ],
        ids=["AT-1", "AT-2", "AT-3", "AT-5 days 1 and 15", "AT-5 days 1 and 14"],
    )
    def test_three_cycles(self, tmp_path: Path, cycles: list[tuple[int, int]], state: str) -> None:
        found = self.judged(tmp_path, *(self.cycle(day, count) for day, count in cycles))
        assert found["campaign"]["state"] == state

    def test_a_disturbed_test_is_tried_and_not_counted(self, tmp_path: Path) -> None:
        cycles = [self.cycle(day, 9) for day in (1, 2, 3)]
        for cycle in cycles:
            cycle[4] = msgspec.structs.replace(cycle[4], other_bytes=20_000_000)
            cycle[6] = msgspec.structs.replace(cycle[6], link="wifi")
        found = self.judged(tmp_path, *cycles)
        assert (found["campaign"]["state"], found["wired"]) == ("complete", "yes")
        assert [each["have"] for each in found["rules"]] == [7] * 6

    def test_at_4_two_cycles_on_one_day_are_one(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, self.cycle(1, 9, "08:00"), self.cycle(1, 9), self.cycle(2, 9))
        assert found["campaign"]["state"] == "incomplete"

    def test_each_cycle_has_its_figures(self, tmp_path: Path) -> None:
        found = self.judged(tmp_path, self.cycle(1, 9), self.cycle(2, 8), self.cycle(3, 9))
        assert [rule(found, f"cycle{number}")["have"] for number in (1, 2, 3)] == [9, 8, 9]
        assert rule(found, "cycle1")["figures"]["best_of_maximum"] == 0.9


def test_a_row_by_hand_does_not_fill_a_gap(tmp_path: Path) -> None:
    contract(tmp_path, TestCzechia.TERMS)
    rows = every(at(MONDAY, "18:00"), 15, [90.0] * 6, timezone=PRAGUE)
    keep([*rows[:3], good(at(MONDAY, "18:45"), timezone=PRAGUE, slot=None, attempt=None), *rows[4:]], tmp_path)
    assert verdict(tmp_path, "cz-ctu")["overall"] == "insufficient"


def test_days_are_local_days_also_when_the_clocks_change(tmp_path: Path) -> None:
    contract(tmp_path, figures(minimum=50))
    sunday = datetime(2026, 3, 29)  # noqa: DTZ001 (a wall time)
    rows = every(sunday - timedelta(days=1), 60, [90.0] * 72)
    failed = [bad(at(date(2026, 3, 30), "12:30"))]
    keep(rows + failed, tmp_path)
    found = verdict(tmp_path, "eu-minimum")
    assert found["campaign"]["days"] == ["2026-03-28", "2026-03-29", "2026-03-30"]
