"""Whether one test says little about the line: what `figures.quality` marks, for a single row, without pandas."""

from collections.abc import Mapping, Sequence
from typing import Any

from speedtest.values.names import is_expected
from speedtest.values.thresholds import ABOVE_LINK, CPU_PERCENT, FAR_KILOMETRES, OTHER_SHARE


def is_doubtful(row: Mapping[str, Any], plan_mbps: float | None, expected: Sequence[str] = ()) -> bool:
    """Return whether a row has one of the marks of `figures.quality`. What is not known marks nothing.

    The row has the lake's columns `download_mbps`, `upload_mbps`, `link`, `link_mbps`, `interface_isVpn`,
    `other_bytes`, `data_bytes`, `cpu_percent`, `isp` and `server_d`. `expected`: as for `values.names.is_expected`.
    """
    moved = row["data_bytes"] or 0
    return (
        row["link"] in ("wifi", "tunnel")
        or row["interface_isVpn"] is True
        or (moved > 0 and row["other_bytes"] is not None and row["other_bytes"] >= OTHER_SHARE * moved)
        or (row["cpu_percent"] or 0.0) > CPU_PERCENT
        or (row["server_d"] or 0.0) > FAR_KILOMETRES
        or (row["isp"] is not None and not is_expected(row["isp"], expected))
        or _has_doubtful_link(row, plan_mbps)
    )


def _has_doubtful_link(row: Mapping[str, Any], plan_mbps: float | None) -> bool:
    if row["link_mbps"] is None:
        return False
    fastest = max(row["download_mbps"] or 0.0, row["upload_mbps"] or 0.0)
    is_above = row["link"] == "ethernet" and fastest > ABOVE_LINK * row["link_mbps"]
    return is_above or row["link_mbps"] < (plan_mbps or 0.0)
