"""Through which providers the tests went, and when that changed: by the names and addresses that the programs saw.

Programs write the name of one provider differently, so a change is one between two tests of the same program.
"""

from collections.abc import Hashable, Iterator
from datetime import datetime
from typing import Any

import msgspec
import pandas as pd

MOST_PROVIDERS = 20
MOST_CHANGES = 20
MOST_ADDRESSES = 5


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """The tests through one provider, with or without a tunnel."""

    isp: str
    vpn: bool
    """Whether the program saw a tunnel. Programs that do not look for one count as false."""
    tests: int
    first: datetime
    last: datetime
    addresses: list[str]
    """The external addresses, the newest first."""
    addresses_in_all: int


class ProviderChange(msgspec.Struct, frozen=True, kw_only=True):
    """Two tests of one program in a row that went through different providers."""

    last_before: datetime
    """The last test through the old one."""
    first_after: datetime
    """The first test through the new one."""
    engine: str | None
    before: str
    after: str
    vpn_before: bool
    vpn_after: bool


class Providers(msgspec.Struct, frozen=True, kw_only=True):
    """The providers of a line over a period."""

    found: list[Provider]
    """The one with the most tests first."""
    found_in_all: int
    changes: list[ProviderChange]
    """The newest first."""
    changes_in_all: int
    address_changes: int
    """How often the external address changed, from one test of a program to its next through the same provider."""
    unnamed: int
    """Tests that name no provider: failed ones, and those of programs that do not know it."""


def of(rows: pd.DataFrame) -> Providers:
    """Return the providers of these rows. Needs the columns of `figures.rows`, in time order."""
    tests = rows.loc[rows["status"].isin(("ok", "failed")), ["timestamp", "engine", "isp", "external_ip", "vpn"]]
    named = tests[tests["isp"].notna()]
    named = named.assign(vpn=named["vpn"].fillna(value=False).astype(bool), engine=named["engine"].fillna(""))
    before = named.groupby("engine")[["timestamp", "isp", "vpn", "external_ip"]].shift()
    is_other = before["isp"].notna() & ((named["isp"] != before["isp"]) | (named["vpn"] != before["vpn"]))
    addresses = named["external_ip"].notna() & before["external_ip"].notna() & ~is_other
    changes = named[is_other].join(before[is_other].add_suffix("_before")).tail(MOST_CHANGES)
    found = list(_found(named))
    return Providers(
        found=sorted(found, key=lambda each: (-each.tests, each.isp))[:MOST_PROVIDERS],
        found_in_all=len(found),
        changes=[_change(row) for row in changes.to_dict("records")][::-1],
        changes_in_all=int(is_other.sum()),
        address_changes=int((addresses & (named["external_ip"] != before["external_ip"])).sum()),
        unnamed=len(tests) - len(named),
    )


def _found(named: pd.DataFrame) -> Iterator[Provider]:
    for (isp, vpn), members in named.groupby(["isp", "vpn"]):
        addresses = members["external_ip"].dropna().iloc[::-1].unique()
        yield Provider(
            isp=str(isp),
            vpn=bool(vpn),
            tests=len(members),
            first=members["timestamp"].iloc[0].to_pydatetime(),
            last=members["timestamp"].iloc[-1].to_pydatetime(),
            addresses=[str(address) for address in addresses[:MOST_ADDRESSES]],
            addresses_in_all=len(addresses),
        )


def _change(row: dict[Hashable, Any]) -> ProviderChange:
    return ProviderChange(
        last_before=row["timestamp_before"].to_pydatetime(),
        first_after=row["timestamp"].to_pydatetime(),
        engine=row["engine"] or None,
        before=row["isp_before"],
        after=row["isp"],
        vpn_before=bool(row["vpn_before"]),
        vpn_after=bool(row["vpn"]),
    )
