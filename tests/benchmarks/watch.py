"""Measure how exact the watch over the line is, and what it costs: `./bootstrap.sh bench watch [--runs N] [PART ...]`.

Prints a table for each part. Exit code 1 if a daemon told something wrong or a figure is over its budget. On a machine
without network namespaces it prints one line that says so; exit code 69.

- `faults`: the faults of `tests/support/line_faults.py`, each in homes of its own: all of ten runs in six minutes.
- `week`: a simulated week with 200 outages, in two minutes.
- `costs`: the daemon's memory and CPU with and without the watch, and what it sends, in three minutes.
- `lateness`: whether rounds are late while the machine is busy, in five minutes. Both need a machine with nothing else
  to do.
"""

import argparse
import contextlib
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import home
import msgspec
import pytest
import watching
from home import Home
from line_faults import FAULTS, WHOLE, Fault, Outcome, folder_for_all, outcome
from watching import DAY, compared

from tests.benchmarks import harness, rows
from tests.benchmarks.report import Cell, Figure, Table, plain, summary

RUNS = 10
HOMES = 32
"""So many at once: they sleep most of the time."""
COSTS_SECONDS = 180.0
LATENESS_SECONDS = 60.0
BACKLOG_DAYS = 180

HOG = """#!{python}
import os, sys, time
if "--version" in sys.argv:
    print("Speedtest by Ookla 1.2.0.84 (x)")
    sys.exit()
for _ in range(4 * os.process_cpu_count()):
    if not os.fork():
        break
end = time.monotonic() + 110
while time.monotonic() < end:
    pass
"""
"""A speed-test program that keeps every processor busy with four processes."""
SLOW_DISK = ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,link,rename,unlink")
SLOW_DISK += ("-e", "inject=fsync,link,rename,unlink:delay_enter=1500000")
"""Runs a command whose every sync, link, rename and removal of a file takes a second and a half."""


# ------------------------------------------------------------------------------------------------------ faults


class Told(msgspec.Struct, frozen=True):
    """All runs of one fault."""

    fault: Fault
    outcomes: Sequence[Outcome]

    @property
    def line(self) -> Sequence[Cell]:
        """The line of the table."""
        told = [each.told for each in self.outcomes if each.told is not None]
        return [
            self.fault.name,
            len(self.outcomes),
            self.fault.place or "no outage",
            ", ".join(sorted({place for each in self.outcomes for place in each.places})) or "no outage",
            f"{sum(each.found for each in self.outcomes)} of {sum(each.real for each in self.outcomes)}",
            sum(each.invented for each in self.outcomes),
            _range([at for each in self.outcomes for at in each.starts]),
            _range([at for each in self.outcomes for at in each.ends]),
            f"{_range(told, sign='')} {self.fault.unit}" if told else "",
        ]

    @property
    def wrong(self) -> list[str]:
        """What was told wrong, with the log of the first time."""
        said = [f"{self.fault.name}: {why}" for each in self.outcomes for why in each.wrong]
        return [*said, *[each.log for each in self.outcomes if each.wrong][:1]]


def faults(runs: int, words: str = "") -> tuple[Table, list[str]]:
    """Do each fault with these words in its name so many times, many at once, the long ones first."""
    chosen = [fault for fault in FAULTS if words in fault.name]
    planned = sorted([fault for fault in chosen for _ in range(runs)], key=lambda fault: -fault.seconds)
    with folder_for_all() as folder, ThreadPoolExecutor(HOMES) as pool:
        made = [pool.submit(outcome, fault, folder / str(at), WHOLE) for at, fault in enumerate(planned)]
        found = defaultdict[str, list[Outcome]](list)
        for fault, each in zip(planned, made, strict=True):
            found[fault.name].append(each.result())
    told = [Told(fault, found[fault.name]) for fault in chosen]
    columns = ["fault", "runs", "place", "told", "found", "invented", "start off by, s", "end off by, s", "told beside"]
    notes = [
        "Off by: how much later the row says that it began and ended than the command that did it, least to most.",
        "Where a cable is plugged in or a router starts, the kernel may take a second to find the router again.",
        f"The daemon looked every second, where nothing else is said; {HOMES} homes at once.",
    ]
    return Table("What the watch tells of each fault", columns, [each.line for each in told], notes), [
        why for each in told for why in each.wrong
    ]


