"""The large questions of the page, answered in a process of their own.

So a question about ten years delays nothing else, gives all its memory back, and if it needs more than there is, only
this process is ended. It reads one JSON object a line, first `Setup`, then `Ask`, and writes an `Answer` for each.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
from markupsafe import Markup

from speedtest import logging as logs
from speedtest.data.parquet import Damaged
from speedtest.data.partitions import Folders
from speedtest.figures import questions
from speedtest.figures.rows import OF_A_SUMMARY, Rows
from speedtest.figures.types import Plan, Question, Summary
from speedtest.page import server
from speedtest.page.asked import Query, is_fresh, settled
from speedtest.report import drawing
from speedtest.values.period import Unclear

_KEPT_FILES = 400
_KEPT_SUMMARIES = 16
_LONGEST_ANSWER = 1 << 28
_NICE = 10
"""On a full machine, what is small goes before a large question."""


class Setup(msgspec.Struct, frozen=True):
    """What the process needs to know once."""

    result_dir: str
    upload_dir: str
    plan: Plan


class Ask(msgspec.Struct, frozen=True):
    """A question; `drawn` with the sections of the report."""

    query: Query
    drawn: bool


class Answer(msgspec.Struct, frozen=True):
    """The answer, or why there is none."""

    summary: Summary | None = None
    sections: str | None = None
    unclear: str | None = None
    unreadable: str | None = None


class Unanswered(OSError):
    """The rows cannot be read, or the process was ended."""


class Summaries:
    """Asks the process, which starts with the first question and again after it was ended."""

    def __init__(self, setup: Setup) -> None:
        """Prepare. Nothing is started before the first question."""
        self._setup = setup
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def ask(self, ask: Ask) -> tuple[Summary, Markup]:
        """Return the figures, and their sections if they were asked for. Raises Unclear or Unanswered."""
        async with self._turn:
            answer = await self._asked(ask)
        if answer.unclear is not None:
            raise Unclear(answer.unclear)
        if answer.summary is None:
            raise Unanswered(answer.unreadable)
        return answer.summary, Markup(answer.sections or "")  # noqa: S704 (drawn by our own templates)

    async def _asked(self, ask: Ask) -> Answer:
        process = await self._started()
        if process.stdin is None or process.stdout is None:
            raise TypeError(process)
        try:
            process.stdin.write(msgspec.json.encode(ask) + b"\n")
            await process.stdin.drain()
            if line := await process.stdout.readline():
                return msgspec.json.decode(line, type=Answer)
        except asyncio.CancelledError:  # its answer would be taken for that to the next question
            self._end()
            raise
        except (BrokenPipeError, ConnectionResetError):
            pass
        self._end()
        ended = await process.wait()
        why = "it needed more memory than there is" if ended == -signal.SIGKILL else f"its process ended with {ended}"
        return Answer(unreadable=f"the question could not be answered: {why}; ask for a shorter period")

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from speedtest.page import summaries; summaries.main()"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_ANSWER,
            )
            if self._process.stdin:
                self._process.stdin.write(msgspec.json.encode(self._setup) + b"\n")
        return self._process

    def _end(self) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._process = None


class _Computed(msgspec.Struct):
    mark: str
    when: datetime
    summary: Summary
    sections: str | None = None


class Computer:
    """Answers questions within the process. Keeps the latest answers."""

    def __init__(self, setup: Setup) -> None:
        """Read the rows in these folders."""
        self._plan = setup.plan
        folders = Folders(Path(setup.result_dir), Path(setup.upload_dir))
        self._rows = Rows(folders, keep=_KEPT_FILES, columns=OF_A_SUMMARY)
        self._summaries: OrderedDict[Query, _Computed] = OrderedDict()

    def answer(self, ask: Ask, now: datetime) -> Answer:
        """Return the answer. New rows count after at most a minute."""
        try:
            found = self._found(ask.query, now)
        except Unclear as error:
            return Answer(unclear=str(error))
        except (Damaged, OSError, pa.ArrowException) as error:
            return Answer(unreadable=str(error))
        if ask.drawn and found.sections is None:
            found.sections = str(drawing.sections(drawing.view(found.summary, self._plan)))
        return Answer(found.summary, found.sections if ask.drawn else None)

    def _found(self, asked: Query, now: datetime) -> _Computed:
        mark = self._rows.mark_of(asked.location)
        found = self._summaries.get(asked)
        if found is None or not is_fresh(found.when, now, same=found.mark == mark):
            found = _Computed(mark, now, self._computed(asked, now))
            self._summaries[asked] = found
            if len(self._summaries) > _KEPT_SUMMARIES:
                self._summaries.popitem(last=False)
        self._summaries.move_to_end(asked)
        return found

    def _computed(self, asked: Query, now: datetime) -> Summary:
        begun = self._rows.first(asked.location)
        since, until = settled(asked, begun, now)
        far = self._rows.far(asked.location, None if since == begun else since, until)
        question = Question(
            asked.location,
            since,
            until,
            known_before=begun is not None and begun < since,
            isp=asked.isp,
            marked=asked.marked,
            far=far,
            elsewhere=self._rows.elsewhere(asked.location, None if since == begun else since, until),
        )
        try:
            return questions.answer(self._rows, question, self._plan)
        finally:
            pa.default_memory_pool().release_unused()


def main() -> None:
    """Answer until standard input ends, which it does with the page."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the page as well, which then ends this
    server.limit_memory()
    os.nice(_NICE)
    with contextlib.suppress(OSError), Path("/proc/self/oom_score_adj").open("w") as score:
        score.write("1000")  # if memory runs out, this process is ended and not the page
    logs.configure("WARNING")
    computer = Computer(msgspec.json.decode(sys.stdin.buffer.readline(), type=Setup))
    for line in sys.stdin.buffer:
        answer = computer.answer(msgspec.json.decode(line, type=Ask), datetime.now(UTC))
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()
