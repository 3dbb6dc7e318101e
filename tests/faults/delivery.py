"""Faults of an object store, of the way to it, and of the process that delivers to it.

Each case delivers three files of one location (two of one day) to a real SeaweedFS through a proxy that fails on
purpose, and removes them here once they were read back (DELIVER_KEEP_DAYS=1). The first run meets the fault or is
killed; a second one perhaps too; a last one meets none. Then DuckDB counts the rows of all objects at the store: each
row of the three files once, and each row that another machine put there meanwhile.
"""

import atexit
import contextlib
import functools
import itertools
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import object_store
from object_store import ObjectServer
from samples import HOME, day_of, keep

from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.delivery import run as delivery_run, stores
from speedtest.handlers import deliver
from tests.faults import child, patch
from tests.faults.family import Ask, Family, Form, Found, Job, chunks, workshop
from tests.faults.judge import Verdict
from tests.faults.store_faults import KINDS, TIMEOUT_SECONDS, Left, Store, fits

ROWS = 4
DAYS = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
CALLS = 12
"""Requests of a clean run: three of the probe, two for each file, and one for each file that is removed."""
JOBS_FULL, JOBS_SHORT = 24, 2
FEW = 3
"""Cases of one job on a mutant, so that it is caught soon."""
_KEY = f"location={HOME}/year=2026/month=03/day="
_SHOWN_ERRORS = ("Traceback", '"event": "bug"')


class Case(msgspec.Struct, frozen=True):
    """A fault at a request, once or for good, and the steps before which the first runs are killed."""

    kind: str = ""
    request: int = 0
    for_good: bool = False
    kills: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        fault = f"{self.kind} at request {self.request}{' for good' * self.for_good}" if self.kind else "no fault"
        return f"{fault}{''.join(f', killed at step {kill}' for kill in self.kills)}"


def prepare(tree: Path) -> None:
    """Make three files of two days."""
    folders = Folders(tree / "results", tree / "uploads")
    for first in (DAYS[0], DAYS[0] + timedelta(minutes=1), DAYS[1]):
        keep(day_of(first, ROWS), folders.result_dir)
        convert(folders, HOME, (first + timedelta(days=1)).date())


def another_machine(tree: Path) -> bytes:
    """Return a file of other rows of the same location."""
    folders = Folders(tree / "results", tree / "uploads")
    keep(day_of(DAYS[0] + timedelta(minutes=7), ROWS), folders.result_dir)
    convert(folders, HOME, (DAYS[0] + timedelta(days=1)).date())
    return next(folders.upload_dir.rglob("*.parquet")).read_bytes()


STEPS: tuple[tuple[object, str], ...] = (
    (stores.obstore, "put"),
    (stores.obstore, "get"),
    (os, "link"),
    (os, "fsync"),
    (Path, "unlink"),
    (Path, "mkdir"),
    (Path, "replace"),
)
"""What a delivery does that lasts. A child is killed before one of these and after it."""


def act(tree: Path, report: child.Report, *, settings: dict[str, str], kill: int, seconds: float) -> None:
    """Deliver in this process. It is killed at the step with this number, which counts from 1; 0: never.

    `seconds` is how long it waits for an answer.
    """
    os.environ.update(settings | {"RESULT_DIR": str(tree / "results"), "UPLOAD_DIR": str(tree / "uploads")})
    os.environ.update({"SPEEDTEST_LOCATION_UUID": HOME, "DELIVER_KEEP_DAYS": "1"})
    sys.argv = ["deliver"]
    patch.put(delivery_run, "AT_ONCE", lambda _: 1)
    patch.put(stores, "TIMEOUT_SECONDS", lambda _: seconds)
    count = itertools.count(1)

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 (as the real one)
            if next(count) == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **named)
            if next(count) == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return step

    for owner, name in STEPS:
        patch.put(owner, name, counted)
    try:
        deliver.main()
    finally:
        report(str(next(count) - 1))


def _run_case(case: Case, folder: str, tree: Path, store: Store, mutant: str | None) -> list[str]:
    """Run a case in a folder of the store; return what was wrong besides rows."""
    settings = store.server.variables(folder, store.proxy.endpoint)
    wrong: list[str] = []
    left_there = Left()
    kills = [*case.kills, 0]
    runs = max(len(kills), 3 if case.for_good else 2)
    for turn in range(runs):
        is_last = turn == runs - 1
        faulty = case.kind and (turn == 0 or case.for_good) and not is_last
        store.proxy.reset(store.fault(case.kind, case.request, left_there, for_good=case.for_good) if faulty else None)
        if is_last:
            for key in left_there.damaged:  # as the message asks a person to do
                store.server.delete(key)
        kill = kills[turn] if turn < len(kills) else 0
        # A fault may be an answer that never comes. Without a fault, a busy machine may take its time.
        seconds = TIMEOUT_SECONDS if faulty else child.PATIENCE / 2
        ended = child.run(partial(act, settings=settings, kill=kill, seconds=seconds), tree, mutant=mutant)
        wrong += ["it hung"] if ended.hung else []
        wrong += [line[:300] for line in ended.stderr if any(words in line for words in _SHOWN_ERRORS)]
        if is_last and ended.code:
            wrong.append(f"the last run ended with {ended.code}: {' '.join(ended.stderr)[-300:]}")
    if any(store.server.get(key) != store.foreign for key in left_there.foreign):
        wrong.append("another machine's object was changed")
    left = list((tree / "uploads").rglob("*.parquet"))
    if left and not wrong:
        wrong.append(f"{len(left)} files are still here")
    return wrong


