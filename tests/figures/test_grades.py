"""Grades are those of the published scales."""

import pytest

from speedtest.figures import grades
from speedtest.figures.grades import AimScore, Figures

NONE = Figures(None, None, None, None, None, None, None)


@pytest.mark.parametrize(
    ("increase", "grade"),
    [(0, "A+"), (4.99, "A+"), (5, "A"), (29.9, "A"), (30, "B"), (60, "C"), (199, "C"), (200, "D"), (400, "F")],
)
def test_bufferbloat_is_graded_by_its_limits(increase: float, grade: str) -> None:
    assert grades.bufferbloat(increase) == grade


def test_bufferbloat_is_the_mean_of_both_directions_and_never_below_0() -> None:
    figures = NONE._replace(latency_ms=10.0, download_latency_ms=30.0, upload_latency_ms=8.0)
    assert grades.increase(figures) == 10.0
    for missing in ("latency_ms", "download_latency_ms", "upload_latency_ms"):
        assert grades.increase(figures._replace(**{missing: None})) is None


def test_cloudflares_points_are_those_of_its_own_examples() -> None:
    fine = NONE._replace(
        latency_ms=5, packet_loss_percent=0, download_mbps=100, download_latency_ms=15, upload_latency_ms=10
    )
    assert grades.aim(fine) == {"streaming": AimScore(70, "great"), "gaming": AimScore(40, "great")}
    poor = NONE._replace(latency_ms=200, packet_loss_percent=30, download_latency_ms=500, upload_latency_ms=400)
    assert grades.aim(poor) == {"gaming": AimScore(0, "bad")}
    assert grades.aim(NONE._replace(latency_ms=10)) == {}
    usual = Figures(50, 10, 20, 10, 1, 50, 40)
    assert grades.aim(usual) == {
        "streaming": AimScore(5 + 5 + 20 + 5, "average"),
        "gaming": AimScore(5 + 5 + 5, "average"),
        "calls": AimScore(5 + 5 + 5 + 5, "average"),
    }
    assert grades.aim(fine._replace(packet_loss_percent=None))["streaming"].points == 60, (
        "no points for what is unknown"
    )
