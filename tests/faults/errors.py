"""Errors in place of calls: each error at every call, once only or from then on always."""

import json
from collections.abc import Iterable
from functools import partial

from speedtest.terminal import exits
from tests.faults import child
from tests.faults.child import Point, Run
from tests.faults.family import Ask, Bench, Family, Form, Found, Job, chunks, needs_strace, prepared, workshop
from tests.faults.judge import expected
from tests.faults.rows import Outage
from tests.faults.scenarios import SCENARIOS, Scenario

WRITING = ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EMFILE", "EINTR")
"""Errors of calls that change files."""

READING = ("EIO",)
"""Errors of calls that change nothing."""

NEVER_ENDS = 1.0
"""Seconds until a program is ended whose interpreter repeats a call forever because of EINTR."""

type Fault = tuple[str, Point]
"""The injected error, and where."""


def faults(scenario: str, mutant: str | None) -> list[Fault]:
    """Run a scenario to its end and return every error for each of its calls in its tree."""
    found: list[Fault] = []
    with workshop() as folder:
        tree = prepared(folder, scenario)
        run = child.run(SCENARIOS[scenario].run, tree, trace=True, mutant=mutant)
        for call in run.calls:
            if call.is_in(str(tree)) and not call.error:
                for error in WRITING if call.changes else READING:
                    found += [
                        (f"{error}:when={call.nth}{for_good}", (call.name, call.nth, call.shown))
                        for for_good in ("", "+")
                    ]
    return found


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    for scenario in form.scenarios:
        found: list[Fault] = ask(partial(faults, scenario, form.mutant))
        wanted = [(error, point) for error, point in found if form.wants(f"{error} at {point[2]}")]
        for some in chunks(form.sample(wanted, 16), 10):
            yield partial(_fail, scenario, some, form.mutant)


def _fail(scenario: str, some: list[Fault], mutant: str | None) -> Found:
    with workshop() as folder:
        bench = Bench(folder, mutant, at_once=False)
        for error, point in some:
            may_hang = error.startswith("EINTR") and error.endswith("+")
            tree = prepared(folder, scenario)
            run = child.run(
                SCENARIOS[scenario].run,
                tree,
                inject=f"{point[0]}:error={error}",
                mutant=mutant,
                patience=NEVER_ENDS if may_hang else child.PATIENCE,
            )
            wrong = _manners(run, point, may_hang=may_hang) + _unaccounted(SCENARIOS[scenario], run)
            wanted = expected(SCENARIOS[scenario], run.reported)
            bench.put(f"{scenario}, {error} at {point[2]}", tree, wanted, wrong)
        return bench.judge()


def _manners(run: Run, point: Point, *, may_hang: bool) -> list[str]:
    """Check that the program has met the error and has ended without a traceback."""
    wrong: list[str] = []
    if not run.hung and not (run.injected and run.met(point)):
        wrong.append("the error was not injected there")
    if run.hung and not may_hang:
        wrong.append("it never ended")
    if any(line.startswith("Traceback") or "Traceback" in line for line in run.stderr):
        wrong.append(f"an unexpected error: {' / '.join(run.stderr[-4:])}")
    return wrong


def _unaccounted(scenario: Scenario, run: Run) -> list[str]:
    """Check that each row was either saved or, at the daemon's end, printed, so that a person can save it.

    An outage may be both: in the file of the watch, and printed. The printed path is that of the file's row.
    """
    if scenario.killed or run.hung or run.code == exits.MISCONFIGURED:  # nothing was measured
        return []
    reported = {line.split()[1] for line in run.reported}
    printed = {json.loads(line)["unsaved_row"].encode() for line in run.stderr if line.startswith('{"unsaved_row"')}
    wrong: list[str] = []
    for row in scenario.new:
        is_saved, is_printed = row.name in reported, not printed.isdisjoint(row.contents)
        if not (is_saved or is_printed):
            wrong.append(f"{row.name} was neither saved nor printed")
        if is_saved and is_printed and not isinstance(row, Outage):
            wrong.append(f"{row.name} was both saved and printed")
    return wrong


FAMILY = Family(name="errors", jobs=_jobs, least=2500, least_short=100, needs=needs_strace)
