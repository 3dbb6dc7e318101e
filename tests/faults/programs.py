"""Programs that misbehave: whatever one does, it leaves exactly one row, in bounded time and memory."""

import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from standins import ookla
from standins.ookla_behaviours import BEHAVIOURS, Behaviour

from speedtest import environment, programs, speedtest
from speedtest.data import lake, results
from speedtest.engines import ENGINES
from speedtest.process import Stop
from speedtest.speedtest import Slot
from tests.faults import child, mutants
from tests.faults.family import Ask, Family, Form, Found, Job, workshop
from tests.faults.judge import Verdict
from tests.faults.rows import HERE
from tests.faults.scenarios import RESULTS, UPLOADS, run_conversion

LIMIT_SECONDS = 1.5
"""The time limit for a program that never ends by itself."""

GRACE_SECONDS = 8.0
"""How much longer an attempt may take on a busy machine; the daemon's own grace is 1.5."""

MOST_MEMORY = 24 * 1024
"""KiB that an attempt may add, whatever the program prints: two streams of 1 MiB, and parsing."""


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    del ask
    names = list(BEHAVIOURS)
    return (partial(_attempt, name, form.mutant) for name in form.sample(names, len(names) // 4))


def _attempt(name: str, mutant: str | None) -> Found:
    found = Found()
    with workshop() as folder:
        program = ookla.install(folder / "bin", name)
        try:
            found.take(name, child.call(_measure_and_convert, folder, BEHAVIOURS[name], mutant))
        finally:
            ookla.end(program)
    return found


def _measure_and_convert(folder: Path, behaviour: Behaviour, mutant: str | None) -> Verdict:
    if mutant:
        mutants.apply(mutant)
    verdict, tree = Verdict(), folder / "tree"
    (tree / RESULTS).mkdir(parents=True)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    variables = {"PATH": path, "HOME": str(folder), "SPEEDTEST_LOCATION_UUID": HERE, "SPEEDTEST_ENGINE": "ookla"}
    seconds = LIMIT_SECONDS if behaviour.endless else 60.0
    settings = environment.read(variables | {"SPEEDTEST_TIMEOUT_SECONDS": str(seconds)}, ENGINES)
    program = programs.find(settings, variables, Stop())
    assert program
    before, started = _memory(), time.monotonic()
    measurement = speedtest.run(program, settings, Slot(datetime.now(UTC)), variables, Stop())
    took, more = time.monotonic() - started, _memory() - before
    if took > seconds + GRACE_SECONDS or more > MOST_MEMORY:
        verdict.other.append(f"the attempt took {took:.1f} s and {more} KiB")
    assert measurement
    results.save(results.encode(measurement), tree / RESULTS)
    for _ in range(2):  # a result is of 2024 and is converted, a failure is of today and is not
        rows = lake.read(result_dir=tree / RESULTS, upload_dir=tree / UPLOADS).to_dict("records")
        _compare([{str(name): value for name, value in row.items()} for row in rows], behaviour, verdict)
        run_conversion(tree)
    return verdict


def _compare(rows: list[Mapping[str, Any]], behaviour: Behaviour, verdict: Verdict) -> None:
    if not rows:
        verdict.lost.add("the attempt made no row")
    if len(rows) > 1:
        verdict.doubled.add(f"the attempt made {len(rows)} rows")
    for row in rows:
        kind = row["error_kind"] if isinstance(row["error_kind"], str) else None
        if (row["status"], kind) != (behaviour.status, behaviour.error_kind):
            verdict.other.append(f"the row says {row['status']}, {kind}: {row['error']}")


def _memory() -> int:
    """Return the peak of this process's resident memory since the last call, in KiB, and reset it."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0])


def needs_proc() -> str | None:
    return None if Path("/proc/self/clear_refs").exists() else "the peak of memory is read from Linux's /proc"


FAMILY = Family(name="program faults", jobs=_jobs, least=25, least_short=10, needs=needs_proc)
