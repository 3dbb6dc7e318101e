"""The answers of the page, computed in separate threads, so that the event loop never waits for a disk.

Large questions (a summary) and small ones (the current state, a page of rows) have one thread each. So a question about
ten years does not delay the small ones, and fifty equal questions at once cost one computation.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
from markupsafe import Markup

from speedtest.data.partitions import Folders
from speedtest.figures import state
from speedtest.figures.rows import OF_A_SUMMARY, Rows
from speedtest.figures.state import DaemonState, LineState, Result
from speedtest.figures.summary import summarise
from speedtest.figures.types import Plan, Question, Summary
from speedtest.report import drawing
from speedtest.values import period

MOST_RESULTS = 5_000
"""The largest number of rows in one answer."""
MOST_LOCATIONS = 50
FRESH_SECONDS = 60
"""A summary is not computed again within this time."""
STALE_SECONDS = 600
"""After this time a summary is computed again even without new rows, because its period has moved."""
_KEPT_FILES = 800
_KEPT_RECENT_FILES = 200
_KEPT_SUMMARIES = 16
_AT_ONCE = timedelta(days=31)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Query(msgspec.Struct, frozen=True):
    """A line and a period, as `values.period` reads it. Defaults: since its first row, until now."""

    location: str
    since: str | None = None
    until: str | None = None
    isp: str | None = None


class ResultPage(msgspec.Struct, frozen=True):
    """Rows in time order, and whether more follow."""

    rows: list[Result]
    more: bool


class Now(msgspec.Struct, frozen=True):
    """The current state of all lines and of the daemon."""

    lines: list[LineState]
    daemon: DaemonState | None


class _Computed(msgspec.Struct):
    mark: str
    when: datetime
    summary: Summary
    sections: Markup | None = None


class Queries:
    """Answers questions about the rows in these folders."""

    def __init__(self, folders: Folders, plan: Plan) -> None:
        """Prepare. Nothing is read before the first question."""
        self.plan = plan
        self._folders = folders
        self._large, self._small = ThreadPoolExecutor(1, "large"), ThreadPoolExecutor(1, "small")
        self._rows = Rows(folders, keep=_KEPT_FILES, columns=OF_A_SUMMARY)
        self._recent = Rows(folders, keep=_KEPT_RECENT_FILES)
        self._summaries: OrderedDict[Query, _Computed] = OrderedDict()
        self._now: tuple[str, datetime, Now] | None = None

    async def summary(self, asked: Query) -> Summary:
        """Return the figures. New rows count after at most a minute. Raises Unclear and the errors of `Rows.of`."""
        return await _in(self._large, lambda: self._found(asked, datetime.now(UTC)).summary)

    async def drawn(self, asked: Query) -> tuple[Summary, Markup]:
        """Return the same figures, and the sections of the report as HTML."""
        return await _in(self._large, lambda: self._drawn(asked, datetime.now(UTC)))

    async def now(self) -> Now:
        """Return the current state of at most `MOST_LOCATIONS` locations, the one with the newest rows first."""
        return await _in(self._small, lambda: self._stand(datetime.now(UTC)))

    async def results(self, asked: Query, limit: int, skip: int) -> ResultPage:
        """Return at most `limit` rows, after the first `skip` rows."""
        return await _in(self._small, lambda: self._page(asked, limit, skip, datetime.now(UTC)))

    async def readable(self) -> None:
        """Raise OSError if a folder cannot be read."""
        await _in(self._small, self._recent.mark)

    def _drawn(self, asked: Query, now: datetime) -> tuple[Summary, Markup]:
        found = self._found(asked, now)
        if found.sections is None:
            found.sections = drawing.sections(drawing.view(found.summary, self.plan))
        return found.summary, found.sections

    def _found(self, asked: Query, now: datetime) -> _Computed:
        mark = self._rows.mark()
        found = self._summaries.get(asked)
        if found is None or not _is_fresh(found.when, now, same=found.mark == mark):
            found = _Computed(mark, now, self._computed(asked, now))
            self._summaries[asked] = found
            if len(self._summaries) > _KEPT_SUMMARIES:
                self._summaries.popitem(last=False)
        self._summaries.move_to_end(asked)
        return found

    def _computed(self, asked: Query, now: datetime) -> Summary:
        begun = self._rows.first(asked.location)
        since, until = _period(asked, begun, now)
        far = self._rows.far(asked.location, None if since == begun else since, until)
        question = Question(
            asked.location, since, until, known_before=begun is not None and begun < since, isp=asked.isp, far=far
        )
        try:
            return summarise(self._rows.of(since, until, asked.location, asked.isp), question, self.plan)
        finally:
            pa.default_memory_pool().release_unused()  # frees what the question needed: 30 MiB for a year

    def _stand(self, now: datetime) -> Now:
        mark = self._recent.mark()
        if self._now is None or self._now[0] != mark or not _is_fresh(self._now[1], now, same=True):
            locations = self._recent.locations()[:MOST_LOCATIONS]
            self._now = mark, now, Now([state.of(self._recent, name, now) for name in locations], None)
            pa.default_memory_pool().release_unused()
        return msgspec.structs.replace(self._now[2], daemon=state.daemon(self._folders.result_dir, now))

    def _page(self, asked: Query, limit: int, skip: int, now: datetime) -> ResultPage:
        """Read a month at a time until there are enough rows."""
        since, until = _period(asked, self._recent.first(asked.location), now)
        rows: list[Result] = []
        while since < until and len(rows) <= limit:
            end = min(until, since + _AT_ONCE)
            frame = self._recent.of(since, end, asked.location, asked.isp)
            wanted = frame.iloc[skip : skip + limit + 1 - len(rows)]
            rows += state.results(wanted)
            skip = max(0, skip - len(frame))
            since = end
        pa.default_memory_pool().release_unused()
        return ResultPage(rows[:limit], more=len(rows) > limit)


def _period(asked: Query, begun: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the start and the end, within the time from the first row to now. Raises Unclear."""
    first, last = period.period(asked.since, asked.until, now)
    until = min(last or now, now)
    if first and first >= now:
        raise period.Unclear(f"{asked.since} is in the future: choose a start before now")
    since = max(first or begun or _EPOCH, begun or _EPOCH)
    return min(since, until), until


def _is_fresh(when: datetime, now: datetime, *, same: bool) -> bool:
    age = (now - when).total_seconds()
    return age < (STALE_SECONDS if same else FRESH_SECONDS)


async def _in[Found](thread: ThreadPoolExecutor, work: Callable[[], Found]) -> Found:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