def _range(values: Sequence[float], sign: str = "+") -> str:
    return f"{min(values):{sign}.2f} … {max(values):{sign}.2f}" if values else ""


# -------------------------------------------------------------------------------------------------------- week


def week() -> tuple[Table, list[str]]:
    """Watch a simulated week with 200 outages, every second and every ten."""
    lines, wrong = list[Sequence[Cell]](), list[str]()
    for interval in (1, 10):
        with pytest.MonkeyPatch.context() as patch:
            watching.without_kernel(patch)
            spans = watching.seeded(interval, number=200, seconds=7 * DAY)
            simulation = watching.watched(spans, 7 * DAY, WATCH_SECONDS=str(interval))
        found = compared(simulation, spans, interval)
        off = 100 * (found.seconds / found.real_seconds - 1)
        lines.append(
            [
                f"{interval} s",
                found.real,
                f"{found.certain_found} of {found.certain}",
                f"{found.found - found.certain_found} of {found.real - found.certain}",
                found.invented,
                _range(found.starts),
                _range(found.ends),
                f"{off:+.3f} %",
            ]
        )
        if found.invented or found.certain_found < found.certain or abs(off) > 1:
            wrong.append(f"every {interval} s: {found}")
    columns = [
        "interval",
        "outages",
        "found of those long enough",
        "of the shorter ones",
        "invented",
        "start off by, s",
        "end off by, s",
        "sum off by",
    ]
    notes = ["Long enough is three seconds more than the interval: an outage that no luck can hide."]
    return Table("A simulated week with 200 outages of 2 s to 6 h", columns, lines, notes), wrong


# ------------------------------------------------------------------------------------------------------- costs


class Around(msgspec.Struct, frozen=True):
    """What a daemon is started with."""

    program: str = ""
    """The speed-test program, if it is not one that fails at once."""
    under: Sequence[str] = ()
    """A command in front of the daemon's."""
    variables: Mapping[str, str] = {}


