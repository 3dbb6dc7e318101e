"""The rates of the router's link (`ROUTER_ASK`), in the tests of the last day of a period.

They stand in `extra`, which is large, so that only one day of it is read. Of a DSL line the rate is its sync: no test
can be faster. A sync below the plan is evidence without any speed test.
"""

import json
import statistics
from collections.abc import Iterable
from datetime import datetime, timedelta

from speedtest.figures.rows import Rows
from speedtest.figures.types import Plan, RouterLink

_DAY = timedelta(days=1)
_DOWN, _UP = "router_link_down_mbps", "router_link_up_mbps"
_MOST_MBPS = 1_000_000.0


def of(rows: Rows, location: str, last: datetime | None, plan: Plan) -> RouterLink | None:
    """Return what the router told in the day before the `last` row of a period; None if it told nothing.

    Raises the errors of `Rows.of`.
    """
    if last is None:
        return None
    texts = rows.extras(last - _DAY, last + timedelta.resolution, location)
    told = [fields for text in texts if (fields := _fields(text))]
    if not told:
        return None
    down, up = (_median(fields.get(name) for fields in told) for name in (_DOWN, _UP))
    pairs = ((down, plan.download_mbps), (up, plan.upload_mbps))
    below = any(rate is not None and promised is not None and rate < promised for rate, promised in pairs)
    return RouterLink(tests=len(told), down_mbps=down, up_mbps=up, below_plan=below)


def _fields(text: str) -> dict[str, str]:
    """Return the rates in a row's `extra`; empty if there are none."""
    if '"router_link_' not in text:
        return {}
    found = json.loads(text)
    return {name: value for name, value in found.items() if name in (_DOWN, _UP) and value}


def _median(texts: Iterable[str | None]) -> float | None:
    rates: list[float] = []
    for text in texts:
        try:
            rate = float(text or "")
        except ValueError:
            continue
        if 0 < rate <= _MOST_MBPS:
            rates.append(rate)
    return statistics.median(rates) if rates else None
