"""Whether one test says little about the line: what `figures.quality` marks, for a single row, without pandas."""

from collections.abc import Mapping
from typing import Any

from speedtest.figures.thresholds import CPU_PERCENT, FAR_KILOMETRES, OTHER_SHARE


def is_doubtful(row: Mapping[str, Any], plan_mbps: float | None) -> bool:
    """Return whether a row has one of the marks of `figures.quality`. What is not known marks nothing.

    The row has the lake's columns `link`, `link_mbps`, `interface_isVpn`, `other_bytes`, `data_bytes`, `cpu_percent`
    and `server_d`.
    """
    moved = row["data_bytes"] or 0
    return (
        row["link"] in ("wifi", "tunnel")
        or row["interface_isVpn"] is True
        or (row["link_mbps"] is not None and row["link_mbps"] < (plan_mbps or 0.0))
        or (moved > 0 and row["other_bytes"] is not None and row["other_bytes"] >= OTHER_SHARE * moved)
        or (row["cpu_percent"] or 0.0) > CPU_PERCENT
        or (row["server_d"] or 0.0) > FAR_KILOMETRES
    )
