"""Break SpeedSnake in every way that it must survive. Print which rows were lost, doubled or seen half written.

The exit code is 1 if a family finds anything or runs fewer cases than its minimum.
"""

import argparse
import os
import random
import re
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context

from tests.faults import (
    beside,
    bitflips,
    child,
    clock,
    delivery,
    errors,
    family,
    kill,
    lock,
    malformed,
    power,
    programs,
    small_disk,
    soak,
)
from tests.faults.family import Family, Form, Found, Job
from tests.faults.mutants import MUTANTS, Mutant

FAMILIES: dict[str, Family] = {
    each.name.replace(" ", "-"): each
    for each in (
        kill.ONCE,
        kill.TWICE,
        errors.FAMILY,
        power.FAMILY,
        beside.BESIDE,
        beside.READERS,
        soak.FAMILY,
        small_disk.FAMILY,
        malformed.FAMILY,
        bitflips.FAMILY,
        programs.FAMILY,
        clock.FAMILY,
        lock.FAMILY,
        delivery.FAMILY,
    )
}
BROKEN_PROTOCOL = "broken-protocol"
NAMES = (*FAMILIES, BROKEN_PROTOCOL)
HEAD = "| family | cases | rows lost | rows doubled | partial reads | other breaches | time |"
MISTAKE = re.compile(r"\b(Type|Name|Attribute|UnboundLocal|Import)Error\b")
"""Errors of a mutant whose patch no longer fits the code. Without this check, the mutant would count as caught."""

SHOWN = 20
"""How many findings are printed for each family."""


def main() -> None:
    options = _options()
    form = Form(full=options.full)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # workers fork, so they must have one thread
    started = time.monotonic()
    _say(f"{HEAD}\n|---|--:|--:|--:|--:|--:|--:|")
    all_good = True
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"), initializer=family.warm_up) as pool:
        for name in options.families or NAMES:
            run = _break_protocol if name == BROKEN_PROTOCOL else _run
            all_good &= run(name, form, pool, must_run=options.all)
    _say(f"\n{'Full' if form.full else 'Short'} form, {time.monotonic() - started:.0f} s.")
    sys.exit(0 if all_good else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--full", action="store_true", default=True, help="every case, about half an hour (the default)")
    form.add_argument("--short", action="store_false", dest="full", help="a sample that is the same each time")
    parser.add_argument("--all", action="store_true", help="a family that cannot run on this machine is a failure")
    parser.add_argument("--jobs", type=int, default=os.process_cpu_count() or 1, help="how many cases run at once")
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(NAMES))
    options = parser.parse_args()
    if strangers := set(options.families) - set(NAMES):
        parser.error(f"no family is named {', '.join(sorted(strangers))}; choose from {', '.join(NAMES)}")
    return options


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _run(name: str, form: Form, pool: ProcessPoolExecutor, *, must_run: bool) -> bool:
    """Run a family and print its line; return whether it ran enough cases and found nothing wrong."""
    chosen = FAMILIES[name]
    if why := chosen.needs():
        return _not_run(chosen.name, why, must_run=must_run)
    started = time.monotonic()
    found = _run_jobs(chosen.jobs(form, lambda ask: _submit(ask, pool).result()), pool)
    least = chosen.least if form.full else chosen.least_short
    if found.cases < least:
        found.notes.append(f"it ran {found.cases} cases, fewer than its minimum of {least}")
    _show(chosen.name, found, started)
    return not found.notes


def _not_run(name: str, why: str, *, must_run: bool) -> bool:
    _say(f"| {name} | not run: {why} | | | | | |")
    return not must_run


def _show(name: str, found: Found, started: float) -> None:
    cells = (name, found.cases, found.lost, found.doubled, found.partial, found.other)
    _say(f"| {' | '.join(map(str, cells))} | {time.monotonic() - started:.0f} s |")
    for note in found.notes[:SHOWN]:
        _say(f"  {note}")
    if len(found.notes) > SHOWN:
        _say(f"  and {len(found.notes) - SHOWN} more")


def _submit[Result](job: partial[Result], pool: ProcessPoolExecutor) -> Future[Result]:
    """Run a job in a child of a worker. Jobs count calls, so none may find in memory what another job left there."""
    return pool.submit(child.call, job)


def _run_jobs(jobs: Iterable[Job], pool: ProcessPoolExecutor) -> Found:
    found = Found()
    for future in as_completed([_submit(job, pool) for job in jobs]):
        try:
            found.add(future.result())
        except Exception as error:  # noqa: BLE001 (a case that fails is a finding and must not end the others)
            found.add(Found(other=1, notes=[f"a case broke: {error}"]))
    return found


def _break_protocol(name: str, form: Form, pool: ProcessPoolExecutor, *, must_run: bool) -> bool:
    """Run families on each mutant, print which of them catch it, and return whether all mutants were caught."""
    if why := family.needs_strace():
        return _not_run(name.replace("-", " "), why, must_run=must_run)
    started = time.monotonic()
    lines: list[str] = []
    missed = 0
    mutants = _mutants(form)
    for mutant_name, mutant in mutants.items():
        for family_name in mutant.caught_by if form.full else mutant.caught_by[:1]:
            chosen = FAMILIES[family_name.replace(" ", "-")]
            if why := chosen.needs():
                lines.append(f"| {mutant_name} | {family_name} | not run: {why} | |")
                missed += must_run
                continue
            cases, shown = _catch(mutant_name, mutant, chosen, pool)
            missed += shown is None
            lines.append(f"| {mutant_name} | {family_name} | {cases} | {shown or 'NOT CAUGHT'} |")
    shown = f"{len(mutants)} mutants, {missed or 'none'} missed"
    _say(f"| {name.replace('-', ' ')} | {shown} | | | | | {time.monotonic() - started:.0f} s |")
    _say("\n| mutant | caught by | after cases | what it showed |\n|---|---|--:|---|")
    for line in lines:
        _say(line)
    return not missed


def _mutants(form: Form) -> dict[str, Mutant]:
    """Return the mutants to try. Those of the delivery start a store each, so the short form tries two of them."""
    of_delivery = [name for name, mutant in MUTANTS.items() if mutant.caught_by[0] == "delivery"]
    left_out = () if form.full else of_delivery[2:]
    return {name: mutant for name, mutant in MUTANTS.items() if name not in left_out}


def _catch(name: str, mutant: Mutant, chosen: Family, pool: ProcessPoolExecutor) -> tuple[int, str | None]:
    """Run a family's cases on a mutant until one fails; return how many that took and what the case showed."""
    form = Form(full=False, mutant=name, scenario=mutant.scenario, where=mutant.where)
    jobs = list(chosen.jobs(form, lambda ask: _submit(ask, pool).result()))
    random.Random(name).shuffle(jobs)
    cases = 0
    for some in family.chunks(jobs, 2):
        for future in [_submit(job, pool) for job in some]:
            found = future.result()
            cases += found.cases
            if found.lost + found.doubled + found.partial or (mutant.by_words and found.other):
                told = [note for note in found.notes if mutant.by_words or ": other: " not in note]
                if MISTAKE.search(told[0]):
                    raise ValueError(f"the mutant '{name}' does not fit the code any more; repair it: {told[0]}")
                return cases, told[0].replace("|", "/")[:160]
    return cases, None


if __name__ == "__main__":
    main()
