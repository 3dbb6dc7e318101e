"""Grades of a line: its bufferbloat, and Cloudflare's points for streaming, gaming and calls.

Bufferbloat is the mean of how much the latency rises while downloading and while uploading, and is graded as DSLReports
and LibreQoS do: below 5 ms A+, 30 A, 60 B, 200 C, 400 D, else F.

Cloudflare's points (Aggregated Internet Measurement, AIM) follow `internalConfig.ts` and `ScoresCalculations.ts` of
github.com/cloudflare/speedtest: each figure has points by its size, each use adds some of them, and the sum is bad,
poor, average, good or great. A loss that was not measured has no points, as there. They are Cloudflare's opinion of one
test.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

SCALE = "scale of DSLReports and LibreQoS"
_LIMITS_MS = (5.0, 30.0, 60.0, 200.0, 400.0)
_GRADES = ("A+", "A", "B", "C", "D", "F")
_CLASSES = ("bad", "poor", "average", "good", "great")


class AimScore(msgspec.Struct, frozen=True):
    """Cloudflare's points for one use of a line."""

    points: int
    """The more the better, at least 0."""
    words: str
    """bad, poor, average, good or great."""


class Figures(NamedTuple):
    """What one test measured: Mbit/s, ms, percent. None where it did not."""

    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None
    jitter_ms: float | None
    packet_loss_percent: float | None
    download_latency_ms: float | None
    upload_latency_ms: float | None


def of(row: object) -> Figures:
    """Return the figures of a row that has them as attributes."""
    return Figures(*(getattr(row, name) for name in Figures._fields))


class _Points(NamedTuple):
    limits: Sequence[float]
    points: Sequence[int]

    def of(self, value: float) -> int:
        return self.points[bisect_right(self.limits, value)]


class _Use(NamedTuple):
    figures: Sequence[str]
    limits: Sequence[int]


_LATENCY = _Points((10, 20, 50, 100, 500), (20, 10, 5, 0, -10, -20))
_SPEED = _Points((1, 10, 50, 100), (0, 5, 10, 20, 30))
_POINTS = {
    "loss": _Points((1, 5, 25, 50), (10, 5, 0, -10, -20)),
    "latency": _LATENCY,
    "increase": _LATENCY,
    "jitter": _Points((10, 20, 100, 500), (10, 5, 0, -10, -20)),
    "download": _SPEED,
    "upload": _SPEED,
}
_USES = {
    "streaming": _Use(("latency", "loss", "download", "increase"), (15, 20, 40, 60)),
    "gaming": _Use(("latency", "loss", "increase"), (5, 15, 25, 30)),
    "calls": _Use(("latency", "jitter", "loss", "increase"), (5, 15, 25, 40)),
}


def bufferbloat(increase_ms: float) -> str:
    """Return the grade of an increase of the latency."""
    return _GRADES[bisect_right(_LIMITS_MS, increase_ms)]


def increase(figures: Figures) -> float | None:
    """Return the bufferbloat of one test in ms, None if it did not measure the latency idle and under both loads.

    A latency that is lower under load rises by 0.
    """
    idle, loaded = figures.latency_ms, (figures.download_latency_ms, figures.upload_latency_ms)
    if idle is None or loaded[0] is None or loaded[1] is None:
        return None
    return sum(max(each - idle, 0.0) for each in (loaded[0], loaded[1])) / 2


def aim(figures: Figures) -> dict[str, AimScore]:
    """Return Cloudflare's points by use: `streaming`, `gaming`, `calls`, as far as the test measured what they need."""
    points = {name: _POINTS[name].of(value) for name, value in _values(figures).items() if value is not None}
    points.setdefault("loss", 0)
    return {name: _score(use, points) for name, use in _USES.items() if points.keys() >= set(use.figures)}


def _values(figures: Figures) -> Mapping[str, float | None]:
    idle, down, up = figures.latency_ms, figures.download_latency_ms, figures.upload_latency_ms
    loaded = [each for each in (down, up) if each is not None]
    return {
        "loss": figures.packet_loss_percent,
        "latency": idle,
        "increase": max(loaded) - idle if loaded and idle is not None else None,
        "jitter": figures.jitter_ms,
        "download": figures.download_mbps,
        "upload": figures.upload_mbps,
    }


def _score(use: _Use, points: Mapping[str, int]) -> AimScore:
    whole = max(sum(points[name] for name in use.figures), 0)
    return AimScore(whole, _CLASSES[bisect_right(use.limits, whole)])
