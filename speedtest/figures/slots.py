"""What happened in each slot: successful, failed, skipped, or no row because the daemon was off. And the outages.

A slot is `ok` if one of its tests was, else `failed` if a test was made, else `skipped`. Rows without a slot (measured
by hand, or by the original program) are not counted here.

A failed slot is not always a line that is down. `timeout`, `exit` and `no-output` are what a dead line makes. After
`rate-limited` or `server-busy` the line was up, because a server answered. All other kinds say nothing about the line,
`refused` neither: a router may refuse in the server's place.

Where the watch saw the line, it decides: a test that failed while the line was up is not the line's failure, and
outages are those that the watch saw (see `figures.watched`), not slots in a row.

A slot without a row is known by its gap: the two slots around it are at least `_GAP` intervals apart. If
`SLEEP_JITTER_SECONDS` is more than a third of the interval, a single missing slot may go unnoticed. Where slots come at
irregular times, as with `SAMPLING=stratified`, two that follow each other may be almost two intervals apart, so there a
gap is longer than that, and half of the single missing slots go unnoticed.
"""

import math
from array import array
from collections import Counter
from datetime import datetime

import msgspec
import numpy as np
import pandas as pd

from speedtest.figures.coded import Coded

_GAP, _GAP_OF_IRREGULAR = 1.9, 2.05
_IRREGULAR = 0.1
"""Slots are irregular if the times between those around are this far from a whole number of intervals (median)."""
_AROUND = np.array([each for each in range(-6, 7) if each])
_OK, _ANSWERED, _DOWN, _UNCLEAR, _SKIPPED = range(5)
"""What an attempt says. The lowest of a slot's attempts decides."""
_STATES = {"ok": _OK, "failed": _UNCLEAR, "skipped": _SKIPPED}
_OF_A_DEAD_LINE = ("timeout", "exit", "no-output")
_OF_A_SERVER_THAT_ANSWERED = ("rate-limited", "server-busy")
STATUSES = ("ok", "failed", "skipped")
"""A row with another status, or with none, says nothing of a slot. An outage that the watch saw is no slot."""
_WORDS_SHOWN = 3
_INSTANTS = "datetime64[us, UTC]"


class Slots(msgspec.Struct, kw_only=True):
    """The number of slots, each counted once."""

    ok: int = 0
    failed: int = 0
    down: int = 0
    """Of the failed slots, those that failed as they do when the line is down: timeout, exit, no-output."""
    skipped: int = 0
    not_measured: int = 0
    """Slots without a row, because the daemon was off."""
    skipped_by_kind: dict[str, int] = {}

    @property
    def due(self) -> int:
        """The number of all slots."""
        return self.ok + self.failed + self.skipped + self.not_measured

    @property
    def tested(self) -> int:
        """The number of slots with a test."""
        return self.ok + self.failed

    @property
    def uptime_percent(self) -> float | None:
        """The uptime in percent: slots with a successful test ÷ slots with any test. None if no slot has a test."""
        return 100 * self.ok / self.tested if self.tested else None


class Outage(msgspec.Struct, kw_only=True):
    """Slots in a row whose tests failed as they do when the line is down.

    Slots between them that were skipped, or whose failure says nothing about the line, do not count, and do not end it.
    """

    start: datetime
    """The first slot that failed."""
    last: datetime
    """The last slot that failed."""
    end: datetime | None
    """The next slot in which a server answered. None if slots without a row, or the end of the period, come first."""
    slots: int
    words: list[str] = []
    """The programs' error messages, each once, the most frequent first. Before them, what the watch saw."""
    place: str | None = None
    """Where the line was broken; None if nobody watched, and slots that failed tell the outage."""
    exact_seconds: float | None = None
    """How much earlier it may have begun, if the watch saw it."""

    @property
    def seconds(self) -> float:
        """The length in seconds: up to `end`, or up to `last` if the end is unknown."""
        return ((self.end or self.last) - self.start).total_seconds()