def run_cases(server: ObjectServer, cases: list[Case], mutant: str | None) -> Found:
    """Run some cases in a folder of the store and judge them together."""
    found, base = Found(), uuid.uuid4().hex
    with workshop() as folder:
        child.call(prepare, folder / "original")
        foreign = child.call(another_machine, folder / "another")
        wanted = child.call(_ids, [str(path) for path in (folder / "original").rglob("*.parquet")])
        theirs = child.call(_ids, [str(next((folder / "another").rglob("*.parquet")))])
        with object_store.proxy_before(server.s3) as proxy:
            store = Store(server, proxy, foreign)
            wrong: dict[int, list[str]] = {}
            for number, case in enumerate(cases):
                tree = folder / f"tree-{number}"
                shutil.copytree(folder / "original", tree)
                wrong[number] = _run_case(case, f"{base}/case-{number}", tree, store, mutant)
                shutil.rmtree(tree)
        _fetch(server, base, folder / "content")
        counted = child.call(_count, folder / "content")
    for number, case in enumerate(cases):
        verdict = _verdict(counted.get(number, {}), wanted, theirs)
        verdict.other += wrong[number]
        found.take(case.name, verdict)
    return found


def _fetch(server: ObjectServer, folder: str, to: Path) -> None:
    for key in server.keys(folder):
        if ".probe" not in key:
            path = to / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(server.get(key))


def _ids(paths: list[str]) -> list[str]:
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")  # it would be drawn among what the harness prints
        rows = database.execute("select started_at::varchar from read_parquet($1)", [paths]).fetchall()
    return sorted(str(row[0]) for row in rows)


def _count(content: Path) -> dict[int, dict[str, int]]:
    """Count each row of each case over all its objects, with DuckDB."""
    counted: dict[int, dict[str, int]] = {}
    if not content.exists():
        return counted
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")  # it would be drawn among what the harness prints
        found = database.execute(
            "select regexp_extract(filename, 'case-(\\d+)', 1)::int, started_at::varchar, count(*)"
            f" from read_parquet('{content}/**/*.parquet', filename=true) group by all"
        ).fetchall()
    for number, row, count in found:
        counted.setdefault(number, {})[row] = count
    return counted


def _verdict(counted: dict[str, int], wanted: list[str], theirs: list[str]) -> Verdict:
    verdict = Verdict()
    verdict.lost |= {row for row in wanted if not counted.get(row)}
    verdict.doubled |= {row for row, count in counted.items() if count > 1}
    there = [row for row in theirs if counted.get(row)]
    verdict.other += ["rows of another machine were lost"] if there and len(there) < len(theirs) else []
    verdict.other += ["rows of nobody"] if set(counted) - set(wanted) - set(theirs) else []
    return verdict


def _steps(server: ObjectServer) -> int:
    """Count the steps of a clean run."""
    with workshop() as folder:
        child.call(prepare, folder / "tree")
        settings = server.variables(uuid.uuid4().hex)
        ended = child.run(partial(act, settings=settings, kill=0, seconds=child.PATIENCE / 2), folder / "tree")
    return int(ended.reported[-1])


@functools.cache
def _server() -> ObjectServer:
    """Start the SeaweedFS of all cases. It ends with this process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(object_store.seaweed(stack.enter_context(workshop())))


def cases(form: Form, steps: int) -> Iterator[Case]:
    """Yield all cases of the full form."""
    hits = [(kind, request) for kind in KINDS for request in range(1, CALLS + 1) if fits(kind, request)]
    for (kind, request), for_good in itertools.product(hits, (False, True)):
        yield Case(kind, request, for_good=for_good)
    kills = range(1, steps + 1)
    for kill in kills:
        yield Case(kills=(kill,))
        for again in form.some(list(kills), 4, 1, f"again {kill}"):
            yield Case(kills=(kill, again))
    for kind, request in hits:
        for kill in form.some(list(kills), 4, 1, f"{kind} {request}"):
            yield Case(kind, request, kills=(kill,))


def jobs(form: Form, ask: Ask) -> Iterable[Job]:
    """Yield the jobs: some cases each, with a proxy of their own."""
    server = _server()
    chosen = [case for case in cases(form, ask(partial(_steps, server))) if form.wants(case.name)]
    chosen = form.sample(chosen, 36)
    count = JOBS_FULL if form.full else JOBS_SHORT
    ordered = [case for start in range(count) for case in chosen[start::count]]
    size = FEW if form.mutant else max(1, -(-len(ordered) // count))
    for some in chunks(ordered, size):
        yield partial(run_cases, server, some, form.mutant)


FAMILY = Family(name="delivery", jobs=jobs, least=2000, least_short=30, needs=object_store.needs_seaweed)
