"""SIGKILL at every call that changes files: once, and a second time while the next run recovers."""

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from tests.faults import child
from tests.faults.calls import Call
from tests.faults.child import Point, Report, Run
from tests.faults.family import Ask, Bench, Family, Form, Found, Job, chunks, needs_strace, prepared, workshop
from tests.faults.judge import expected
from tests.faults.scenarios import SCENARIOS, finish

KILLED = -9

SECOND_KILLS = 5
"""Second kills for each first one. All second kills would take hours and be much alike."""


def points(calls: Iterable[Call], tree: Path) -> list[Point]:
    return [(call.name, call.nth, call.shown) for call in calls if call.changes and call.is_in(str(tree))]


def record(scenario: str, mutant: str | None) -> list[Point]:
    """Run a scenario to its end and return its calls that change files."""
    with workshop() as folder:
        tree = prepared(folder, scenario)
        run = child.run(SCENARIOS[scenario].run, tree, trace=True, mutant=mutant)
        return points(run.calls, tree)


def kill_at(point: Point) -> str:
    return f"{point[0]}:signal=SIGKILL:when={point[1]}"


def _once(form: Form, ask: Ask) -> Iterable[Job]:
    for scenario in form.scenarios:
        found = [point for point in ask(partial(record, scenario, form.mutant)) if form.wants(point[2])]
        for some in chunks(form.sample(found, 10), 12):
            yield partial(_kill_once, scenario, some, form.mutant)


def _kill_once(scenario: str, some: list[Point], mutant: str | None) -> Found:
    with workshop() as folder:
        bench = Bench(folder, mutant)
        for point in some:
            tree = prepared(folder, scenario)
            run = child.run(SCENARIOS[scenario].run, tree, inject=kill_at(point), mutant=mutant)
            wanted = expected(SCENARIOS[scenario], run.reported)
            bench.put(f"{scenario}, killed at {point[2]}", tree, wanted, _unkilled(run, point))
        return bench.judge()


def _unkilled(run: Run, point: Point) -> list[str]:
    if run.code == KILLED and run.met(point):
        return []
    return [f"it was not killed there but ended with {run.code} after {run.calls[-1].shown}"]


def _twice(form: Form, ask: Ask) -> Iterable[Job]:
    for scenario in form.scenarios:
        for point in form.sample(ask(partial(record, scenario, form.mutant)), 3):
            yield partial(_kill_twice, scenario, point, form)


def recover(tree: Path, report: Report) -> None:
    del report
    finish(tree)


def _kill_twice(scenario: str, first: Point, form: Form) -> Found:
    """Kill at one point, then kill the recovery at some of its points, different ones for each first point."""
    with workshop() as folder:
        tree, killed = prepared(folder, scenario), folder / "killed"
        run = child.run(SCENARIOS[scenario].run, tree, inject=kill_at(first), mutant=form.mutant)
        wanted = expected(SCENARIOS[scenario], run.reported)
        tree.rename(killed)
        shutil.copytree(killed, tree)
        bench = Bench(folder, form.mutant, at_once=False)
        clean = child.run(recover, tree, trace=True, mutant=form.mutant)
        for second in form.some(points(clean.calls, tree), SECOND_KILLS, 5, seed=first[2]):
            shutil.rmtree(tree, ignore_errors=True)
            shutil.copytree(killed, tree)
            again = child.run(recover, tree, inject=kill_at(second), mutant=form.mutant)
            bench.put(f"{scenario}, killed at {first[2]} and at {second[2]}", tree, wanted, _unkilled(again, second))
        return bench.judge()


ONCE = Family(name="kill", jobs=_once, least=250, least_short=40, needs=needs_strace)
TWICE = Family(name="kill twice", jobs=_twice, least=1000, least_short=50, needs=needs_strace)
