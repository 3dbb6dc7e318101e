"""What the router's answers say of a test and of an outage: the fields of rows, and the traffic of the whole house.

The columns `other_bytes` and `other_traffic_mbps` are about the whole house where two answers tell it, and
`router_counted` in `extra` names those. A counter of 32 bits begins again at 2^32, on a fast line within a test: where
it may have done so twice, nobody knows what moved. A counter that moved less than the test itself is not believed.
"""

import math
import threading
import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from msgspec.structs import replace

from speedtest.daemon.router import Router, RouterAnswer
from speedtest.measurement import Measurement

FASTEST_MBPS = 10_000.0
"""How fast a link may be that the router tells no rate of."""
AFTER_SECONDS = 60.0
"""A connection that is made within this time after an outage belongs to it."""
COUNTED = "router_counted"
_SHORTEST, _LONGEST = 3.0, 12.0
"""Seconds between two answers that tell the traffic before a test."""
_BIT32 = 1 << 32
_BITS = 8 / 1e6


def moved(one: RouterAnswer | None, other: RouterAnswer | None) -> tuple[int, int] | None:
    """Return the bytes down and up between two answers; None if they do not tell it for sure."""
    if one is None or other is None or other.at <= one.at or _is_new(one, other):
        return None
    down = _grown(one.bytes_down, other.bytes_down, other, other.link_down_mbps, other.at - one.at)
    up = _grown(one.bytes_up, other.bytes_up, other, other.link_up_mbps, other.at - one.at)
    return None if down is None or up is None else (down, up)


def mbps(one: RouterAnswer | None, other: RouterAnswer | None) -> float | None:
    """Return the traffic of the whole house between two answers, in Mbit/s."""
    found = moved(one, other)
    return None if found is None or one is None or other is None else sum(found) * _BITS / (other.at - one.at)


def _is_new(one: RouterAnswer, other: RouterAnswer) -> bool:
    """Return whether the WAN was connected anew in between: some routers then count from 0."""
    before, after = one.wan_uptime_seconds, other.wan_uptime_seconds
    return before is not None and after is not None and after < before


def _grown(
    before: int | None, after: int | None, answer: RouterAnswer, link_mbps: float | None, seconds: float
) -> int | None:
    if before is None or after is None:
        return None
    if after >= _BIT32 or answer.counter_bits != 32:  # noqa: PLR2004 (bits)
        return after - before if after >= before else None
    most = (link_mbps or FASTEST_MBPS) * 1e6 / 8 * seconds
    grown = (after - before) % _BIT32
    return grown if grown <= most < _BIT32 + grown else None


class AfterOutage(NamedTuple):
    """What the router said after one or more outages."""

    fields: dict[str, str]
    connected_ago: int | None
    """For how many seconds the WAN had been connected then."""

    def of(self, started_ago: float, ended_ago: float, now: datetime) -> tuple[str, dict[str, str]]:
        """Return words and fields for the row of an outage that started and ended so many seconds ago.

        Both are empty if the router does not tell. `now` is the time by the clock on the wall.
        """
        if self.connected_ago is None:
            return "", self.fields
        if ended_ago - AFTER_SECONDS <= self.connected_ago <= math.ceil(started_ago):
            at = now - timedelta(seconds=self.connected_ago)
            other = " with another address" if self.fields.get("router_address_changed") == "true" else ""
            words = f"; the router's WAN connection was re-established at {at:%H:%M:%S}Z{other}"
            return words, self.fields | {"router_wan_connected_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        return ("; the router's WAN connection had stayed up" if self.connected_ago > started_ago else ""), self.fields


class Household:
    """The router beside the tests of one daemon."""

    def __init__(self, router: Router) -> None:
        """Take the router to ask."""
        self.router = router
        self._earlier: RouterAnswer | None = None
        self._asking: threading.Thread | None = None
        self._before: RouterAnswer | None = None
        self._busy_mbps: float | None = None
        self._last_address: str | None = None

    def look_early(self) -> None:
        """Ask in the background, a few seconds before a test, so that the traffic before it is known."""
        if self._asking is None:
            self._asking = threading.Thread(target=self._look_early, name="router", daemon=True)
            self._asking.start()

    def _look_early(self) -> None:
        self._earlier = self.router.ask()

    def busy_mbps(self) -> float | None:
        """Return the traffic of the whole house between the last two looks that were a few seconds apart.

        The router is asked again only when that long has passed.
        """
        self._join()
        if self._earlier and time.monotonic() - self._earlier.at < _SHORTEST:
            return self._busy_mbps
        now = self.router.ask()
        self._busy_mbps = mbps(self._earlier, now) if _is_apart(self._earlier, now) else None
        self._earlier = now
        return self._busy_mbps

    def begin(self) -> None:
        """Ask right before a test."""
        self._join()
        self._before = self.router.ask()

    def told(self, row: Measurement) -> Measurement:
        """Ask right after a test, and return its row with what the router says."""
        after = self.router.ask()
        answer = after or self._before
        if answer is None:
            return row
        fields = self._fields(answer)
        changes: dict[str, Any] = {}
        counted: list[str] = []
        through = moved(self._before, after)
        if through:
            fields |= {"router_down_bytes": str(through[0]), "router_up_bytes": str(through[1])}
        if through and row.status == "ok" and row.data_bytes is not None and sum(through) >= row.data_bytes:
            changes["other_bytes"] = sum(through) - row.data_bytes
            counted.append("other_bytes")
        traffic = mbps(self._earlier, self._before) if _is_apart(self._earlier, self._before) else None
        if traffic is not None and traffic >= (row.other_traffic_mbps or 0.0) / 2:
            changes["other_traffic_mbps"] = round(traffic, 3)
            counted.append("other_traffic_mbps")
        if counted:
            fields[COUNTED] = ",".join(counted)
        self._earlier = self._before = self._busy_mbps = None
        return replace(row, raw=row.raw | fields, **changes)

    def after_outage(self) -> "AfterOutage":
        """Ask the router after an outage."""
        answer = self.router.ask()
        return AfterOutage(self._fields(answer) if answer else {}, answer.wan_uptime_seconds if answer else None)

    def _fields(self, answer: RouterAnswer) -> dict[str, str]:
        changed = None
        if answer.address:
            changed = self._last_address and self._last_address != answer.address
            self._last_address = answer.address
        found = {
            "router_name": answer.name,
            "router_link_down_mbps": answer.link_down_mbps,
            "router_link_up_mbps": answer.link_up_mbps,
            "router_wan_status": answer.wan_status,
            "router_wan_uptime_seconds": answer.wan_uptime_seconds,
            "router_address_changed": None if changed is None else str(bool(changed)).lower(),
        }
        return {name: _text(value) for name, value in found.items() if value is not None}

    def _join(self) -> None:
        if self._asking:
            self._asking.join()
            self._asking = None


def _text(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_apart(one: RouterAnswer | None, other: RouterAnswer | None) -> bool:
    return one is not None and other is not None and _SHORTEST <= other.at - one.at <= _LONGEST
