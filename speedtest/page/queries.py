"""The answers of the page. The event loop never waits for a disk or a computation.

Summaries are computed in a process of their own (`page.summaries`); states, pages of rows, metrics and the health check
have a thread each. So no question delays another kind, and fifty equal questions at once cost one computation.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
import pyarrow as pa
from markupsafe import Markup

from speedtest.data.partitions import Folders
from speedtest.figures import calendar, one_test, state
from speedtest.figures.lines import Lines
from speedtest.figures.one_test import OneTest
from speedtest.figures.questions import Wanted
from speedtest.figures.rows import Rows
from speedtest.figures.state import DaemonState, LineState, Result
from speedtest.figures.types import Comparison, Plan, Summary
from speedtest.page import metrics
from speedtest.page.asked import Query, settled
from speedtest.page.summaries import Ask, Setup, Summaries
from speedtest.values import period

MOST_RESULTS = 5_000
"""The largest number of rows in one answer."""
_KEPT_RECENT_FILES = 200
_AT_ONCE = timedelta(days=31)
_SCRAPE_SECONDS = 0.05
"""Metrics wait this long for new rows to be read, and otherwise are those of the scrape before."""
_OLD_SECONDS = 60.0
"""Figures of a scrape longer ago than this are no answer: the next one waits as long as the first."""
_FIRST_SCRAPE_SECONDS = 2.0
"""The first scrape after a start waits this long, well within Prometheus' limit of 10 s, and then has the lines read so
far: `speedtest_metrics_complete` says whether these are all."""

type Lane = Literal["states", "rows", "metrics", "partial", "health"]


class ResultPage(msgspec.Struct, frozen=True):
    """Rows in time order, and whether more follow."""

    rows: list[Result]
    more: bool


class Now(msgspec.Struct, frozen=True):
    """The current state of all lines and of the daemon."""

    lines: list[LineState]
    daemon: DaemonState | None


class Queries:
    """Answers questions about the rows in these folders."""

    def __init__(self, folders: Folders, plan: Plan) -> None:
        """Prepare. Nothing is read before the first question."""
        self.plan = plan
        self._folders = folders
        self._threads: dict[Lane, ThreadPoolExecutor] = {
            "states": ThreadPoolExecutor(1, "states"),
            "rows": ThreadPoolExecutor(1, "rows"),
            "metrics": ThreadPoolExecutor(1, "metrics"),
            "partial": ThreadPoolExecutor(1, "partial"),
            "health": ThreadPoolExecutor(1, "health"),
        }
        self._summaries = Summaries(Setup(str(folders.result_dir), str(folders.upload_dir), plan))
        self._rows = Rows(folders, keep=_KEPT_RECENT_FILES)
        self._tests = Rows(folders, columns=one_test.NEEDED)
        self._lines = Lines(Rows(folders))  # two threads use it; it keeps states, so no tables
        self._scraped = metrics.Scraped(folders, self._lines)
        self._scraped_at = 0.0
        self._scrape: asyncio.Future[None] | None = None

    async def summary(self, asked: Query) -> Summary:
        """Return the figures. New rows count after at most a minute. Raises Unclear and OSError."""
        return (await self._summaries.ask(Ask(await self._placed(asked), drawn=False)))[0]

    async def drawn(self, asked: Query) -> tuple[Summary, Markup]:
        """Return the same figures, and the sections of the report as HTML."""
        return await self._summaries.ask(Ask(await self._placed(asked), drawn=True))

    async def compare(self, asked: Query, other: Wanted) -> Comparison:
        """Return how the line of a question differs from another. Raises Unclear and OSError."""
        return await self._summaries.compare(Ask(asked, drawn=False, other=other))

    async def locations(self) -> list[str]:
        """Return the locations that have rows, the one with the newest rows first."""
        return await self._in("states", self._lines.names)

    async def line(self, location: str) -> Now:
        """Return the current state of one location, and of the daemon."""
        return await self._in("states", lambda: self._now([location] if location else [], datetime.now(UTC)))

    async def now(self) -> Now:
        """Return the current state of all locations, the one with the newest rows first."""
        return await self._in("states", lambda: self._now(self._lines.names(), datetime.now(UTC)))

    async def results(self, asked: Query, limit: int, skip: int) -> ResultPage:
        """Return at most `limit` rows, after the first `skip` rows."""
        placed = await self._placed(asked)
        return await self._in("rows", lambda: self._page(placed, limit, skip, datetime.now(UTC)))

    async def test(self, location: str, at: datetime | None) -> OneTest | None:
        """Return one test of a location, the last one if no time is given, None if there is none."""
        if at is None:
            line = next(iter((await self.line(location)).lines), None)
            at = line.last.timestamp if line and line.last else None
        found = at
        return (
            None
            if found is None
            else await self._in("rows", lambda: one_test.of(self._tests, location, found, self.plan))
        )

    async def metrics(self) -> bytes:
        """Return the metrics of all lines, after a start of those read so far. New rows are waited for a moment only.

        Raises the errors of `Rows.of`.
        """
        last, self._scraped_at = self._scraped_at, time.monotonic()
        is_old = self._scraped_at - last > _OLD_SECONDS
        patience = _FIRST_SCRAPE_SECONDS if self._scrape is None or is_old else _SCRAPE_SECONDS
        if self._scrape is None or self._scrape.done():
            self._scrape = asyncio.ensure_future(self._in("metrics", lambda: self._scraped.refresh(datetime.now(UTC))))
        await asyncio.wait([self._scrape], timeout=patience)
        if self._scrape.done():
            self._scrape.result()
        return self._scraped.text or await self._in("partial", lambda: self._scraped.partial(datetime.now(UTC)))

    async def readable(self) -> None:
        """Raise OSError if a folder cannot be read."""
        await self._in("health", self._listed)

    async def _placed(self, asked: Query) -> Query:
        """Return the question with the zone of its line, if it has a day or a time without a zone."""
        if not period.is_local(asked.since, asked.until):
            return asked
        lines = (await self.line(asked.location)).lines
        return msgspec.structs.replace(asked, zone=calendar.zone(lines[0].zone if lines else None).key)

    def _listed(self) -> None:
        for folder in (self._folders.result_dir, self._folders.upload_dir):
            if folder.exists():
                with os.scandir(folder) as entries:
                    next(entries, None)

    def _now(self, names: list[str], now: datetime) -> Now:
        lines = [self._lines.state(name, now) for name in names]
        return Now(lines, state.daemon(self._folders.result_dir, now))

    def _page(self, asked: Query, limit: int, skip: int, now: datetime) -> ResultPage:
        """Read a month at a time until there are enough rows."""
        since, until = settled(asked, self._rows.first(asked.location), now)
        rows: list[Result] = []
        while since < until and len(rows) <= limit:
            end = min(until, since + _AT_ONCE)
            frame = self._rows.of(since, end, asked.location, asked.isp)
            wanted = frame.iloc[skip : skip + limit + 1 - len(rows)]
            rows += state.results(wanted)
            skip = max(0, skip - len(frame))
            since = end
        pa.default_memory_pool().release_unused()
        return ResultPage(rows[:limit], more=len(rows) > limit)

    async def _in[Found](self, lane: Lane, work: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads[lane], work)
