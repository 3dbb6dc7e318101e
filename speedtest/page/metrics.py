"""The state of every line in Prometheus' text format, named as in https://prometheus.io/docs/practices/naming.

Base units: bits per second, seconds, bytes, ratios from 0 to 1. What the last test did not measure is absent: a failed
test has no speed, never a speed of 0. Values of a test that is too old are absent too.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from speedtest.figures.state import LineState, Result
from speedtest.page.queries import Now
from speedtest.report.words import harmless

__all__ = ["CONTENT_TYPE_LATEST", "text"]

_BITS, _SECONDS, _RATIO = 1e6, 1e-3, 1e-2
_MEASURED: Sequence[tuple[str, str, Callable[[Result], float | None], float]] = (
    ("download_bits_per_second", "Download speed of the last test.", lambda row: row.download_mbps, _BITS),
    ("upload_bits_per_second", "Upload speed of the last test.", lambda row: row.upload_mbps, _BITS),
    ("latency_seconds", "Idle latency of the last test.", lambda row: row.latency_ms, _SECONDS),
    ("jitter_seconds", "Jitter of the idle latency of the last test.", lambda row: row.jitter_ms, _SECONDS),
    ("packet_loss_ratio", "Share of packets lost, 0 to 1.", lambda row: row.packet_loss_percent, _RATIO),
    ("download_latency_seconds", "Latency while downloading.", lambda row: row.download_latency_ms, _SECONDS),
    ("upload_latency_seconds", "Latency while uploading.", lambda row: row.upload_latency_ms, _SECONDS),
)


def text(now: Now) -> bytes:
    """Return the metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Lines(now))
    return generate_latest(registry)


class _Lines(Collector):
    def __init__(self, now: Now) -> None:
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from (_measured(self._now.lines, *what) for what in _MEASURED)
        yield _conditions(self._now.lines)
        yield _providers(self._now.lines)
        yield _of_lines(self._now.lines, "up", "1: the last test succeeded; 0: the line is down; else absent.", _up)
        yield _of_lines(
            self._now.lines, "last_attempt_timestamp_seconds", "When the last test was made, failed or not.", _attempt
        )
        yield _of_lines(
            self._now.lines, "last_success_timestamp_seconds", "When a test last succeeded, within a month.", _success
        )
        yield _of_lines(
            self._now.lines,
            "failures_in_a_row",
            "Slots that failed since the last successful test.",
            lambda line: line.failures_in_a_row,
        )
        yield _of_lines(
            self._now.lines,
            "down_in_a_row",
            "Slots that failed as they do when the line is down, since a server last answered.",
            lambda line: line.down_in_a_row,
        )
        yield _of_lines(
            self._now.lines,
            "rows_without_status",
            "Rows of the last month whose status is not known.",
            lambda line: line.rows_without_status,
        )
        yield _of_lines(
            self._now.lines,
            "month_data_bytes",
            "Bytes that tests moved in this calendar month (local time).",
            lambda line: line.data_bytes_of_month,
        )
        if self._now.daemon:
            yield _gauge("rows_waiting", "Rows that the disk refused, kept in memory.", self._now.daemon.rows_waiting)
            due = self._now.daemon.next_due.timestamp()
            yield _gauge("next_due_timestamp_seconds", "When the daemon's next test is due.", due)


def _measured(
    lines: Sequence[LineState], name: str, meaning: str, of: Callable[[Result], float | None], unit: float
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"speedtest_{name}", meaning, labels=["location", "engine"])
    for line in lines:
        value = of(line.last) if line.last and line.up else None
        if line.last and value is not None:
            family.add_metric([harmless(line.location), harmless(line.last.engine or "unknown")], value * unit)
    return family


def _of_lines(
    lines: Sequence[LineState], name: str, meaning: str, of: Callable[[LineState], float | None]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"speedtest_{name}", meaning, labels=["location"])
    for line in lines:
        if (value := of(line)) is not None:
            family.add_metric([harmless(line.location)], value)
    return family


def _conditions(lines: Sequence[LineState]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "speedtest_condition", "1 for the condition that each line is in.", labels=["location", "condition"]
    )
    for line in lines:
        family.add_metric([harmless(line.location), line.condition], 1)
    return family


def _providers(lines: Sequence[LineState]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "speedtest_provider", "1 for the provider of the last test.", labels=["location", "isp", "vpn"]
    )
    for line in lines:
        if line.last and line.up and line.last.isp:
            vpn = "true" if line.last.vpn else "false"
            family.add_metric([harmless(line.location), harmless(line.last.isp), vpn], 1)
    return family


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"speedtest_{name}", meaning, value=value)


def _up(line: LineState) -> float | None:
    return None if line.up is None else float(line.up)


def _attempt(line: LineState) -> float | None:
    return line.last.timestamp.timestamp() if line.last else None


def _success(line: LineState) -> float | None:
    return line.last_success.timestamp() if line.last_success else None
