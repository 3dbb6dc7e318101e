"""What all families share: how much of them is run, their jobs and their findings."""

import contextlib
import functools
import importlib
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tests.faults import child, judge, mutants, scenarios
from tests.faults.judge import Expected, Verdict

type Job = partial["Found"]
"""A piece of work for a warm process: a function of a module here and its arguments."""


class Found(msgspec.Struct):
    """The result of some cases: how many there were, and what is wrong, each with its case."""

    cases: int = 0
    lost: int = 0
    doubled: int = 0
    partial: int = 0
    other: int = 0
    notes: list[str] = []
    seconds: float = 0.0

    def add(self, another: "Found") -> None:
        self.cases += another.cases
        self.lost += another.lost
        self.doubled += another.doubled
        self.partial += another.partial
        self.other += another.other
        self.notes += another.notes

    def take(self, case: str, verdict: Verdict) -> None:
        """Count one case."""
        self.cases += 1
        self.lost += len(verdict.lost)
        self.doubled += len(verdict.doubled)
        self.partial += len(verdict.partial)
        self.other += len(verdict.other)
        wrong = {"lost": verdict.lost, "doubled": verdict.doubled, "partial": verdict.partial, "other": verdict.other}
        self.notes += [f"{case}: {kind}: {what}" for kind, found in wrong.items() for what in sorted(found)]

    @property
    def breaches(self) -> int:
        return self.lost + self.doubled + self.partial + self.other


class Form(msgspec.Struct, frozen=True):
    """How much is run: everything or a sample that is always the same, on the real code or on a mutant."""

    full: bool = True
    mutant: str | None = None
    scenario: str | None = None
    """The only scenario that is run."""
    where: str = ""
    """A pattern of the cases that are run."""

    @property
    def scenarios(self) -> list[str]:
        return [name for name in scenarios.SCENARIOS if self.scenario in {None, name}]

    def wants(self, case: str) -> bool:
        return re.search(self.where, case) is not None

    def sample[Item](self, items: Sequence[Item], most: int) -> list[Item]:
        """Return all items in full form or if `where` chooses cases, else `most` of them, evenly spread."""
        most *= 4 if self.mutant else 1
        if self.full or self.where or len(items) <= most:
            return list(items)
        return [items[number * len(items) // most] for number in range(most)]

    def some[Item](self, items: Sequence[Item], full: int, short: int, seed: str) -> list[Item]:
        """Return `full` or `short` random items, different for each seed; all items if `where` chooses cases."""
        most = self.count(full, short)
        if self.where or len(items) <= most:
            return list(items)
        return random.Random(seed).sample(items, most)

    def count(self, full: int, short: int) -> int:
        return full if self.full else short


type Ask = Callable[[partial[Any]], Any]
"""Run a function in a warm process and return its result."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A family of cases."""

    name: str
    jobs: Callable[[Form, Ask], Iterable[Job]]
    least: int
    """The minimum of cases of a full run; fewer prove nothing."""
    least_short: int
    needs: Callable[[], str | None] = lambda: None
    """Return why it cannot run on this machine, None if it can."""


@functools.cache
def needs_strace() -> str | None:
    if not child.STRACE:
        return "strace is not installed (apt-get install strace)"
    with workshop() as folder:
        try:
            child.run(lambda tree, _: tree.mkdir(), folder / "tree", trace=True)
        except RuntimeError as error:
            return str(error)
    return None


def warm_up() -> None:
    """Import in a worker what its children need, so that no fault hits an import."""
    with workshop() as folder:
        for scenario in scenarios.SCENARIOS:
            tree = prepared(folder / scenario, scenario)
            for name in child.call(_modules_of, tree, scenario):
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)


def _modules_of(tree: Path, scenario: str) -> list[str]:
    chosen = scenarios.SCENARIOS[scenario]
    chosen.run(tree, lambda _: None)
    judge.aftermath(tree, judge.expected(chosen))
    return sorted(sys.modules)


@contextmanager
def workshop() -> Iterator[Path]:
    """Yield a folder for trees, in memory where possible: no fault here depends on the kind of disk."""
    memory = Path("/dev/shm")  # noqa: S108 (a new folder in it)
    with tempfile.TemporaryDirectory(prefix="faults-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def prepared(folder: Path, scenario: str) -> Path:
    """Return a copy of the tree that a scenario starts from."""
    original, tree = folder / "original", folder / "tree"
    folder.mkdir(exist_ok=True)
    if not original.exists():
        child.call(scenarios.SCENARIOS[scenario].prepare, original)
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(original, tree, symlinks=True)
    return tree


class Bench:
    """Trees that faults have left, judged together: after the first tree, a process needs half the time for each."""

    def __init__(self, folder: Path, mutant: str | None, *, at_once: bool = True) -> None:
        self._folder = folder
        self._mutant = mutant
        self._at_once = at_once
        self._trees: list[tuple[str, Path, Expected, list[str]]] = []

    def put(self, case: str, tree: Path, wanted: Expected, wrong: Iterable[str] = ()) -> None:
        """Keep a tree to judge later, with what was already found wrong."""
        kept = self._folder / f"judged-{len(self._trees)}"
        kept.mkdir()
        tree.rename(kept / tree.name)
        self._trees.append((case, kept / tree.name, wanted, list(wrong)))

    def judge(self) -> Found:
        """Judge each tree, recover it and judge it again."""
        found = Found()
        for (case, _, _, wrong), verdict in zip(self._trees, child.call(self._judge_all), strict=True):
            verdict.other += wrong
            found.take(case, verdict)
        return found

    def _judge_all(self) -> list[Verdict]:
        if self._mutant:
            mutants.apply(self._mutant)
        verdicts: list[Verdict] = []
        for _, tree, wanted, _ in self._trees:
            verdicts.append(judge.aftermath(tree, wanted, at_once=self._at_once))
            shutil.rmtree(tree)
        return verdicts


def chunks[Item](items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
