"""Germany's rule, by its worked examples."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from verdicts import at, contract, every, figures, keep, rule, verdict

from speedtest.measurement import Measurement

HOME_100 = figures(maximum=100, normal=80, minimum=50)
A = [95, 92, 85, 84, 82, 81, 80, 80, 79.5, 78]
B = [94, 91, 88, 86, 85, 84, 83, 82, 81, 76]
C = [93, 92, 90, 88, 86, 85, 84, 83, 81, 77]
NEWEST = [date(2026, 3, 2), date(2026, 3, 4), date(2026, 3, 6)]


def day(when: date, speeds: Sequence[float]) -> list[Measurement]:
    """Return ten tests: five from 11:00, five from 19:00, ten minutes apart."""
    return every(at(when, "11:00"), 10, speeds[:5]) + every(at(when, "19:00"), 10, speeds[5:])


def measured(folder: Path, days: Mapping[date, Sequence[float]], terms: str = HOME_100) -> None:
    contract(folder, terms)
    keep([row for when, speeds in days.items() for row in day(when, speeds)], folder)


def test_de_1_26_of_30_tests_are_not_enough(tmp_path: Path) -> None:
    measured(tmp_path, dict(zip(NEWEST, (A, B, C), strict=True)))
    found = verdict(tmp_path, "de-bnetza")
    assert found["overall"] == "fail"
    assert [(each["id"], each["verdict"]) for each in found["rules"] if each["direction"] == "download"] == [
        ("R1", "pass"),
        ("R2", "fail"),
        ("R3", "pass"),
    ]
    assert [rule(found, "R2")[name] for name in ("have", "need", "of")] == [26, 27, 30]
    assert [row["value"] for row in rule(found, "R2")["deciding_rows"]] == [79.5, 78, 76, 77]
