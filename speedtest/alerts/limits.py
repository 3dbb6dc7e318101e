"""What a test is held against, and what one test says: slow, slower than usual, high latency, loss.

A quantity that a test did not measure says nothing. A test that something else may have made slow says nothing at all.
"""

import statistics
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from speedtest.alerts.rows import AlertRow
from speedtest.data import lake
from speedtest.data.parquet import Damaged
from speedtest.environment import Settings
from speedtest.figures.doubt import is_doubtful
from speedtest.logging import Events
from speedtest.values import amounts, names

events = Events(__name__)

USUAL_DAYS = 28
USUAL_HOURS = 1
"""A test is compared with those of the same hour of the day, and of so many before and after it."""
LEAST_TESTS = 20
"""With fewer tests in these hours nobody knows what is usual."""
LEAST_PROBES = 20
"""With fewer probes since the slot before, their loss says nothing."""

_WAYS = ("download", "upload")


class LimitCheck(msgspec.Struct, frozen=True):
    """What a test says of one condition."""

    kind: str
    is_bad: bool
    figures: str


class Limits:
    """The limits of these settings. The tests of the last weeks are read only if it matters what is usual."""

    def __init__(self, settings: Settings, zone: ZoneInfo, now: datetime) -> None:
        """Read nothing yet."""
        self._settings, self._zone, self._now = settings, zone, now
        self._expected = names.split(settings.expect_isp)
        self.speeds = _speeds(settings)
        """Download and upload in Mbit/s; None: no limit."""
        limits = {
            "slow": any(self.speeds),
            "unusual": settings.alert_below_usual_percent,
            "latency": settings.alert_above_latency_ms,
            "bufferbloat": settings.alert_above_bufferbloat_ms,
            "loss": settings.alert_above_loss_percent,
        }
        self.off = {kind for kind, limit in limits.items() if not limit}
        """The kinds that have no limit."""

    def of(self, row: AlertRow) -> Iterator[LimitCheck]:
        """Yield what a test says."""
        if row["status"] != "ok" or is_doubtful(row, self._settings.plan_download_mbps, self._expected):
            return
        yield from self._speed("slow", row, self.speeds)
        if self._settings.alert_below_usual_percent:
            share = self._settings.alert_below_usual_percent / 100
            usual = self._usual(row)
            yield from self._speed("unusual", row, tuple(each and each * share for each in usual))
        yield from self._above("latency", row["latency_ms"], self._settings.alert_above_latency_ms, "ms")
        yield from self._above("bufferbloat", _bufferbloat(row), self._settings.alert_above_bufferbloat_ms, "ms")
        yield from self._above("loss", _loss(row), self._settings.alert_above_loss_percent, "%")

    def words(self, kind: str) -> str:
        """Return the limit of a kind, for a person."""
        settings = self._settings
        match kind:
            case "slow":
                named = [
                    f"{amounts.amount(limit)} Mbit/s {way}"
                    for way, limit in zip(_WAYS, self.speeds, strict=True)
                    if limit
                ]
                return " and ".join(named)
            case "unusual":
                share = f"{settings.alert_below_usual_percent:g} % of the median"
                return f"{share} of these hours of the last {USUAL_DAYS} days"
            case "latency":
                return f"{settings.alert_above_latency_ms:g} ms"
            case "bufferbloat":
                return f"{settings.alert_above_bufferbloat_ms:g} ms above the idle latency"
            case _:
                return f"{settings.alert_above_loss_percent:g} %"

    def _speed(self, kind: str, row: AlertRow, limits: tuple[float | None, ...]) -> Iterator[LimitCheck]:
        found = [(way, row[f"{way}_mbps"], limit) for way, limit in zip(_WAYS, limits, strict=True)]
        judged = [(mbps, limit) for _, mbps, limit in found if mbps is not None and limit]
        if judged:
            figures = ", ".join(f"{way} {amounts.amount(mbps)} Mbit/s" for way, mbps, _ in found if mbps is not None)
            yield LimitCheck(kind, any(mbps < limit for mbps, limit in judged), figures)

    def _above(self, kind: str, found: float | None, limit: float | None, unit: str) -> Iterator[LimitCheck]:
        if found is not None and limit is not None:
            yield LimitCheck(kind, found > limit, f"{amounts.amount(found)} {unit}")

    def _usual(self, row: AlertRow) -> tuple[float | None, ...]:
        """Return the median speeds of the same engine in the same hours of the four weeks before a test."""
        at: datetime = row["started_at"]
        hours = {(at.astimezone(self._zone).hour + more) % 24 for more in range(-USUAL_HOURS, USUAL_HOURS + 1)}
        alike = [
            each
            for each in self._history
            if each["engine"] == row["engine"]
            and timedelta(0) < at - each["started_at"] <= timedelta(days=USUAL_DAYS)
            and each["started_at"].astimezone(self._zone).hour in hours
        ]
        return tuple(_median([each[f"{way}_mbps"] for each in alike]) for way in _WAYS)

    @cached_property
    def _history(self) -> list[AlertRow]:
        names = ["started_at", "status", "engine", "download_mbps", "upload_mbps"]
        try:
            table = lake.read_table(
                since=self._now - timedelta(days=USUAL_DAYS + 8),
                location=self._settings.speedtest_location_uuid,
                columns=names,
                upload_dir=self._settings.upload_dir,
                result_dir=self._settings.result_dir,
            )
        except Damaged as error:
            events.warning("file_unreadable", "nobody knows what is usual: %s", error)
            return []
        good = pc.and_(pc.equal(table["status"], pa.scalar("ok")), pc.is_valid(table["started_at"]))
        return table.filter(good).to_pylist()


def _speeds(settings: Settings) -> tuple[float | None, float | None]:
    """Return the limits of the speeds. If both variables say one, the higher one counts."""
    fixed = settings.alert_below_mbps or (0.0, 0.0)
    share = (settings.alert_below_percent or 0.0) / 100
    plan = (settings.plan_download_mbps or 0.0, settings.plan_upload_mbps or 0.0)
    down, up = (max(mbps, share * promised) or None for mbps, promised in zip(fixed, plan, strict=True))
    return down, up


def _bufferbloat(row: AlertRow) -> float | None:
    loaded = [row[name] for name in ("download_latency_ms", "upload_latency_ms") if row[name] is not None]
    return max(loaded) - row["latency_ms"] if loaded and row["latency_ms"] is not None else None


def _loss(row: AlertRow) -> float | None:
    """Return the loss in percent: of the test, or of the probes since the slot before, whichever is higher."""
    found = [] if row["packet_loss_percent"] is None else [row["packet_loss_percent"]]
    if (row["probes_sent"] or 0) >= LEAST_PROBES:
        found.append(100 * (row["probes_lost"] or 0) / row["probes_sent"])
    return max(found, default=None)


def _median(found: list[float | None]) -> float | None:
    known = [mbps for mbps in found if mbps is not None]
    return statistics.median(known) if len(known) >= LEAST_TESTS else None
