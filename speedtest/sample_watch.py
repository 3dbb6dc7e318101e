"""What the watch and the circumstances say in the demo's year: outages of all places, Wi-Fi days, and busy lines.

Most outages are seconds to minutes behind the router. The router restarts now and then, a cable was pulled twice, the
resolvers failed once, and one outage took hours. For some days the home line was measured over Wi-Fi.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from speedtest.measurement import Measurement, OutagePlace

WIFI_DAYS = (60, 64)
"""In days ago, of the home line."""
LONG_OUTAGE = (40.0, 40.27)
WATCH_SECONDS = 10.0
_TARGETS = "1.1.1.1, 8.8.8.8, 9.9.9.9"
_ROUTER = "192.168.1.1"
_WORDS: dict[OutagePlace, str] = {
    "beyond-router": f"no answer from {_TARGETS}; the router {_ROUTER} answered",
    "router": f"no answer from {_TARGETS}; the router {_ROUTER} did not answer either",
    "link": f"no answer from {_TARGETS}; eth0 had no carrier",
    "dns": f"{_TARGETS} answered, but no resolver did: {_ROUTER}",
    "unknown-place": f"no answer from {_TARGETS}; no router is known",
}
_A_YEAR: Sequence[tuple[OutagePlace, int, float, float]] = (
    ("beyond-router", 40, 4.0, 240.0),
    ("router", 9, 70.0, 200.0),
    ("link", 2, 30.0, 1500.0),
    ("dns", 1, 600.0, 1800.0),
)
"""Places, how many outages a year, and their shortest and longest seconds."""
_PROBES_LOST = 0.0007
_TRAFFIC, _BUSY_MACHINE = 0.02, 0.004
"""How often something else uses the line, and how often this machine is busy."""
_WIFI_SHARE, _TRAFFIC_SHARE = 0.45, 0.7
"""What is left of the speed over Wi-Fi, and beside other traffic."""


class SampleOutage(msgspec.Struct, frozen=True):
    """An outage that was made up."""

    start: datetime
    seconds: float
    place: OutagePlace

    @property
    def end(self) -> datetime:
        """When the line answered again."""
        return self.start + timedelta(seconds=self.seconds)


class Around(msgspec.Struct, frozen=True):
    """The circumstances of a test: what is left of the speed, and the columns that tell why."""

    share: float
    columns: dict[str, Any]


def outages(seed: str, now: datetime, days: int, *, is_home: bool) -> list[SampleOutage]:
    """Return the outages of the year before `now`, oldest first; none overlaps another. An office has fewer."""
    chance = random.Random(f"{seed} outages")  # noqa: S311 (plausible, not secret)
    found: list[SampleOutage] = []
    for place, number, least, most in _A_YEAR:
        for _ in range(number if is_home else number // 4):
            start = now - timedelta(days=chance.uniform(0.1, days - 0.1))
            seconds = round(least * (most / least) ** chance.random(), 3)
            found.append(SampleOutage(start.replace(microsecond=0), seconds, place))
    if is_home:
        begun = now - timedelta(days=LONG_OUTAGE[1])
        found.append(SampleOutage(begun, (LONG_OUTAGE[1] - LONG_OUTAGE[0]) * 86400, "beyond-router"))
    found.sort(key=lambda each: each.start)
    apart = [found[0]]
    for each in found[1:]:
        if each.start > apart[-1].end + timedelta(minutes=1):
            apart.append(each)
    return apart


def row(outage: SampleOutage, common: dict[str, Any]) -> Measurement:
    """Return the row of an outage. `common`: the columns that all rows of the line share."""
    shared = {name: common[name] for name in ("raw", "speedtest_address", "timezone")}
    return Measurement(
        timestamp=outage.start,
        started_at=outage.start,
        status="outage",
        error_kind=outage.place,
        error=_WORDS[outage.place],
        duration_seconds=outage.seconds,
        interval_seconds=60.0 if outage.place == "dns" else WATCH_SECONDS,
        **shared,
    )


def seen(
    found: Sequence[SampleOutage], slot: datetime, step: timedelta, latency_ms: float, chance: random.Random
) -> dict[str, Any]:
    """Return the columns of what the watch saw since the slot before. `found`: the outages of that time."""
    before = slot - step
    down = sum(max((min(each.end, slot) - max(each.start, before)).total_seconds(), 0.0) for each in found)
    is_down = any(each.start <= slot < each.end for each in found)
    rounds = max(step.total_seconds() - down, 0.0) / WATCH_SECONDS
    lost = chance.binomialvariate(3 * round(rounds), _PROBES_LOST)
    median = latency_ms + chance.expovariate(1.5)
    return {
        "line": "down" if is_down else "up",
        "watched_seconds": step.total_seconds(),
        "down_seconds": round(down, 3),
        "probes_sent": 3 * round(rounds),
        "probes_lost": lost,
        "probe_latency_ms": round(median, 3) if rounds >= 1 else None,
        "probe_latency_p95_ms": round(median * chance.uniform(1.2, 2.4), 3) if rounds >= 1 else None,
        "router_latency_ms": round(0.4 + chance.expovariate(3), 3) if rounds >= 1 else None,
    }


def around(ago: float, moved: float, chance: random.Random, *, is_home: bool) -> Around:
    """Return the circumstances of a test that would move so many bytes, `ago` days ago."""
    is_wifi = is_home and WIFI_DAYS[0] < ago < WIFI_DAYS[1]
    has_traffic = chance.random() < _TRAFFIC
    is_busy = chance.random() < _BUSY_MACHINE
    share = (_WIFI_SHARE if is_wifi else 1.0) * (_TRAFFIC_SHARE if has_traffic else 1.0)
    return Around(
        share,
        {
            "interface": "wlan0" if is_wifi else "eth0",
            "link": "wifi" if is_wifi else "ethernet",
            "link_mbps": None if is_wifi else 1000.0,
            "link_duplex": None if is_wifi else "full",
            "signal_dbm": round(chance.uniform(-74, -66), 0) if is_wifi else None,
            "other_traffic_mbps": round(chance.uniform(20, 90) if has_traffic else chance.expovariate(4), 3),
            "other_bytes": int(moved * share * (0.45 if has_traffic else chance.uniform(0.045, 0.06))),
            "cpu_percent": round(chance.uniform(88, 100) if is_busy else chance.uniform(12, 40), 1),
            "memory_percent": round(chance.uniform(38, 44), 1),
            "ip_version": 4,
            "lan_hosts": chance.randint(3, 9),
        },
    )
