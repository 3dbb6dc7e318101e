"""Why a successful test does not count in a campaign: something else may have made it slow.

The thresholds are those of `values.thresholds`. What is not known refuses nothing.
"""

from collections.abc import Sequence

from speedtest.campaigns.order import Order
from speedtest.measurement import Measurement
from speedtest.values.names import is_expected
from speedtest.values.thresholds import CPU_PERCENT, OTHER_SHARE

_VPN = "interface_isVpn"
_PROVIDERS = ("isp", "client_isp")
"""The fields in which programs name the provider."""


def unfit(row: Measurement, order: Order) -> str | None:
    """Return why this successful test does not count in a campaign, None if it does."""
    return _unfit_link(row, order.link_mbps) or _unfit_provider(row, order.expected_isps) or _unfit_moment(row)


def _unfit_link(row: Measurement, link_mbps: float | None) -> str | None:
    if row.link == "wifi":
        return "it was measured over Wi-Fi: connect this machine by cable"
    if row.link == "cellular":
        return "it was measured over a cellular network: connect this machine by cable"
    if row.link == "tunnel" or row.raw.get(_VPN) == "true":
        return "it was measured through a tunnel (VPN): end it for the campaign"
    if row.link_mbps is not None and link_mbps is not None and row.link_mbps < link_mbps:
        return f"the link of this machine has {row.link_mbps:g} Mbit/s, less than the contract's {link_mbps:g}"
    return None


def _unfit_provider(row: Measurement, expected: Sequence[str]) -> str | None:
    provider = next((name for field in _PROVIDERS if (name := row.raw.get(field))), None)
    if provider is None or is_expected(provider, expected):
        return None
    return f"it went through {provider}, which is not the provider of EXPECT_ISP"


def _unfit_moment(row: Measurement) -> str | None:
    if row.other_bytes is not None and row.data_bytes and row.other_bytes >= OTHER_SHARE * row.data_bytes:
        return f"other traffic moved {row.other_bytes / row.data_bytes:.0%} of the test's bytes"
    if row.cpu_percent is not None and row.cpu_percent > CPU_PERCENT:
        return f"the processors of this machine were {row.cpu_percent:g} % busy"
    return None
