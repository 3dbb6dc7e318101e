"""The state of every line in Prometheus' text format, named as in https://prometheus.io/docs/practices/naming.

Base units: bits per second, seconds, bytes, ratios from 0 to 1. What the last test did not measure is absent: a failed
test has no speed, never a speed of 0. Values of a test that is too old are absent too.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from speedtest.data.partitions import Folders
from speedtest.figures import state
from speedtest.figures.lines import Lines
from speedtest.figures.state import DaemonState, LineState, Result, WatchNow
from speedtest.report.words import harmless

__all__ = ["CONTENT_TYPE_LATEST", "Scraped", "text"]

_UNFINISHED_SECONDS = 1.0
"""As long as not all lines have been read, their metrics are written this often."""
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


_SEEN: Sequence[tuple[str, str, Callable[[WatchNow], float | None]]] = (
    (
        "line_up",
        "1: the watch sees the line up; 0: down; else absent.",
        lambda seen: None if seen.since is None else seen.place is None,
    ),
    ("probe_latency_seconds", "Round trip of the watch's probes.", lambda seen: _seconds(seen.latency_ms)),
    (
        "router_latency_seconds",
        "Round trip of the watch's probes to the router.",
        lambda seen: _seconds(seen.router_latency_ms),
    ),
    ("probe_loss_ratio", "Share of the last minute's probes that were lost, 0 to 1.", lambda seen: seen.loss_ratio),
)
_SINCE_THE_START: Sequence[tuple[str, str, Callable[[WatchNow], float | None]]] = (
    ("line_down_seconds", "Seconds that the line was down since the daemon started.", lambda seen: seen.down_seconds),
    ("line_watched_seconds", "Seconds of watching since the daemon started.", lambda seen: seen.watched_seconds),
    ("line_outages", "Outages that the watch saw since the daemon started.", lambda seen: seen.outages),
)


class Scraped:
    """The metrics of all lines, made again only if something has changed."""

    def __init__(self, folders: Folders, lines: Lines) -> None:
        """Read nothing yet. What others have read of the lines is not read again."""
        self.text = b""
        """The latest metrics, empty until all lines have been read once."""
        self._folders = folders
        self._lines = lines
        self._unfinished = b""
        self._locations: int | None = None
        self._shown: tuple[list[LineState], DaemonState | None] | None = None

    def refresh(self, now: datetime) -> None:
        """Read the lines that have new rows. Raises the errors of `Rows.of`."""
        names = self._lines.names()
        self._locations = len(names)
        lines: list[LineState] = []
        said = -math.inf
        for name in names:
            lines.append(self._lines.state(name, now))
            if not self.text and time.monotonic() - said >= _UNFINISHED_SECONDS:
                self._unfinished = text(lines, state.daemon(self._folders.result_dir, now), len(names))
                said = time.monotonic()
        daemon = state.daemon(self._folders.result_dir, now)
        if not self.text or (lines, daemon) != self._shown:
            self.text, self._shown = text(lines, daemon, len(names)), (lines, daemon)

    def partial(self, now: datetime) -> bytes:
        """Return the metrics of the lines read up to a second ago. They say that they are not complete."""
        daemon = state.daemon(self._folders.result_dir, now)
        return self.text or self._unfinished or text([], daemon, self._locations)


def text(lines: Sequence[LineState], daemon: DaemonState | None, locations: int | None) -> bytes:
    """Return the metrics. `locations`: how many have rows, read or not; None if they are not counted yet."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Lines(lines, daemon, locations))
    return generate_latest(registry)


class _Lines(Collector):
    def __init__(self, lines: Sequence[LineState], daemon: DaemonState | None, locations: int | None) -> None:
        self._lines, self._daemon, self._locations = lines, daemon, locations

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        yield from (_measured(self._lines, *what) for what in _MEASURED)
        yield _conditions(self._lines)
        yield _providers(self._lines)
        yield _of_lines(self._lines, "up", "1: the line is up; 0: it is down; else absent.", _up)
        yield from (_seen(GaugeMetricFamily, self._lines, *what) for what in _SEEN)
        yield from (_seen(CounterMetricFamily, self._lines, *what) for what in _SINCE_THE_START)
        yield _places(self._lines)
        yield _of_lines(
            self._lines, "last_attempt_timestamp_seconds", "When the last test was made, failed or not.", _attempt
        )
        yield _of_lines(
            self._lines, "last_success_timestamp_seconds", "When a test last succeeded, within a month.", _success
        )
        yield _of_lines(
            self._lines,
            "failures_in_a_row",
            "Slots that failed since the last successful test.",
            lambda line: line.failures_in_a_row,
        )
        yield _of_lines(
            self._lines,
            "down_in_a_row",
            "Slots that failed as they do when the line is down, since a server last answered.",
            lambda line: line.down_in_a_row,
        )
        yield _of_lines(
            self._lines,
            "rows_without_status",
            "Rows of the last month whose status is not known.",
            lambda line: line.rows_without_status,
        )
        yield _of_lines(
            self._lines,
            "month_data_bytes",
            "Bytes that tests moved in this calendar month (local time).",
            lambda line: line.data_bytes_of_month,
        )
        is_complete = self._locations == len(self._lines)
        yield _gauge("metrics_complete", "1: every location is here; 0: some are not read yet.", is_complete)
        if self._locations is not None:
            yield _gauge("locations", "Locations that have rows.", self._locations)
            unread = self._locations - len(self._lines)
            yield _gauge("locations_unread", "Locations not read yet since the page started.", unread)
        if self._daemon:
            yield _gauge("rows_waiting", "Rows that the disk refused, kept in memory.", self._daemon.rows_waiting)
            yield _gauge("files_waiting", "Files that wait for delivery to a store.", self._daemon.files_waiting)
            if since := self._daemon.files_waiting_since:
                seconds = datetime(since.year, since.month, since.day, tzinfo=UTC).timestamp()
                yield _gauge("files_waiting_since_timestamp_seconds", "The day of the oldest waiting file.", seconds)
            due = self._daemon.next_due.timestamp()
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


def _seen[Family: (GaugeMetricFamily, CounterMetricFamily)](
    kind: type[Family],
    lines: Sequence[LineState],
    name: str,
    meaning: str,
    of: Callable[[WatchNow], float | None],
) -> Family:
    family = kind(f"speedtest_{name}", meaning, labels=["location"])
    for line in lines:
        if line.watch and (value := of(line.watch)) is not None:
            family.add_metric([harmless(line.location)], value)
    return family


def _places(lines: Sequence[LineState]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "speedtest_line_down_place", "1 for the place where a line is broken now.", labels=["location", "place"]
    )
    for line in lines:
        if line.watch and line.watch.place:
            family.add_metric([harmless(line.location), harmless(line.watch.place)], 1)
    return family


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds * _SECONDS


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
