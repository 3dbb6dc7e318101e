"""What became of every slot: measured, failed, skipped, or nothing at all because no daemon ran; and the outages.

A slot is `ok` if one of its attempts was, else `failed` if one was made, else `skipped`. Rows without a slot (measured
by hand, or by the original program) are tests, but they are no part of this.

A slot that has no row is known by the gap it leaves: two neighbours further apart than `_GAP` intervals. Where
`SLEEP_JITTER_SECONDS` is more than a third of the interval a single one may stay unseen.
"""

from datetime import datetime

import msgspec
import numpy as np
import pandas as pd

_GAP = 1.9
_OK, _FAILED, _SKIPPED = range(3)
_STATES = {"ok": _OK, "failed": _FAILED, "skipped": _SKIPPED}
_WORDS_SHOWN = 3


class Slots(msgspec.Struct, kw_only=True):
    """How many slots there were, each counted once."""

    ok: int = 0
    failed: int = 0
    skipped: int = 0
    not_measured: int = 0
    """Slots that no daemon was there for."""
    skipped_by_kind: dict[str, int] = {}

    @property
    def due(self) -> int:
        """All of them."""
        return self.ok + self.failed + self.skipped + self.not_measured

    @property
    def availability(self) -> float | None:
        """The share of good ones, of those in which a test was made, in percent."""
        tested = self.ok + self.failed
        return 100 * self.ok / tested if tested else None


class Outage(msgspec.Struct, kw_only=True):
    """Slots in a row that failed; skipped ones between them neither end nor prove it."""

    start: datetime
    """The first slot that failed,"""
    last: datetime
    """the last one,"""
    end: datetime | None
    """and the first good one after it; None if no good one followed before measuring paused or the period ended."""
    slots: int
    words: list[str] = []
    """What the programs said, each once, the most frequent first."""

    @property
    def seconds(self) -> float:
        """How long it took, as far as it was seen."""
        return ((self.end or self.last) - self.start).total_seconds()


def by_slot(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each slot, in order: `slot`, `state`, `interval` (seconds), `kind` and `missing` after it."""
    columns = ["slot", "status", "interval_seconds", "error_kind"]
    there = rows.loc[rows["slot"].notna() & rows["status"].isin(_STATES.keys()), columns]
    state = there["status"].astype(object).map(_STATES).astype(int)
    lines = there.assign(state=state).sort_values(["slot", "state"], kind="stable").drop_duplicates("slot")
    interval = lines["interval_seconds"].where(lines["interval_seconds"] > 0)
    slots = pd.DataFrame(
        {
            "slot": lines["slot"].array,
            "state": lines["state"].array,
            "interval": interval.array,
            "kind": lines["error_kind"].array,
        }
    )
    apart = slots["slot"].diff().shift(-1).dt.total_seconds() / slots["interval"]
    slots["missing"] = np.where(apart >= _GAP, np.round(apart) - 1, 0).astype(int)
    return slots


def count(slots: pd.DataFrame, since: datetime | None, until: datetime) -> Slots:
    """Count slots, and those missing from `since` (None: nobody measured before the first one) to `until`."""
    if slots.empty:
        return Slots()
    skipped = slots[slots["state"] == _SKIPPED]
    return Slots(
        ok=int((slots["state"] == _OK).sum()),
        failed=int((slots["state"] == _FAILED).sum()),
        skipped=len(skipped),
        not_measured=int(slots["missing"].sum())
        + _passed(slots.iloc[-1], until)
        + (_passed(slots.iloc[0], since) if since else 0),
        skipped_by_kind={str(kind): int(number) for kind, number in skipped["kind"].value_counts().items()},
    )


def _passed(line: pd.Series, instant: datetime) -> int:
    """Return how many slots lie between one and an instant; the latest may still be measured."""
    seconds = abs((instant - line["slot"]).total_seconds())
    return max(0, int(seconds / line["interval"] - 0.5)) if line["interval"] > 0 else 0


def outages(slots: pd.DataFrame) -> list[Outage]:
    """Return every streak of failed slots, oldest first, without its words."""
    tested = slots[slots["state"] != _SKIPPED]
    if tested.empty:
        return []
    failed = (tested["state"] == _FAILED).to_numpy()
    paused = _paused(slots, tested)
    joined = failed[:-1] & failed[1:] & ~paused[:-1]
    firsts = np.flatnonzero(failed & ~np.concatenate([[False], joined]))
    lasts = np.flatnonzero(failed & ~np.concatenate([joined, [False]]))
    instants = tested["slot"].dt.to_pydatetime().tolist()
    return [
        Outage(
            start=instants[first],
            last=instants[last],
            end=instants[last + 1] if last + 1 < len(instants) and not paused[last] else None,
            slots=last - first + 1,
        )
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]


def _paused(slots: pd.DataFrame, tested: pd.DataFrame) -> np.ndarray:
    """Say of each tested slot whether slots without any row follow before the next tested one."""
    missing = slots["missing"].cumsum().shift(1, fill_value=0)
    before = missing.loc[tested.index].to_numpy()
    return np.concatenate([np.diff(before) > 0, [False]])


def longest(found: list[Outage], most: int, rows: pd.DataFrame) -> list[Outage]:
    """Return the longest outages, the newest first, with the words of their rows."""
    chosen = sorted(found, key=lambda outage: (outage.seconds, outage.slots, outage.start), reverse=True)[:most]
    failed = rows[(rows["status"] == "failed") & rows["slot"].notna()]
    return [
        msgspec.structs.replace(outage, words=_words(failed[failed["slot"].between(outage.start, outage.last)]))
        for outage in sorted(chosen, key=lambda outage: outage.start, reverse=True)
    ]


def _words(failed: pd.DataFrame) -> list[str]:
    return [str(text) for text in failed["error"].value_counts().index[:_WORDS_SHOWN]]
