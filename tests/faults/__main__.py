"""`python -m tests.faults [--full | --short] [FAMILY ...]`: run families and print what they found, as one table."""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.faults import (
    beside,
    bitflips,
    clock,
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
    )
}
COLUMNS = "| family | cases | rows lost | rows doubled | partial reads | other breaches | time |"
SHOWN = 20


def main() -> None:
    options = _options()
    form = Form(full=options.full)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a worker forks: it must have one thread
    started = time.monotonic()
    failed = False
    sys.stdout.write(f"{COLUMNS}\n|---|--:|--:|--:|--:|--:|--:|\n")
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn"), initializer=family.warm_up) as pool:
        for name in options.families or [*FAMILIES, "mutants"]:
            failed |= not (_run_mutants(form, pool) if name == "mutants" else _run(FAMILIES[name], form, pool))
    sys.stdout.write(f"\n{'a full' if form.full else 'a short'} run, {time.monotonic() - started:.0f} s\n")
    sys.exit(1 if failed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--full", action="store_true", default=True, help="every case (the default)")
    form.add_argument("--short", action="store_false", dest="full", help="a sample that is the same each time")
    parser.add_argument("--jobs", type=int, default=os.process_cpu_count() or 1, help="processes beside each other")
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    options = parser.parse_args()
    if strangers := set(options.families) - {*FAMILIES, "mutants"}:
        parser.error(f"no family is called {', '.join(sorted(strangers))}; there are {', '.join(FAMILIES)}")
    return options


def _run(chosen: Family, form: Form, pool: ProcessPoolExecutor) -> bool:
    """Run a family and print its line; say whether it found nothing wrong in as many cases as it must have."""
    if why := chosen.needs():
        sys.stdout.write(f"| {chosen.name} | not run: {why} | | | | | |\n")
        return True
    started = time.monotonic()
    found = run_jobs(chosen.jobs(form, lambda ask: pool.submit(ask).result()), pool)
    line = (chosen.name, found.cases, found.lost, found.doubled, found.partial, found.other)
    sys.stdout.write(f"| {' | '.join(map(str, line))} | {time.monotonic() - started:.0f} s |\n")
    least = chosen.least if form.full else chosen.least_short
    if found.cases < least:
        found.notes.append(f"{found.cases} cases are fewer than the {least} that it must have")
    for note in found.notes[:SHOWN]:
        sys.stdout.write(f"  {note}\n")
    if len(found.notes) > SHOWN:
        sys.stdout.write(f"  … and {len(found.notes) - SHOWN} more\n")
    sys.stdout.flush()
    return not found.notes


def _run_mutants(form: Form, pool: ProcessPoolExecutor) -> bool:
    """Let the families loose on each mutant, and print which family catches it; say whether all were caught."""
    started = time.monotonic()
    rows: list[str] = []
    missed: list[str] = []
    for name, mutant in MUTANTS.items():
        for family_name in mutant.caught_by if form.full else mutant.caught_by[:1]:
            cases, note = _catch(name, mutant, FAMILIES[family_name.replace(" ", "-")], pool)
            rows.append(f"| {name} | {family_name} | {cases} | {note or 'NOT CAUGHT'} |")
            sys.stdout.write(rows[-1] + "\n")
            sys.stdout.flush()
            if not note:
                missed.append(name)
    sys.stdout.write(f"{len(missed)} missed, {time.monotonic() - started:.0f} s\n")
    return not missed


def _catch(name: str, mutant: Mutant, chosen: Family, pool: ProcessPoolExecutor) -> tuple[int, str | None]:
    """Run a family's cases on a mutant until one shows it; return how many that took, and what it showed."""
    jobs = list(
        chosen.jobs(
            Form(full=False, mutant=name, scenario=mutant.scenario, where=mutant.where),
            lambda ask: pool.submit(ask).result(),
        )
    )
    random.Random(name).shuffle(jobs)
    cases = 0
    for some in family.chunks(jobs, 2):
        for future in [pool.submit(job) for job in some]:
            found = future.result()
            cases += found.cases
            if found.lost + found.doubled + found.partial or (mutant.by_words and found.other):
                told = [note for note in found.notes if mutant.by_words or ": other: " not in note]
                return cases, told[0]
    return cases, None


def run_jobs(jobs: Iterable[Job], pool: ProcessPoolExecutor) -> Found:
    found = Found()
    for future in as_completed([pool.submit(job) for job in jobs]):
        try:
            found.add(future.result())
        except Exception as error:  # noqa: BLE001 (a case that breaks is a finding, not the end of the others)
            found.add(Found(other=1, notes=[f"a case broke: {error}"]))
    return found


if __name__ == "__main__":
    main()
