"""Power loss: play a recorded run on a simulated disk, and cut the power after every call."""

import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from tests.faults import child, disk, mutants
from tests.faults.calls import LOOKING, Call
from tests.faults.child import Point
from tests.faults.disk import Disk, Tree
from tests.faults.family import Ask, Family, Form, Found, Job, chunks, needs_strace, prepared, workshop
from tests.faults.judge import Expected, Verdict, aftermath, expected
from tests.faults.kill import kill_at, points, recover
from tests.faults.scenarios import SCENARIOS

STATES_AT_ONCE = 12
"""The most states that are judged for one moment; most moments have fewer."""

AFTER_A_FAULT = 16
"""States that are judged for a run with a fault, or after one. There are hundreds of such runs."""


class Story(msgspec.Struct, frozen=True):
    """What happens before the power loss: perhaps a fault in the run, and perhaps another run that recovers."""

    scenario: str
    inject: str | None = None
    at: Point | None = None
    recovered: bool = False
    shown: str = "a clean run"


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    for scenario in form.scenarios:
        calls: list[Point] = ask(partial(_points, scenario, form.mutant))
        syncs = [point for point in calls if point[0] in {"fsync", "fdatasync"}]
        stories = [Story(scenario)]
        stories += [
            Story(scenario, kill_at(point), point, recovered=True, shown=f"killed at {point[2]}, recovered")
            for point in form.sample([call for call in calls if form.wants(f"killed at {call[2]}, recovered")], 2)
        ]
        stories += [
            Story(scenario, f"fsync:error=EIO:when={point[1]}", point, shown=f"EIO at {point[2]}")
            for point in form.sample(syncs, 1)
        ]
        yield from (partial(_lose_power, story, form) for story in stories if form.wants(story.shown))


def _points(scenario: str, mutant: str | None) -> list[Point]:
    with workshop() as folder:
        tree = prepared(folder, scenario)
        run = child.run(SCENARIOS[scenario].run, tree, trace=True, mutant=mutant)
        return points(run.calls, tree)


def _lose_power(story: Story, form: Form) -> Found:
    """Record a story, and judge what a power loss leaves at each moment of its last run."""
    found = Found()
    with workshop() as folder:
        tree = prepared(folder, story.scenario)
        device = Disk(tree)
        run = child.run(SCENARIOS[story.scenario].run, tree, trace=True, inject=story.inject, mutant=form.mutant)
        if story.at and not run.met(story.at):
            raise RuntimeError(f"{story.scenario}, {story.shown}: the fault did not hit that call")
        calls = run.calls
        reported: list[str] = []
        if story.recovered:
            for call in calls:
                _play(device, call, tree, reported)
            device.end_process()
            calls = child.run(recover, tree, trace=True, mutant=form.mutant).calls
        moments = list(_moments(device, calls, tree, reported, form.count(STATES_AT_ONCE, 6)))
        for batch in chunks(_chosen(moments, story, form), 25):
            verdicts = child.call(_judge_states, folder, story.scenario, batch, form.mutant)
            for (where, _, _), verdict in zip(batch, verdicts, strict=True):
                found.take(f"{story.scenario}, {story.shown}, power lost after {where}", verdict)
            if form.mutant and found.breaches:
                break
    return found


def _chosen(moments: list["Moment"], story: Story, form: Form) -> list["Moment"]:
    """Return every moment of a clean run; after a fault only some moments, different ones for each fault."""
    return form.some(moments, AFTER_A_FAULT, 12, seed=story.shown) if story.inject else form.sample(moments, 12)


type Moment = tuple[str, list[str], Tree]
"""The last call, the reports until then, and one of the trees that may be left."""


def _moments(device: Disk, calls: list[Call], tree: Path, reported: list[str], most: int) -> Iterator[Moment]:
    seen: set[frozenset[object]] = set()
    for number, call in enumerate(calls):
        if not _play(device, call, tree, reported):
            continue
        for state in device.states(most, seed=number):
            key = frozenset([*state.items(), *reported])
            if key not in seen:
                seen.add(key)
                yield call.shown, list(reported), state


def _play(device: Disk, call: Call, tree: Path, reported: list[str]) -> bool:
    """Play a call; return whether it changed the disk or reported a row as saved."""
    if call.name == "sendto" and call.texts[0].startswith(child.REPORT.encode()):
        reported.append(call.texts[0].decode().removeprefix(child.REPORT).strip())
        return True
    if call.is_in(str(tree)) and call.name not in disk.KNOWN | LOOKING:
        raise ValueError(f"the simulated disk does not know {call.name}, which may change files; add it to disk.py")
    device.play(call)
    return call.changes and call.is_in(str(tree))


def _judge_states(folder: Path, scenario: str, moments: list[Moment], mutant: str | None) -> list[Verdict]:
    if mutant:
        mutants.apply(mutant)
    verdicts: list[Verdict] = []
    for number, (_, reported, state) in enumerate(moments):
        base = folder / f"state-{number}"
        disk.write(state, base)
        wanted: Expected = expected(SCENARIOS[scenario], reported)
        verdicts.append(aftermath(base / "tree", wanted))
        shutil.rmtree(base)
    return verdicts


FAMILY = Family(name="power loss", jobs=_jobs, least=1000, least_short=100, needs=needs_strace)
