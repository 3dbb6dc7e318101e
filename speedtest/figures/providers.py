"""Through which providers the tests went, and when that changed: by the names and addresses that the programs saw.

Programs write the name of one provider differently, so a change is one between two tests of the same program.
"""

from collections import deque
from collections.abc import Hashable
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


class _Through(msgspec.Struct):
    """The tests through one provider so far."""

    first: datetime
    last: datetime
    tests: int = 0
    addresses: dict[str, None] = {}
    """The one seen last comes last."""


class ProviderTally:
    """The providers of rows that come piece by piece."""

    def __init__(self) -> None:
        """Start without rows."""
        self._found: dict[tuple[str, bool], _Through] = {}
        self._last: pd.DataFrame | None = None
        """The last test of each program that names its provider."""
        self._changes: deque[ProviderChange] = deque(maxlen=MOST_CHANGES)
        self._changes_in_all = self._address_changes = self._unnamed = 0

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows that are newer than all before, with the columns of `figures.rows`."""
        tests = rows.loc[rows["status"].isin(("ok", "failed")), ["timestamp", "engine", "isp", "external_ip", "vpn"]]
        named = tests[tests["isp"].notna()]
        named = named.assign(vpn=named["vpn"].fillna(value=False).astype(bool), engine=named["engine"].fillna(""))
        self._unnamed += len(tests) - len(named)
        self._add_found(named)
        self._add_changes(named)

    def providers(self) -> Providers:
        """Return the providers of all rows."""
        found = [_provider(isp, each, vpn=vpn) for (isp, vpn), each in self._found.items()]
        return Providers(
            found=sorted(found, key=lambda each: (-each.tests, each.isp, each.vpn))[:MOST_PROVIDERS],
            found_in_all=len(found),
            changes=list(reversed(self._changes)),
            changes_in_all=self._changes_in_all,
            address_changes=self._address_changes,
            unnamed=self._unnamed,
        )

    def _add_found(self, named: pd.DataFrame) -> None:
        for (isp, vpn), members in named.groupby(["isp", "vpn"]):
            first, last = (members["timestamp"].iloc[place].to_pydatetime() for place in (0, -1))
            each = self._found.setdefault((str(isp), bool(vpn)), _Through(first, last))
            each.tests += len(members)
            each.last = last
            for address in members["external_ip"].dropna().drop_duplicates(keep="last"):
                each.addresses.pop(str(address), None)
                each.addresses[str(address)] = None

    def _add_changes(self, named: pd.DataFrame) -> None:
        known = 0 if self._last is None else len(self._last)
        joined = pd.concat([named] if self._last is None else [self._last, named], ignore_index=True)
        before = joined.groupby("engine")[["timestamp", "isp", "vpn", "external_ip"]].shift().iloc[known:]
        self._last, named = joined.groupby("engine").tail(1), joined.iloc[known:]
        is_other = before["isp"].notna() & ((named["isp"] != before["isp"]) | (named["vpn"] != before["vpn"]))
        addresses = named["external_ip"].notna() & before["external_ip"].notna() & ~is_other
        self._changes_in_all += int(is_other.sum())
        self._address_changes += int((addresses & (named["external_ip"] != before["external_ip"])).sum())
        changes = named[is_other].join(before[is_other].add_suffix("_before")).tail(MOST_CHANGES)
        self._changes.extend(_change(row) for row in changes.to_dict("records"))


def _provider(isp: str, through: _Through, *, vpn: bool) -> Provider:
    return Provider(
        isp=isp,
        vpn=vpn,
        tests=through.tests,
        first=through.first,
        last=through.last,
        addresses=list(reversed(through.addresses))[:MOST_ADDRESSES],
        addresses_in_all=len(through.addresses),
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
