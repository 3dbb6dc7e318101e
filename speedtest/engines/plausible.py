"""What can be true: the bounds of a result's figures.

The two speeds and the time make a result. One of them that cannot be true makes it a failure, `rejected`. Any other
figure that cannot be true becomes null. What the program printed stays among its own fields, and the field
`null_because` says which figure was not believed, and why.
"""

import math
from collections.abc import Sequence
from datetime import UTC

import msgspec

from speedtest.engines.output import Flat, texts
from speedtest.measurement import Failure, Measurement

WHY_NULL = "null_because"
"""The field of a row that says why figures are null, each by name."""

LATENCY_LIMIT_MS = 600_000
"""A latency of this value or more means that no server answered (speedtest-cli prints 1800000.0)."""

MOST_MBPS = 1_000_000
"""No line carries a terabit a second."""

SHORTEST_TEST_SECONDS = 10.0
"""Bounds by the length of a test take it for at least this long."""

_ALL_PERCENT = 100.0
_TIMES = ("latency_ms", "jitter_ms", "download_latency_ms", "upload_latency_ms")


def believed(
    measurement: Measurement, flat: Flat, seconds: float = math.inf, doubts: Sequence[str] = ()
) -> Measurement:
    """Return the measurement with null for each figure that cannot be true, and the reasons after those in `doubts`.

    `seconds` is how long the test took. Raises Failure `rejected`, which keeps the fields, if a speed or the time
    cannot be true, or if the latency means that no server answered. Programs print a speed of 0 with exit code 0 when
    no data came through.
    """
    if why := _rejection(measurement):
        raise Failure("rejected", why, texts(flat), data_bytes=_bytes(measurement, seconds))
    reasons = list(doubts)
    changes: dict[str, None] = {}
    for name, why in _impossible(measurement, seconds):
        reasons.append(f"{name}: {why}")
        changes[name] = None
    raw = measurement.raw | ({WHY_NULL: "; ".join(reasons)} if reasons else {})
    return msgspec.structs.replace(measurement, raw=raw, **changes)


def _rejection(measurement: Measurement) -> str | None:
    try:
        measurement.timestamp.astimezone(UTC)
    except OverflowError:
        return f"the timestamp {measurement.timestamp} is outside the calendar in UTC"
    for direction, mbps in (("download", measurement.download_mbps), ("upload", measurement.upload_mbps)):
        if not mbps or not 0 < mbps <= MOST_MBPS:
            beyond = f", more than {MOST_MBPS}: no line is so fast" if mbps and mbps > MOST_MBPS else ""
            return f"the program reported a {direction} speed of {mbps or 0:g} Mbit/s{beyond}"
    if (measurement.latency_ms or 0) >= LATENCY_LIMIT_MS:
        return f"the program reported a latency of {measurement.latency_ms:.0f} ms: no server answered"
    return None


def _impossible(measurement: Measurement, seconds: float) -> list[tuple[str, str]]:
    """Return each figure that is below 0 or above what it can be, and why."""
    longest = min(max(seconds, SHORTEST_TEST_SECONDS) * 1000, LATENCY_LIMIT_MS)
    bounds = dict.fromkeys(_TIMES, (longest, "longer than the test"))
    bounds["packet_loss_percent"] = (_ALL_PERCENT, "more than all")
    bounds["data_bytes"] = (_most_bytes(seconds), "more than any line carries in that time")
    found: list[tuple[str, str]] = []
    for name, (most, above) in bounds.items():
        value = getattr(measurement, name)
        if value is not None and not 0 <= value <= most:
            found.append((name, f"{value:.15g} is {'below 0' if value < 0 else above}"))
    return found


def _bytes(measurement: Measurement, seconds: float) -> int | None:
    moved = measurement.data_bytes
    return moved if moved is not None and 0 <= moved <= _most_bytes(seconds) else None


def _most_bytes(seconds: float) -> float:
    return MOST_MBPS * 1_000_000 / 8 * max(seconds, SHORTEST_TEST_SECONDS)