@contextlib.contextmanager
def running(at: Home, folder: Path, watch_seconds: float, around: Around = Around()) -> Iterator[int]:  # noqa: B008 (frozen)
    """Run a daemon in a home; yield its process's number once it watches."""
    variables = home.environment(folder, WATCH_SECONDS=f"{watch_seconds:g}", **around.variables)
    if around.program:
        (folder / "bin" / "speedtest").write_text(around.program)
    process = at.start(folder, "speedtest.handlers.loop", under=around.under, variables=variables)
    try:
        started = folder / "results" / (".watch.json" if watch_seconds else ".heartbeat.json")
        end = time.monotonic() + 60
        while not started.exists():
            if time.monotonic() > end:
                raise TimeoutError((folder / "stderr").read_text())
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):  # on a slow disk it takes long
            process.wait(10)
        process.kill()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process with all its threads, also those that have ended (Linux)."""
    return time.clock_gettime(~pid << 3 | 2)


class Cost(msgspec.Struct, frozen=True):
    """What a daemon took in some time."""

    mib: float
    cpu_percent: float
    mb_a_day: float


def cost(watch_seconds: float, versions: str) -> Cost:
    """Let a daemon do nothing but watch."""
    with folder_for_all() as folder, Home() as at:
        if versions == "4":
            at.ip("home", "-6 route del default")
        with running(at, folder, watch_seconds) as pid:
            time.sleep(15)
            cpu, moved, began = cpu_seconds(pid), at.bytes_moved(), time.monotonic()
            time.sleep(COSTS_SECONDS)
            seconds = time.monotonic() - began
            return Cost(
                harness.memory(pid)["VmRSS"],
                100 * (cpu_seconds(pid) - cpu) / seconds,
                (at.bytes_moved() - moved) / seconds * 86_400 / 1e6,
            )


def costs() -> tuple[Table, list[Figure]]:
    """Measure daemons with different intervals, side by side."""
    kinds = [(0.0, "46"), (10.0, "4"), (10.0, "46"), (1.0, "46")]
    with ThreadPoolExecutor(len(kinds)) as pool:
        found = dict(zip(kinds, pool.map(cost, *zip(*kinds, strict=True)), strict=True))
    lines: list[Sequence[Cell]] = [
        [
            f"every {seconds:g} s, {'IPv4 only' if versions == '4' else 'IPv4 and IPv6'}" if seconds else "off",
            each.mib,
            each.cpu_percent,
            each.mb_a_day,
        ]
        for (seconds, versions), each in found.items()
    ]
    default, ipv4 = found[10.0, "46"], found[10.0, "4"]
    figures = [
        Figure(what="watch every 10 s: the daemon, resident", value=default.mib, unit="MiB", budget=20),
        Figure(what="watch every 10 s: share of a core", value=default.cpu_percent, unit="%", budget=0.1),
        Figure(what="watch every 10 s: over the line, IPv4", value=ipv4.mb_a_day, unit="MB a day", budget=2.5),
    ]
    columns = ["watch", "resident, MiB", "CPU, % of a core", "over the line, MB a day"]
    notes = [
        "Over the line is what the provider's interface counts, both ways, as IP packets. The resolver is at home.",
        f"Measured for {COSTS_SECONDS:.0f} s after the first test.",
    ]
    return Table("What the watch costs", columns, lines, notes), figures


# ---------------------------------------------------------------------------------------------------- lateness


def _with_backlog(folder: Path) -> Around:
    """Write rows of many days, which the daemon converts when it starts."""
    rows.write(folder / "results", BACKLOG_DAYS)
    return Around()


BUSY: Mapping[str, Callable[[Path], Around]] = {
    "nothing": lambda _: Around(),
    "a test that keeps every processor busy": lambda _: Around(program=HOG.format(python=sys.executable)),
    f"a conversion of {BACKLOG_DAYS} days": _with_backlog,
    "a disk on which each sync takes 1.5 s": lambda _: Around(under=SLOW_DISK, variables={"SLEEP_SECONDS": "5"}),
}
"""What the daemon is busy with, and how that is prepared in its folder."""


def lateness() -> tuple[Table, list[Figure]]:
    """Look at the echoes that reach a target while the machine is busy."""
    lines, figures = list[Sequence[Cell]](), list[Figure]()
    for name, prepare in BUSY.items():
        if "disk" in name and not shutil.which(SLOW_DISK[0]):
            lines.append([f"{name}: not measured, there is no {SLOW_DISK[0]}", None, None, None, None])
            continue
        with folder_for_all() as folder, Home() as at, at.echoes() as seen:
            with running(at, folder, 1.0, prepare(folder)):
                time.sleep(LATENESS_SECONDS)
            late = [1000 * (after - before - 1) for before, after in itertools.pairwise(seen)]
            log = (folder / "stderr").read_text()
        unwatched = log.count('"line_unwatched"')
        lines.append([name, len(seen), statistics.median(late), max(late), unwatched])
        figures.append(Figure(what=f"beside {name}: the latest round", value=max(late), unit="ms", budget=250))
        figures.append(Figure(what=f"beside {name}: times not watched", value=unwatched, unit="", budget=0))
    columns = ["busy with", "rounds", "late, median, ms", "late, most, ms", "not watched"]
    notes = ["Late is what passes between two rounds beyond a second, by the clock of the target's kernel."]
    return Table("Whether rounds are late", columns, lines, notes), figures


# --------------------------------------------------------------------------------------------------------- all

PARTS = ("faults", "week", "costs", "lateness")


def main(arguments: Sequence[str]) -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="bench watch", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; default: all")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each fault ({RUNS})")
    parser.add_argument("--only", default="", metavar="WORDS", help="only the faults with these words in their name")
    asked = parser.parse_args(arguments)
    if strangers := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(strangers)}")
    parts = asked.parts or PARTS
    if set(parts) != {"week"} and not home.is_possible():
        sys.stderr.write("not measured: this benchmark needs root and network namespaces on Linux\n")
        sys.exit(os.EX_UNAVAILABLE)
    sys.stdout.reconfigure(line_buffering=True)  # pyrefly: ignore[missing-attribute]
    machine = harness.machine(Path(tempfile.gettempdir()))
    sys.stdout.writelines(f"- {name}: {value}\n" for name, value in machine.items())
    wrong, figures = list[str](), list[Figure]()
    for part in parts:
        if part in ("faults", "week"):
            table, more = faults(asked.runs, asked.only) if part == "faults" else week()
            wrong += more
        else:
            table, found = costs() if part == "costs" else lateness()
            figures += found
        sys.stdout.write(f"\n{table}")
    if figures:
        sys.stdout.write(f"\n{summary(figures)}")
        wrong += [f"over budget: {each.what}, {plain(each.value)}" for each in figures if each.verdict == "OVER BUDGET"]
    if wrong:
        sys.exit("\n".join(wrong))
