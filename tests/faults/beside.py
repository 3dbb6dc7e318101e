"""Two programs at once: one is stopped after one of its calls, each in turn, while the other runs to its end."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec

from tests.faults import child, judge
from tests.faults.child import Point, Report, Run
from tests.faults.family import Ask, Bench, Family, Form, Found, Job, chunks, needs_strace, prepared, workshop
from tests.faults.judge import Verdict, expected
from tests.faults.kill import kill_at
from tests.faults.rows import row
from tests.faults.scenarios import SCENARIOS, Scenario, run_conversion, run_daemon

LATE = [row(91, 1, second=11), row(92, 1), row(93, 2), row(94, 3)]
"""Rows saved while a conversion is stopped: one in the same second as another row, one of a new day."""

ATTEMPTS = 10
"""Runs of a reader to meet one of its calls: Arrow makes some of them now in the main thread, now in one of its own."""


def _points(scenario: str, mutant: str | None) -> list[Point]:
    """Run a scenario to its end and return all its calls in its tree, also those that change nothing."""
    with workshop() as folder:
        tree = prepared(folder, scenario)
        run = child.run(SCENARIOS[scenario].run, tree, trace=True, mutant=mutant)
        return [(call.name, call.nth, call.shown) for call in run.calls if call.is_in(str(tree))]


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    for scenario in form.scenarios:
        for some in chunks(form.sample(ask(partial(_points, scenario, form.mutant)), 8), 10):
            yield partial(_beside, scenario, some, form.mutant)


def stop_at(point: Point) -> str:
    return f"{point[0]}:signal=SIGSTOP:when={point[1]}"


def _beside(scenario: str, some: list[Point], mutant: str | None) -> Found:
    """Stop the scenario at each point and run the other program: a conversion or the daemon."""
    chosen = SCENARIOS[scenario]
    other = _convert if chosen.new else _keep_late_rows
    with workshop() as folder:
        bench = Bench(folder, mutant)
        for point in some:
            tree = prepared(folder, scenario)
            beside = Beside(other, tree, mutant)
            run = child.run(chosen.run, tree, inject=stop_at(point), mutant=mutant, meanwhile=beside.run)
            wanted = expected(with_late_rows(chosen), run.reported + beside.reported)
            wrong = [] if beside.ran and run.met(point) else ["it was not stopped there"]
            wrong += [f"it ended with {run.code}: {run.stderr[-1:]}"] if run.code else []
            bench.put(f"{scenario}, stopped at {point[2]}", tree, wanted, wrong)
        return bench.judge()


class Beside:
    """The program that runs while the other is stopped, and what it reported."""

    def __init__(self, action: Callable[[Path, Report], None], tree: Path, mutant: str | None) -> None:
        self.reported: list[str] = []
        self.ran = False
        self._arguments = (action, tree)
        self._mutant = mutant

    def run(self) -> None:
        self.reported += child.run(*self._arguments, mutant=self._mutant).reported
        self.ran = True


def with_late_rows(scenario: Scenario) -> Scenario:
    return msgspec.structs.replace(scenario, new=[*scenario.new, *LATE])


def _keep_late_rows(tree: Path, report: Report) -> None:
    run_daemon(tree, LATE, report)


def _convert(tree: Path, report: Report) -> None:
    del report
    run_conversion(tree)


def _read_jobs(form: Form, ask: Ask) -> Iterable[Job]:
    """Stop a reader at each of its calls, on an unchanged tree and on one that a kill left half converted."""
    for scenario in ("first conversion", "late conversion"):
        for start in (None, ("link", 1, "the first link"), ("unlink", 4, "the first source")):
            points = form.sample(ask(partial(_read_points, scenario, start, form.mutant)), 8)
            for some in chunks(points, 20):
                yield partial(_read, scenario, start, some, form.mutant)


def _begin(folder: Path, scenario: str, start: Point | None, mutant: str | None) -> Path:
    tree = prepared(folder, scenario)
    if start:
        child.run(SCENARIOS[scenario].run, tree, inject=kill_at(start), mutant=mutant)
    return tree


def _read_points(scenario: str, start: Point | None, mutant: str | None) -> list[Point]:
    with workshop() as folder:
        tree = _begin(folder, scenario, start, mutant)
        run = child.run(partial(_report_rows, scenario), tree, trace=True, mutant=mutant)
        return [(call.name, call.nth, call.shown) for call in run.calls if call.is_in(str(tree))]


def _report_rows(scenario: str, tree: Path, report: Report) -> None:
    """Read the lake as an analyst does, and report what is wrong."""
    verdict = Verdict()
    judge.count_by_lake(tree, expected(SCENARIOS[scenario]), verdict)
    for kind in ("lost", "doubled", "partial", "other"):
        for what in getattr(verdict, kind):
            report(f"{kind} {what}")


def _read(scenario: str, start: Point | None, some: list[Point], mutant: str | None) -> Found:
    found = Found()
    with workshop() as folder:
        for point in some:
            for _ in range(ATTEMPTS):
                tree = _begin(folder, scenario, start, mutant)
                beside = Beside(_convert, tree, mutant)
                reader = partial(_report_rows, scenario)
                run = child.run(reader, tree, inject=stop_at(point), mutant=mutant, meanwhile=beside.run)
                stopped = beside.ran and run.met(point)
                if stopped or run.reported or run.code:
                    break
            verdict = _read_verdict(run)
            if not stopped or run.code:
                verdict.other.append(f"it was not stopped there or ended with {run.code}: {run.stderr[-1:]}")
            found.take(f"{scenario}, from {start[2] if start else 'the start'}, reader stopped at {point[2]}", verdict)
    return found


def _read_verdict(run: Run) -> Verdict:
    verdict = Verdict()
    for line in run.reported:
        kind, _, what = line.partition(" ")
        {"lost": verdict.lost, "doubled": verdict.doubled}.get(kind, verdict.partial).add(what)
    return verdict


BESIDE = Family(name="beside", jobs=_jobs, least=600, least_short=35, needs=needs_strace)
READERS = Family(name="readers", jobs=_read_jobs, least=300, least_short=40, needs=needs_strace)
