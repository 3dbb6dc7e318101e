"""What the watch saw of a line over a period: outages to the second, availability, latency and loss between tests.

An outage is a row of its own. How long the line was watched, and how long it was down, stands in each slot's first row.
"""

from array import array
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pandas as pd

from speedtest.figures import calendar
from speedtest.figures.slots import Outage

MOST_OUTAGES = 20
MOST_MONTHS = 120
SHORT_SECONDS = (60, 300, 3600)
"""Outages shorter than one, five and sixty minutes are counted."""
_WORDS_SHOWN = 3
_BEFORE = timedelta(minutes=1)
_PROBED = ("probe_latency_ms", "probe_latency_p95_ms", "router_latency_ms")


class OutageSum(msgspec.Struct, frozen=True):
    """The outages of one place, or of one month (`YYYY-MM`, local time): their number and their seconds."""

    name: str
    outages: int
    seconds: float


class ProbeBin(msgspec.Struct, frozen=True):
    """What the probes of one bin say."""

    start: datetime
    latency_ms: float | None
    """The median of the slots' medians; the next two likewise."""
    latency_p95_ms: float | None
    router_latency_ms: float | None
    loss_percent: float | None
    watched_seconds: float
    down_seconds: float


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What the watch saw."""

    watched_seconds: float
    down_seconds: float
    availability_percent: float | None
    """In percent, 1 - down ÷ watched. Null if no slot's row says that the line was watched."""
    outages_in_all: int
    outage_seconds: float
    by_place: list[OutageSum]
    by_month: list[OutageSum]
    shorter: dict[int, int]
    """How many outages were shorter than so many seconds."""
    probes_sent: int
    probes_lost: int
    bins: list[ProbeBin]


class WatchTally:
    """What the watch saw in rows that come piece by piece."""

    def __init__(self, width: int) -> None:
        """Start without rows. `width`: that of a bin, in seconds."""
        self._width = width
        self._watched = self._down = 0.0
        self._sent = self._lost = 0
        self._outages: list[Outage] = []
        self._months: list[str] = []
        self._said: list[pd.DataFrame] = []
        self._sums: defaultdict[int, np.ndarray] = defaultdict(lambda: np.zeros(4))
        """By bin: watched and down seconds, probes sent and lost."""
        self._bins = array("q")
        self._numbers = {name: array("f") for name in _PROBED}

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows that are newer than all before."""
        self._add_outages(rows[rows["status"] == "outage"])
        tests = rows[(rows["status"] == "failed") & (rows["line"] == "down")]
        self._said.append(tests.loc[:, ["timestamp", "error"]])
        seen = rows[rows["watched_seconds"].notna()]
        if seen.empty:
            return
        bins = calendar.bins(seen, self._width)
        columns = ["watched_seconds", "down_seconds", "probes_sent", "probes_lost"]
        sums = seen[columns].astype(float).fillna(0.0)
        for bin_, members in sums.groupby(bins):
            self._sums[int(bin_)] += members.sum().to_numpy()
        self._bins.extend(bins.tolist())
        for name, numbers in self._numbers.items():
            numbers.extend(seen[name].astype(float).tolist())

    def _add_outages(self, rows: pd.DataFrame) -> None:
        months = calendar.months(rows)
        for row, month in zip(rows.to_dict("records"), months, strict=True):
            start = row["timestamp"].to_pydatetime()
            end = start + timedelta(seconds=_known(row["duration_seconds"], 0.0))
            self._outages.append(
                Outage(
                    start=start,
                    last=end,
                    end=end,
                    slots=0,
                    words=[words] if (words := _known(row["error"], "")) else [],
                    place=_known(row["error_kind"], "unknown-place"),
                    exact_seconds=_known(row["interval_seconds"], None),
                )
            )
            self._months.append(calendar.name(month))

    @property
    def outages(self) -> int:
        """How many outages the watch saw."""
        return len(self._outages)

    def untold(self, found: pd.DataFrame) -> pd.DataFrame:
        """Return the outages that slots tell, without those that the watch saw as well.

        A daemon that starts in an outage makes its first test before the watch knows.
        """
        told = pd.Series(data=False, index=found.index)
        for each in self._outages:
            told |= (found["start"] >= each.start - _BEFORE) & (found["start"] <= each.last)
        return found[~told]

    def longest(self, most: int) -> list[Outage]:
        """Return the longest outages, with what tests said meanwhile."""
        chosen = sorted(self._outages, key=lambda outage: (outage.seconds, outage.start), reverse=True)[:most]
        tests = pd.concat(self._said) if chosen else pd.DataFrame()
        return [self._with_words(each, tests) for each in chosen]

    def _with_words(self, outage: Outage, tests: pd.DataFrame) -> Outage:
        said = tests[(tests["timestamp"] >= outage.start) & (tests["timestamp"] <= outage.last)]["error"]
        words = [str(text) for text in said.value_counts().index[:_WORDS_SHOWN]]
        return msgspec.structs.replace(outage, slots=len(said), words=[*outage.words, *words])

    def watched(self, zone: ZoneInfo) -> Watched | None:
        """Return the figures of all rows; None if nobody watched. `zone`: where bins of days begin at midnight."""
        if not self._sums and not self._outages:
            return None
        watched, down, sent, lost = sum(self._sums.values(), np.zeros(4)).tolist()
        lengths = [outage.seconds for outage in self._outages]
        return Watched(
            watched_seconds=round(watched, 3),
            down_seconds=round(down, 3),
            availability_percent=100 * (1 - min(down / watched, 1)) if watched else None,
            outages_in_all=len(lengths),
            outage_seconds=round(sum(lengths), 3),
            by_place=_sums([outage.place or "" for outage in self._outages], lengths),
            by_month=sorted(_sums(self._months, lengths), key=lambda each: each.name)[-MOST_MONTHS:],
            shorter={limit: sum(length < limit for length in lengths) for limit in SHORT_SECONDS},
            probes_sent=int(sent),
            probes_lost=int(lost),
            bins=[self._bin(bin_, zone) for bin_ in sorted(self._sums)],
        )

    def _bin(self, bin_: int, zone: ZoneInfo) -> ProbeBin:
        watched, down, sent, lost = self._sums[bin_].tolist()
        places = np.flatnonzero(np.asarray(self._bins) == bin_)
        latency, p95, router = (_median(np.asarray(numbers)[places]) for numbers in self._numbers.values())
        return ProbeBin(
            start=calendar.start(bin_, self._width, zone),
            latency_ms=latency,
            latency_p95_ms=p95,
            router_latency_ms=router,
            loss_percent=100 * lost / sent if sent else None,
            watched_seconds=round(watched, 3),
            down_seconds=round(down, 3),
        )


def _known[Value](value: Any, otherwise: Value) -> Value:  # noqa: ANN401 (a value of a table)
    """Return a value of a table; something else if it is missing, as in a row of another program."""
    return otherwise if pd.isna(value) else value


def _sums(names: list[str], lengths: list[float]) -> list[OutageSum]:
    """Return the number and the length of the outages by name, the most frequent name first."""
    counts, seconds = Counter(names), Counter[str]()
    for name, length in zip(names, lengths, strict=True):
        seconds[name] += length  # pyrefly: ignore[unsupported-operation]
    return [OutageSum(name, number, round(float(seconds[name]), 3)) for name, number in counts.most_common()]


def _median(numbers: np.ndarray) -> float | None:
    there = numbers[~np.isnan(numbers)]
    return float(np.median(there)) if there.size else None
