"""Measure the daemon: its memory, the time to its first test, the cost of a cycle, and whether its memory grows."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import elsewhere
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import PROJECT, environment, in_turn, memory, timed
from tests.benchmarks.program import Program
from tests.benchmarks.report import Cell, Figure, Report, Table

SETTLED = 100
BRIEF = 0.025
"""Seconds between two tests: the shortest interval that skips no slot. A skipped slot would add a row."""

BESIDE = ("pass", "import pyarrow", "import pandas", "import duckdb", "import boto3")
IMPORTED = """
import time
start = time.perf_counter()
{statement}
took = time.perf_counter() - start
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(took, *(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")))
"""


def run(ground: Ground) -> Report:
    """Measure a daemon whose speed-test program answers at once."""
    idle = [_idle(ground) for _ in range(3 if ground.quick else 7)]
    resident, own = (statistics.median(each[name] for each in idle) for name in ("VmRSS", "RssAnon"))
    start = _start(ground, 5 if ground.quick else 25)
    cycles = 600 if ground.quick else 10_000
    cpu, growth = cost_of_cycles(ground, cycles)
    figures = [
        Figure(what="daemon: resident, idle", value=resident, unit="MiB", budget=20, aim=17),
        Figure(what="daemon: memory of its own (RssAnon)", value=own, unit="MiB", budget=12, aim=9),
        Figure(what="daemon: start to first test, minus `pass`", value=start * 1e3, unit="ms", budget=100, aim=60),
        Figure(what="daemon: CPU of a cycle without the test", value=cpu * 1e3, unit="ms", budget=10, aim=5),
        Figure(what=f"daemon: growth from cycle {SETTLED} to {cycles:,}", value=growth, unit="MiB", budget=1),
    ]
    return Report(figures, [_beside(resident, own)])


class Daemon:
    """A running daemon."""

    def __init__(self, folder: Path, program: Path, seconds: float, upload_dir: Path | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "speedtest.handlers.loop"],
            cwd=PROJECT,
            env=environment(
                PATH=str(program),
                SLEEP_SECONDS=str(seconds),
                SPEEDTEST_SERVER="http=http://127.0.0.1:9/",  # if its program failed, no public service is asked
                RESULT_DIR=str(folder / "results"),
                UPLOAD_DIR=str(upload_dir or folder / "uploads"),
                LOG_DIR=str(folder / "logs"),
            ),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def memory(self) -> dict[str, float]:
        return memory(self._process.pid)

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of its threads, by the scheduler's clock, without its children."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def running(ground: Ground, seconds: float, upload_dir: Path | None = None) -> Iterator[tuple[Daemon, Program]]:
    """Run a daemon with this interval in its own folder."""
    with ground.scratch() as folder:
        program = Program(folder / "bin")
        daemon = Daemon(folder, program.folder, seconds, upload_dir)
        try:
            yield daemon, program
        finally:
            daemon.stop()
            program.close()


def cost_of_cycles(ground: Ground, cycles: int, upload_dir: Path | None = None) -> tuple[float, float]:
    """Return the CPU seconds of a cycle, and the growth of the daemon in MiB after the first cycles."""
    with running(ground, BRIEF, upload_dir) as (daemon, program):
        program.wait("started", SETTLED, seconds=600)
        before, cpu = daemon.memory["VmRSS"], daemon.cpu_seconds
        program.wait("started", cycles, seconds=1800)
        return (daemon.cpu_seconds - cpu) / (cycles - SETTLED), daemon.memory["VmRSS"] - before


def _idle(ground: Ground) -> dict[str, float]:
    """Return its memory when it waits after its first test."""
    with running(ground, 600) as (daemon, program):
        program.wait("started")
        time.sleep(1)  # the rest of the cycle takes milliseconds
        return daemon.memory


def _start(ground: Ground, rounds: int) -> float:
    """Return the median seconds from the start to the first test, minus those of `python -c pass`."""
    nothing = timed(lambda: subprocess.run([sys.executable, "-c", "pass"], env=environment(), check=True))
    found = in_turn({"daemon": lambda: _first_test(ground), "pass": nothing}, rounds)
    return statistics.median(ours - theirs for ours, theirs in zip(found["daemon"], found["pass"], strict=True))


def _first_test(ground: Ground) -> float:
    """Return the seconds from the start to the first test, minus those in which the program prints its version."""
    start = time.perf_counter()
    with running(ground, 600) as (_, program):
        asked = program.wait("asked")
        answered = program.wait("answered")
        return program.wait("started") - start - (answered - asked)


def _beside(resident: float, own: float) -> Table:
    """Show what other imports would cost."""
    rows: list[list[Cell]] = [["the daemon, idle", resident, own, None]]
    for statement in BESIDE:
        libraries = ["boto3", "duckdb", "pandas", "pyarrow"]
        try:
            took, *held = map(float, elsewhere.run(libraries, "-c", IMPORTED.format(statement=statement)).split())
        except elsewhere.Missing as why:
            rows.append([f"`{statement}`: not measured, {why}", None, None, None])
        else:
            rows.append([f"`{statement}`", *held, took * 1e3])
    columns = ["", "resident, MiB", "RssAnon, MiB", "import, ms"]
    return Table("The daemon's memory, compared with imports that it avoids", columns, rows)