def by_slot(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a table of the slots, in time order.

    Columns: `slot`, `state`, `interval` (seconds), `kind`, `watched` (whether the watch saw the line), and `missing`
    (the slots without a row after this one).
    """
    return _with_missing(_each_once(rows))


class SlotTally:
    """The slots of rows that come piece by piece. Of each slot, 13 bytes are kept."""

    def __init__(self) -> None:
        """Start without rows."""
        self._slots = array("q")
        self._states = array("b")
        self._others = Coded[tuple[float, str, bool]]()
        """Interval, kind and whether it was watched; 0 and "" if there is none."""
        self._dead: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows that are newer than all before. Attempts of one slot may come in several pieces."""
        slots = _each_once(rows)
        self._slots.frombytes(slots["slot"].astype(_INSTANTS).astype("int64").to_numpy().tobytes())
        self._states.frombytes(slots["state"].to_numpy().tobytes())
        self._others.extend(zip(slots["interval"].fillna(0), slots["kind"].fillna(""), slots["watched"], strict=True))
        is_dead = (rows["status"] == "failed") & rows["slot"].notna() & rows["error_kind"].isin(_OF_A_DEAD_LINE)
        self._dead.append(rows.loc[is_dead, ["slot", "error"]])

    def table(self) -> pd.DataFrame:
        """Return the table that `by_slot` makes of all rows."""
        slots, states, codes = np.asarray(self._slots), np.asarray(self._states), np.asarray(self._others.codes)
        if not (slots[1:] > slots[:-1]).all():  # sorting ten years takes 20 MiB, and is rarely needed
            order = np.lexsort((states, slots))
            order = order[np.concatenate([[True], np.diff(slots[order]) > 0])]
            slots, states, codes = slots[order], states[order], codes[order]
        others = self._others.values()
        intervals = np.array([interval or math.nan for interval, _, _ in others], float)
        kinds = pd.Categorical([kind or None for _, kind, _ in others])
        watched = np.array([watched for _, _, watched in others], bool)
        return _with_missing(
            pd.DataFrame(
                {
                    "slot": pd.DatetimeIndex(slots.view("datetime64[us]"), tz="UTC"),
                    "state": states,
                    "interval": intervals[codes],
                    "kind": kinds.take(codes),
                    "watched": watched[codes],
                }
            )
        )

    def failed(self) -> pd.DataFrame:
        """Return `slot` and `error` of the tests that failed as they do when the line is down. Needs a piece."""
        return pd.concat(self._dead)


def _each_once(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each slot of these rows once, with the attempt that decides about it."""
    columns = ["slot", "status", "interval_seconds", "error_kind", "line"]
    there = rows.loc[rows["slot"].notna() & rows["status"].isin(_STATES.keys()), columns]
    lines = there.assign(state=_says(there)).sort_values(["slot", "state"], kind="stable").drop_duplicates("slot")
    interval = lines["interval_seconds"].where(lines["interval_seconds"] > 0)
    return pd.DataFrame(
        {
            "slot": lines["slot"].array,
            "state": lines["state"].to_numpy(np.int8),
            "interval": interval.array,
            "kind": lines["error_kind"].array,
            "watched": lines["line"].notna().to_numpy(),
        }
    )


def _with_missing(slots: pd.DataFrame) -> pd.DataFrame:
    times = slots["slot"].astype(_INSTANTS).astype("int64").to_numpy()
    apart = np.diff(times, append=times[-1:]) / 1e6  # all in place, because ten years have 525,600 slots
    apart /= slots["interval"].to_numpy()
    is_gap = apart >= _GAP
    is_gap[_of_irregular(apart)] = False
    np.round(apart, out=apart)
    apart -= 1
    slots["missing"] = np.where(is_gap, apart, 0).astype(int)
    return slots


def _of_irregular(apart: np.ndarray) -> np.ndarray:
    """Return the places of gaps that are none where slots are irregular. `apart`: in intervals, the last one is 0."""
    doubtful = np.flatnonzero((apart >= _GAP) & (apart < _GAP_OF_IRREGULAR))
    last = len(apart) - 2
    if not doubtful.size or last < 1:
        return doubtful[:0]
    around = apart[np.clip(doubtful[:, None] + _AROUND, 0, last)]
    return doubtful[np.median(np.abs(around - np.round(around)), axis=1) > _IRREGULAR]


def _says(rows: pd.DataFrame) -> pd.Series:
    """Return what each row says about the line. Each row must have a status of `_STATES`."""
    kinds = rows["error_kind"].where(rows["status"] == "failed")
    says = rows["status"].astype(object).map(_STATES).astype(int)
    line = rows["line"].where(rows["status"] == "failed")
    says = says.mask((kinds.isin(_OF_A_DEAD_LINE) & (line != "up")) | (line == "down"), _DOWN)
    return says.mask(kinds.isin(_OF_A_SERVER_THAT_ANSWERED), _ANSWERED)


def in_a_row(rows: pd.DataFrame) -> tuple[int | None, int | None]:
    """Return how many slots failed since the last successful one, and how many since then as on a dead line.

    A test without a slot counts as a slot of its own. The second number starts anew when a server answers. Both are
    None if there is no test.
    """
    tests = rows[rows["status"].isin(("ok", "failed"))]
    if tests.empty:
        return None, None
    keyed = pd.DataFrame({"slot": tests["slot"].fillna(tests["timestamp"]), "says": _says(tests)})
    says = keyed.groupby("slot")["says"].min().to_numpy()[::-1]
    failed = _first(says == _OK)
    return failed, int((says[: min(failed, _first(says == _ANSWERED))] == _DOWN).sum())


def _first(found: np.ndarray) -> int:
    """Return the place of the first True, the length if there is none."""
    return int(found.argmax()) if found.any() else len(found)


def is_of_a_dead_line(error_kind: str | None) -> bool:
    """Return whether a failure of this kind is one that a dead line makes."""
    return error_kind in _OF_A_DEAD_LINE


def count(slots: pd.DataFrame, since: datetime | None, until: datetime) -> Slots:
    """Count the slots from `since` to `until`, with those that have no row.

    Pass None as `since` if nobody measured before the first slot.
    """
    if slots.empty:
        return Slots()
    skipped = slots[slots["state"] == _SKIPPED]
    return Slots(
        ok=int((slots["state"] == _OK).sum()),
        failed=int(slots["state"].between(_ANSWERED, _UNCLEAR).sum()),
        down=int((slots["state"] == _DOWN).sum()),
        skipped=len(skipped),
        not_measured=int(slots["missing"].sum())
        + _slots_between(slots.iloc[-1], until)
        + (_slots_between(slots.iloc[0], since) if since else 0),
        skipped_by_kind=dict(Counter(skipped["kind"].dropna()).most_common()),
    )


def _slots_between(line: pd.Series, instant: datetime) -> int:
    """Return how many slots lie between a slot and an instant, without one that may still be measured."""
    seconds = abs((instant - line["slot"]).total_seconds())
    return max(0, int(seconds / line["interval"] - 0.5)) if line["interval"] > 0 else 0


def outages(slots: pd.DataFrame) -> pd.DataFrame:
    """Return every outage that nobody watched, oldest first: `start`, `last`, `end` and `slots` of `Outage`."""
    telling = slots[(slots["state"] <= _DOWN) & ~(slots["watched"] & (slots["state"] == _DOWN))]
    down = (telling["state"] == _DOWN).to_numpy()
    gaps = _gap_follows(slots, telling)
    joined = down[:-1] & down[1:] & ~gaps[:-1]
    firsts = np.flatnonzero(down & ~np.concatenate([[False], joined])[: len(down)])
    lasts = np.flatnonzero(down & ~np.concatenate([joined, [False]])[: len(down)])
    instants = telling["slot"].reset_index(drop=True)
    ends = instants.shift(-1).mask(gaps)
    return pd.DataFrame(
        {
            "start": instants[firsts].array,
            "last": instants[lasts].array,
            "end": ends[lasts].array,
            "slots": lasts - firsts + 1,
        }
    )


def _gap_follows(slots: pd.DataFrame, telling: pd.DataFrame) -> np.ndarray:
    """Return for each of these slots whether slots without a row follow before the next of these."""
    missing = slots["missing"].cumsum().shift(1, fill_value=0)
    before = missing.loc[telling.index].to_numpy()
    return np.concatenate([np.diff(before) > 0, [False]])[: len(telling)]


def longest(found: pd.DataFrame, most: int, failed: pd.DataFrame) -> list[Outage]:
    """Return the `most` longest of these outages, newest first, with their `words` from `SlotTally.failed`."""
    seconds = found["end"].fillna(found["last"]) - found["start"]
    chosen = found.assign(seconds=seconds).sort_values(["seconds", "slots", "start"]).tail(most)
    return [
        Outage(
            start=start.to_pydatetime(),
            last=last.to_pydatetime(),
            end=None if end is pd.NaT else end.to_pydatetime(),
            slots=number,
            words=_words(failed[failed["slot"].between(start, last)]),
        )
        for start, last, end, number in chosen.sort_values("start", ascending=False)[
            ["start", "last", "end", "slots"]
        ].itertuples(index=False)
    ]


def _words(failed: pd.DataFrame) -> list[str]:
    return [str(text) for text in failed["error"].value_counts().index[:_WORDS_SHOWN]]
