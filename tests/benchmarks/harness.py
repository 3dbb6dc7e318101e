"""How benchmarks measure: in turns, compared in pairs, and in separate processes if it matters."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
from paths import PROJECT


class Cost(msgspec.Struct, frozen=True):
    """The cost of some work. The times leave out the start of Python and imports; the peak includes them."""

    seconds: float
    cpu_seconds: float
    import_seconds: float
    peak_mib: float


def turns(names: Iterable[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Yield whose turn it is: each once per round, and each round starts with another, so slow moments hit all."""
    order = list(names)
    for number in range(rounds):
        first = number % len(order)
        yield from ((number, name) for name in order[first:] + order[:first])


def in_turn[Found](contestants: Mapping[str, Callable[[], Found]], rounds: int) -> dict[str, list[Found]]:
    """Call each contestant once per round, and return what each returned."""
    found: dict[str, list[Found]] = {name: [] for name in contestants}
    for _, name in turns(contestants, rounds):
        found[name].append(contestants[name]())
    return found


def ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Return the median of the ratios this ÷ that of all pairs."""
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Return a function that does the work and returns the seconds it took."""

    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


def in_a_process(*arguments: str, python: str = sys.executable) -> bytes:
    """Run a module of this package in its own process and return what it prints."""
    command = [python, "-m", *arguments]
    done = subprocess.run(command, cwd=PROJECT, env=environment(), stdout=subprocess.PIPE, check=True)
    return done.stdout


def environment(**more: str) -> dict[str, str]:
    """Return the variables for a measured process: none of SpeedSnake's, and none that stops the bytecode cache."""
    kept = ("PATH", "HOME", "LANG", "JAVA_HOME", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | more


def memory(pid: int | str = "self") -> dict[str, float]:
    """Return the memory of a process in MiB, by the kernel's names: VmRSS, RssAnon, VmHWM."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")}


def machine(folder: Path) -> dict[str, str]:
    """Return what a reader needs to know about this machine to judge the figures."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    libraries = ("pyarrow", "pandas", "duckdb", "polars", "msgspec")
    return {
        "processor": f"{os.process_cpu_count()} x {models[0] if models else platform.machine()}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "disk": file_system(folder),
        "load at the start": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "libraries": ", ".join(f"{name} {version(name)}" for name in libraries),
    }


def file_system(folder: Path) -> str:
    """Return the type and the mount options of a folder's file system."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    best = max(holding, key=lambda mount: len(mount[1]))
    return f"{best[2]} ({best[3]})"
