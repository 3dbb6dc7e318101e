"""How things are measured: turn by turn, pair by pair, each in a process of its own where that matters."""

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
    """What a piece of work took, the interpreter's start and imports apart; the peak includes them."""

    seconds: float
    cpu_seconds: float
    import_seconds: float
    peak_mib: float


def turns(names: Iterable[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Yield whose turn it is: each once in each round, another one first each time, so a slow moment meets all."""
    order = list(names)
    for number in range(rounds):
        first = number % len(order)
        yield from ((number, name) for name in order[first:] + order[:first])


def in_turn[Found](contestants: Mapping[str, Callable[[], Found]], rounds: int) -> dict[str, list[Found]]:
    """Let each have its turn in each round."""
    found: dict[str, list[Found]] = {name: [] for name in contestants}
    for _, name in turns(contestants, rounds):
        found[name].append(contestants[name]())
    return found


def ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Return the median of this over that, pair by pair."""
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Return what does the work and says how long it took."""

    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


def in_a_process(*arguments: str, python: str = sys.executable) -> bytes:
    """Run a module of this package in a process of its own and return what it prints."""
    command = [python, "-m", *arguments]
    done = subprocess.run(command, cwd=PROJECT, env=environment(), stdout=subprocess.PIPE, check=True)
    return done.stdout


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a measured process: bytecode is compiled and kept, nothing of ours is set."""
    kept = ("PATH", "HOME", "LANG", "JAVA_HOME", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | more


def memory(pid: int | str = "self") -> dict[str, float]:
    """Return what a process holds in memory, in MiB, under the kernel's names: VmRSS, RssAnon, VmHWM."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")}


def machine(folder: Path) -> dict[str, str]:
    """Return what a reader must know to judge the figures."""
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
    """Return the type and the options of what a folder lies on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    best = max(holding, key=lambda mount: len(mount[1]))
    return f"{best[2]} ({best[3]})"
