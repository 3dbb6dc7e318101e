"""Which rows may count, decided without a look at any speed.

1. Successful tests of a slot. Those made by hand, at a moment that somebody chose, do not count.
2. Of a slot, the first successful attempt. A later one follows a low speed and must neither replace it nor join it.
3. Of one engine, the one with most of these, or the one that is asked for.
4. Not what is known to be unfit: over Wi-Fi, a cellular network or a tunnel, beside other traffic, on a busy machine,
   on a link slower than the contract, through another provider than `EXPECT_ISP`. The thresholds are those of
   `values.thresholds`. Unknown is not unfit.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from speedtest.values.names import is_expected
from speedtest.values.thresholds import CPU_PERCENT, OTHER_SHARE
from speedtest.verdicts.contract import DIRECTIONS, Contract, Direction, Speeds
from speedtest.verdicts.rows import NEVER, Indices, LineRows, Mask

REASONS = (
    "failed",
    "skipped",
    "once",
    "no_zone",
    "retest",
    "other_engine",
    "wifi",
    "cellular",
    "vpn",
    "busy",
    "other_traffic",
    "slow_link",
    "other_provider",
    "no_figure",
)
"""Why a row does not count, the first that is true. They are the fields of `types.Excluded`."""
FIT = -1


class Filtered(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that count, and why the others do not."""

    fit: Indices
    """In the order of their starts."""
    reason: NDArray[np.int8]
    """For each row a place in REASONS, or FIT."""
    engine: str | None
    """The engine whose tests count; None if there is no test."""
    measured: tuple[Direction, ...]
    """The directions that some of these tests measured; both if no test counts at all."""


def fit(rows: LineRows, contract: Contract, engine: str | None) -> Filtered:
    """Return which rows count."""
    reason = np.full(len(rows), FIT, np.int8)

    def exclude(name: str, which: Mask) -> None:
        reason[(reason == FIT) & which] = REASONS.index(name)

    exclude("skipped", rows.status.equal("skipped"))
    exclude("failed", ~rows.status.equal("ok"))
    exclude("once", rows.slot == NEVER)
    exclude("no_zone", rows.zone.codes < 0)
    exclude("retest", ~_first_of_slot(rows, reason == FIT))
    chosen = engine or _most(rows, reason == FIT)
    exclude("other_engine", ~rows.engine.equal(chosen or ""))
    for name, which in _unfit(rows, contract).items():
        exclude(name, which)
    directions = _measured(rows, reason == FIT)
    for direction in directions:
        if contract.speeds(direction) != Speeds():
            exclude("no_figure", np.isnan(rows.speed(direction)))
    return Filtered(fit=np.flatnonzero(reason == FIT), reason=reason, engine=chosen, measured=directions)


def _measured(rows: LineRows, good: Mask) -> tuple[Direction, ...]:
    """Return the directions that at least one of these tests measured; both if there is no test."""
    if not good.any():
        return DIRECTIONS
    return tuple(each for each in DIRECTIONS if not np.isnan(rows.speed(each)[good]).all())


def _first_of_slot(rows: LineRows, good: Mask) -> Mask:
    """Return which of the good tests is the first of its slot: by attempt, then by start."""
    places = np.flatnonzero(good)
    order = places[np.lexsort((rows.start[places], rows.attempt[places], rows.slot[places]))]
    slots = rows.slot[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = slots[1:] != slots[:-1]
    found = np.zeros(len(rows), bool)
    found[order[is_first]] = True
    return found


def _most(rows: LineRows, candidates: Mask) -> str | None:
    """Return the engine with most of these rows, of several the first by name."""
    codes = rows.engine.codes[candidates]
    counts = np.bincount(codes[codes >= 0], minlength=len(rows.engine.names))
    named = sorted(zip(-counts, rows.engine.names, strict=True))
    return named[0][1] if named and named[0][0] < 0 else None


def _unfit(rows: LineRows, contract: Contract) -> dict[str, Mask]:
    """Return by reason which rows are known to be unfit. Comparing with NaN, which is unknown, is false."""
    return {
        "wifi": rows.link.equal("wifi"),
        "cellular": rows.link.equal("cellular"),
        "vpn": rows.link.equal("tunnel") | rows.is_vpn,
        "busy": rows.cpu > CPU_PERCENT,
        "other_traffic": (rows.other >= OTHER_SHARE * rows.moved) & (rows.moved > 0),
        "slow_link": rows.link_mbps < fastest(contract),
        "other_provider": _through_another(rows, contract),
    }


def _through_another(rows: LineRows, contract: Contract) -> Mask:
    """Return which tests tell a provider that is not the expected one, such as that of a failover."""
    return rows.isp.equal(*(name for name in rows.isp.names if not is_expected(name, contract.expected_isps)))


def fastest(contract: Contract) -> float:
    """Return the highest maximum of the contract, else its highest figure, else 0: a slower link cannot show it."""
    both = [contract.speeds(direction) for direction in DIRECTIONS]
    maxima = [speeds.maximum for speeds in both if speeds.maximum]
    others = [
        figure
        for speeds in both
        for figure in (speeds.normal, speeds.minimum, speeds.advertised, speeds.required)
        if figure
    ]
    return max(maxima or others, default=0.0)
