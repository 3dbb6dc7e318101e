"""Which tests say little about the line, because something else may have made them slow.

Such a test is marked, counted, and not held against the plan. The thresholds are in `values.thresholds`. Italy's
official measuring program (Nemesys) refuses a test over Wi-Fi or a tunnel; regulators want a link that is faster than
the contract's maximum.

A speed above the rate that a cable's link negotiated is marked too: something else was measured, or the system tells
the rate wrongly. The rate of Wi-Fi changes within seconds, and a tunnel or a bridge has none, so there it proves
nothing.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
import pandas as pd

from speedtest.values.names import is_expected
from speedtest.values.thresholds import ABOVE_LINK, CPU_PERCENT, FAR_KILOMETRES, OTHER_SHARE

MARKS = {
    "wifi": "over Wi-Fi",
    "tunnel": "through a tunnel (VPN)",
    "slow-link": "on a link slower than the plan",
    "traffic": f"beside other traffic of {100 * OTHER_SHARE:.0f} % of the test's or more",
    "busy": f"on a machine whose processors were busier than {CPU_PERCENT:.0f} %",
    "above-link": "faster than the link of this machine can be",
    "other-provider": "through another provider than EXPECT_ISP",
    "far-server": f"with a server more than {FAR_KILOMETRES:.0f} km away",
}
"""Each mark in words."""
COLUMNS = ("link", "link_mbps", "other_bytes", "cpu_percent", "server_d")
"""The columns that marks need, besides those about the provider and the test's data."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How many successful tests are marked."""

    tests: int
    marked: int
    by_mark: dict[str, int]
    """A test can have several marks."""
    counted: bool
    """Whether marked tests are held against the plan all the same."""


class QualityTally:
    """The marks of tests that come piece by piece."""

    def __init__(self, plan_mbps: float | None, expected: Sequence[str] = (), *, counted: bool) -> None:
        """Start without tests. `plan_mbps`: the download of the plan, if there is one; `expected`: see `marks`."""
        self._plan_mbps, self._expected, self._counted = plan_mbps, expected, counted
        self._tests = self._marked = 0
        self._by_mark: Counter[str] = Counter()

    def add(self, good: pd.DataFrame) -> pd.Series:
        """Add successful tests; return which of them are not to be held against the plan."""
        found = marks(good, self._plan_mbps, self._expected)
        marked = found.any(axis=1)
        self._tests += len(good)
        self._marked += int(marked.sum())
        self._by_mark.update({name: int(found[name].sum()) for name in MARKS})
        return marked & (not self._counted)

    def quality(self) -> Quality:
        """Return the numbers of all tests."""
        by_mark = {name: self._by_mark[name] for name in MARKS if self._by_mark[name]}
        return Quality(tests=self._tests, marked=self._marked, by_mark=by_mark, counted=self._counted)


def marks(tests: pd.DataFrame, plan_mbps: float | None, expected: Sequence[str] = ()) -> pd.DataFrame:
    """Return a column of booleans for each mark. What is not known marks nothing.

    `expected`: names of providers; a test through one whose name holds none of them is marked.
    """
    vpn = tests["vpn"].astype(object).eq(True)  # noqa: FBT003 (null is not true)
    moved = tests["data_bytes"].astype(float)
    return pd.DataFrame(
        {
            "wifi": tests["link"].eq("wifi").fillna(value=False),
            "tunnel": tests["link"].eq("tunnel").fillna(value=False) | vpn,
            "slow-link": tests["link_mbps"].astype(float) < (plan_mbps or 0.0),
            "traffic": tests["other_bytes"].astype(float).ge(OTHER_SHARE * moved) & (moved > 0),
            "busy": tests["cpu_percent"].astype(float) > CPU_PERCENT,
            "above-link": _above_link(tests),
            "other-provider": _through_another(tests["isp"], expected),
            "far-server": tests["server_d"].astype(float) > FAR_KILOMETRES,
        },
        index=tests.index,
    ).astype(bool)


def _through_another(isp: pd.Series, expected: Sequence[str]) -> pd.Series:
    others = [name for name in isp.dropna().unique() if not is_expected(str(name), expected)]
    return isp.isin(others)


def _above_link(tests: pd.DataFrame) -> pd.Series:
    fastest = tests[["download_mbps", "upload_mbps"]].astype(float).max(axis=1)
    is_cable = tests["link"].eq("ethernet").fillna(value=False)
    return is_cable & (fastest > ABOVE_LINK * tests["link_mbps"].astype(float))
