"""The figures of one line over a period. The report, the page and other systems show the same figures.

Speeds are Mbit/s (10^6 bit/s), latencies ms, losses percent, shares percent. Quantiles interpolate linearly between
neighbours, like DuckDB's `quantile_cont`. Engines measure differently, so each has its own figures. Hours, days, weeks
and months are those of `figures.calendar`.

The number of figures does not grow with the number of rows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd

from speedtest.figures import calendar, slots
from speedtest.figures.measured import MOST_SERVERS, EngineTally
from speedtest.figures.providers import ProviderTally
from speedtest.figures.quality import QualityTally
from speedtest.figures.rows import Pieces
from speedtest.figures.slots import Outage, Slots, SlotTally
from speedtest.figures.types import EngineFigures, Failures, Plan, Question, Summary
from speedtest.figures.watched import WatchTally
from speedtest.values.targets import SECOND_OPINIONS

MOST_BINS = 120
MOST_ENGINES = 6
MOST_OUTAGES = 20
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WIDTHS = (10 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)
_WIDTHS_IN_DAYS = (1, 2, 3, 7, 14, 30, 60, 91, 182, 365)


def summarise(pieces: Pieces, asked: Question, plan: Plan) -> Summary:
    """Return the figures that answer a question, computed from its rows. Raises the errors of `Rows.of`."""
    ends = pieces.ends()
    tally = _Tally(bin_width(ends, asked), QualityTally(plan.download_mbps, counted=asked.marked))
    for rows in pieces:
        tally.add(rows)
    return tally.summary(ends, asked, plan)


def bin_width(ends: tuple[datetime, datetime] | None, asked: Question) -> int:
    """Return the width of a bin in seconds, so that rows between these two fill at most `MOST_BINS` bins."""
    first, last = ends or (asked.since, asked.until)
    seconds = (last - first).total_seconds()
    widths = (*_WIDTHS, *(days * _DAY for days in _WIDTHS_IN_DAYS))
    return next((width for width in widths if seconds / width < MOST_BINS - 1), int(seconds // (MOST_BINS - 2)) + 1)


class _Failed:
    """The failed tests of one bin."""

    def __init__(self) -> None:
        self.tests = 0
        self.kinds: Counter[str] = Counter()


class _Tally:
    """What the rows so far add up to."""

    def __init__(self, width: int, quality: QualityTally) -> None:
        self._width = width
        self._quality = quality
        self._watch = WatchTally(width)
        self._rows = self._tests = self._by_hand = self._failed_by_hand = self._without_status = 0
        self._bytes = self._pieces = 0
        self._bytes_by_month: Counter[int] = Counter()
        self._kinds: Counter[str] = Counter()
        self._failed: defaultdict[int, _Failed] = defaultdict(_Failed)
        self._intervals: set[float] = set()
        self._timezones: dict[str, None] = {}
        """The newest comes last."""
        self._good: Counter[str] = Counter()
        self._tested: Counter[str] = Counter()
        self._engines: dict[str, EngineTally] = {}
        self._slots = SlotTally()
        self._providers = ProviderTally()

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows that are newer than all before."""
        self._pieces += 1
        self._watch.add(rows)
        rows = rows[rows["status"] != "outage"]
        tests, is_by_hand = rows[rows["status"].isin(("ok", "failed"))], rows["slot"].isna()
        self._rows += len(rows)
        self._tests += len(tests)
        self._by_hand += int(is_by_hand.sum())
        self._without_status += int((~rows["status"].isin(slots.STATUSES)).sum())
        self._bytes += int(rows["data_bytes"].sum())
        by_month = rows["data_bytes"].groupby(calendar.months(rows)).sum(min_count=1).dropna()
        self._bytes_by_month.update(dict(zip(by_month.index.tolist(), by_month.tolist(), strict=True)))
        self._intervals.update(rows["interval_seconds"].dropna().tolist())
        for zone in rows["timezone"].dropna().drop_duplicates(keep="last"):
            self._timezones.pop(zone, None)
            self._timezones[zone] = None
        self._slots.add(rows)
        self._providers.add(rows)
        bins = calendar.bins(tests, self._width)
        self._add_failed(tests[tests["status"] == "failed"], bins)
        self._good.update(tests.loc[tests["status"] == "ok", "engine"].dropna())
        self._tested.update(tests["engine"].dropna())
        left_out = self._quality.add(tests[tests["status"] == "ok"])
        for name, members in tests.groupby("engine", sort=False):
            self._engines.setdefault(str(name), EngineTally(str(name), self._width)).add(members, bins, left_out)

    def _add_failed(self, failed: pd.DataFrame, bins: pd.Series) -> None:
        self._failed_by_hand += int(failed["slot"].isna().sum())
        self._kinds.update(failed["error_kind"].dropna())
        for number, kinds in failed["error_kind"].groupby(bins):
            self._failed[int(number)].tests += len(kinds)
            self._failed[int(number)].kinds.update(kinds.dropna())

    def summary(self, ends: tuple[datetime, datetime] | None, asked: Question, plan: Plan) -> Summary:
        """Return the figures of all rows. `ends`: when the first and the last were made."""
        zone = calendar.zone(next(reversed(self._timezones), None))
        engines = list(self._of_engines(plan, zone))
        counted, outages, outages_in_all = self._of_slots(asked)
        watch = self._watch.watched(zone) if asked.isp is None else None
        of_watch = watch.availability_percent if watch else None
        return Summary(
            location=asked.location,
            since=asked.since,
            until=asked.until,
            rows=self._rows,
            tests=self._tests,
            failed=sum(each.tests for each in self._failed.values()),
            by_hand=self._by_hand,
            failed_by_hand=self._failed_by_hand,
            without_status=self._without_status,
            first=ends[0] if ends else None,
            last=ends[1] if ends else None,
            slots=counted,
            uptime_percent=counted.uptime_percent,
            availability_percent=counted.uptime_percent if of_watch is None else of_watch,
            availability_of=("slots" if counted.tested else None) if of_watch is None else "watch",
            watch=watch,
            quality=self._quality.quality(),
            bin_seconds=self._width,
            engines=engines,
            failures=[self._failures(number, zone) for number in sorted(self._failed)],
            failures_by_kind=dict(self._kinds.most_common(MOST_SERVERS)),
            outages=outages,
            outages_in_all=outages_in_all if counted.tested or watch else None,
            data_bytes=self._bytes,
            bytes_by_month={
                calendar.name(month): total for month, total in sorted(self._bytes_by_month.items())[-MOST_BINS:]
            },
            intervals_seconds=sorted(self._intervals)[:MOST_SERVERS],
            isp=asked.isp,
            far=asked.far,
            elsewhere=asked.elsewhere,
            providers=self._providers.providers(),
            zone=zone.key,
            timezones=sorted(self._timezones)[:MOST_SERVERS],
        )

    def _of_engines(self, plan: Plan, zone: ZoneInfo) -> Iterator[EngineFigures]:
        """Yield the figures of the engines with the most successful tests, and forget the tests.

        An engine with one stream comes last, and is not held against the plan.
        """
        names = dict.fromkeys(name for tests in (self._good, self._tested) for name, _ in tests.most_common())
        for name in sorted(names, key=lambda name: name in SECOND_OPINIONS)[:MOST_ENGINES]:
            yield self._engines.pop(name).figures(Plan() if name in SECOND_OPINIONS else plan, zone)

    def _of_slots(self, asked: Question) -> tuple[Slots, list[Outage], int]:
        """Return the slots, the longest outages, and how many outages there were."""
        if asked.isp is not None or not self._pieces:
            return Slots(), [], 0
        table = self._slots.table()
        counted = slots.count(table, asked.since if asked.known_before else None, asked.until)
        found = self._watch.untold(slots.outages(table))
        longest = [
            *slots.longest(found, MOST_OUTAGES, self._slots.failed()),
            *self._watch.longest(MOST_OUTAGES),
        ]
        chosen = sorted(longest, key=lambda each: each.seconds, reverse=True)[:MOST_OUTAGES]
        return counted, sorted(chosen, key=lambda each: each.start, reverse=True), len(found) + self._watch.outages

    def _failures(self, number: int, zone: ZoneInfo) -> Failures:
        failed = self._failed[number]
        kinds = [kind for kind, _ in failed.kinds.most_common(MOST_ENGINES)]
        return Failures(calendar.start(number, self._width, zone), failed.tests, kinds)
