"""A daemon and a conversion, both killed repeatedly at random moments, while two readers poll."""

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import override

from speedtest.data import results
from tests.faults import child, judge, mutants
from tests.faults.family import Ask, Family, Form, Found, Job, workshop
from tests.faults.judge import Expected, Verdict
from tests.faults.rows import HERE, THERE, Row
from tests.faults.scenarios import RESULTS, run_conversion

KILLS = 8
"""Kills for each tree. Then a new tree starts, because many conversions fill a tree with files and make polls slow."""

POLLS = 130
"""The fewest polls of a tree before it is judged."""

ROWS = 2000
"""The most rows of a tree; the daemon waits a little after each."""


def row(number: int) -> Row:
    """Return a row of a fixed day, at one of two locations."""
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number // 2)
    return Row(f"row-{number}", when, number + 0.25, THERE if number % 64 == 0 else HERE)


ALL = {each.name: each for each in map(row, range(ROWS))}


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    del ask
    return (partial(_soak, seed, form.mutant) for seed in range(form.count(400, 6)))


def _soak(seed: int, mutant: str | None) -> Found:
    """Run one tree. Its cases are its kills and its polls."""
    chance = random.Random(seed)
    with workshop() as folder:
        tree, journal = folder / "tree", folder / "journal"
        (tree / RESULTS).mkdir(parents=True)
        journal.touch()
        readers = [_start(mutant, _poll, tree, journal, by, folder / f"polls-{by}") for by in ("lake", "hand")]
        work: list[Callable[[], int]] = [
            partial(_start, mutant, _keep, tree, journal),
            partial(_start, mutant, _convert, tree),
        ]
        workers = [start() for start in work]
        kills = 0
        while kills < KILLS or _size(folder, "polls-????") < POLLS:
            time.sleep(chance.uniform(0.002, 0.08))
            if kills < KILLS:
                which = chance.randrange(2)
                _end(workers[which])
                workers[which] = work[which]()
                kills += 1
        for pid in (*workers, *readers):
            _end(pid)
        found = child.call(_judge, tree, journal, mutant)
        found.cases = kills + _size(folder, "polls-????")
        for path in folder.glob("*.breaches"):
            for line in path.read_text().splitlines():
                found.partial += 1
                found.notes.append(f"round {seed}: {line}")
    return found


def _start(mutant: str | None, function: Callable[..., None], *arguments: object) -> int:
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (for good)
            if mutant:
                mutants.apply(mutant)
            function(*arguments)
        os._exit(0)
    return pid


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def _keep(tree: Path, journal: Path) -> None:
    """Save one row after the other, and note each in the journal."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_APPEND)
    saved = len(journal.read_text().split())
    killed = int((journal.with_name("lives")).stat().st_size) if journal.with_name("lives").exists() else 0
    with journal.with_name("lives").open("ab") as lives:
        lives.write(b".")
    for number in range(saved + killed, ROWS):  # each earlier run may have saved one row that it could not note
        results.save(results.encode(row(number).measurement), tree / RESULTS)
        os.write(descriptor, f"row-{number}\n".encode())
        time.sleep(0.01)


def _convert(tree: Path) -> None:
    while True:
        with contextlib.suppress(SystemExit):
            run_conversion(tree)
        time.sleep(0.25)


def _expected(journal: Path) -> Expected:
    return Expected(ALL, set(journal.read_text().split()), _Contents(ALL))


class _Contents(set[bytes]):
    """The bytes that a row's file may have, encoded only on demand."""

    def __init__(self, rows: dict[str, Row]) -> None:
        super().__init__()
        self._rows = rows

    @override
    def __contains__(self, data: object) -> bool:
        name = bytes(data).rpartition(b"row-")[2].partition(b",")[0] if isinstance(data, bytes) else b""
        row_ = self._rows.get(f"row-{name.decode(errors='replace')}")
        return row_ is not None and row_.data == data


def _poll(tree: Path, journal: Path, by: str, polls: Path) -> None:
    """Read repeatedly: each row in the journal must be there once."""
    read = judge.count_by_lake if by == "lake" else judge.count_by_hand
    with polls.open("ab", buffering=0) as count, polls.with_suffix(".breaches").open("a", buffering=1) as breaches:
        while True:
            wanted, verdict = _expected(journal), Verdict()
            try:
                read(tree, wanted, verdict)
            except Exception as error:  # noqa: BLE001 (a reader that fails is a finding)
                verdict.other.append(repr(error))
            count.write(b".")
            if verdict.breaches:
                breaches.write(f"a reader by {by} met {verdict}\n")


def _judge(tree: Path, journal: Path, mutant: str | None) -> Found:
    if mutant:
        mutants.apply(mutant)
    found = Found()
    found.take("after the last kill", judge.aftermath(tree, _expected(journal)))
    return found


FAMILY = Family(name="soak", jobs=_jobs, least=51_000, least_short=600)
