"""Kill the child that sends rows at every step, and count what its receiver got: `… publishing [--every N]`.

The receivers are real: an HTTP receiver and InfluxDB 1.x on loopback. Rows lie in CSV files and in Parquet files.
strace records a run's calls that change its notes or use a socket, then kills a new run at each of them. A second run
is not killed. Then every row must be there. A webhook may have one twice, under the same id, only where the kill fell
between the receiver's yes and the note of it.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from daemon import run, variables
from receivers import hook, influxdb, mosquitto
from samples import HOME, day_of, keep, measured, utc

_CALLS = "openat,write,fsync,rename,link,unlink,mkdir,close,socket,connect,sendto,recvfrom"
_LINE = re.compile(r"(\w+)\((.*)")
KILLED = -9


class Point(msgspec.Struct, frozen=True):
    """A call at which a run is killed."""

    name: str
    nth: int
    shown: str


class Count(msgspec.Struct):
    """What the receiver got after all kills."""

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    """The same row under the same id."""
    in_window: int = 0
    """Of these, after a kill between the receiver's yes and the note."""
    most_by_one_kill: int = 0
    """How many rows a single kill doubled at most."""
    invented: int = 0
    other_ids: int = 0
    """Rows that came twice under two ids."""


def prepare(folder: Path) -> int:
    """Make a RESULT_DIR and a lake in a folder; return how many rows they hold."""
    old = day_of(utc(2026, 11, 24), 3)
    keep(old, folder / "results")
    assert run(folder, "convert").returncode == 0
    new = [measured(utc(2026, 11, 26) + timedelta(hours=hour), seed=hour) for hour in range(3)]
    keep(new, folder / "results")
    return len(old) + len(new)


def begun(folder: Path, name: str, environment: Mapping[str, str]) -> None:
    """Let the receiver be known, with nothing taken: a webhook takes no history, but what waited since."""
    (folder / "empty").mkdir()
    empty = {"RESULT_DIR": str(folder / "empty"), "UPLOAD_DIR": str(folder / "empty")}
    run(folder, "publish", name, programs=None, **{**environment, **empty})
    shutil.copytree(folder / "empty" / "publishing", folder / "results" / "publishing")
    for path in (folder / "results" / "publishing").glob("*-*.json"):
        if path.suffixes == [".json"]:
            path.write_bytes(re.sub(rb'"looked":"[^"]*"', b'"looked":null', path.read_bytes()))


def points(folder: Path, name: str, environment: Mapping[str, str]) -> list[Point]:
    """Record a run and return its calls that change its notes or use a socket."""
    log = folder / "strace"
    code = _publish(folder, name, environment, "-y", "-o", str(log), "-e", f"trace={_CALLS}")
    assert code == 0, code
    counts: Counter[str] = Counter()
    found: list[Point] = []
    for line in log.read_text(errors="replace").splitlines():
        if not (call := _LINE.match(line)):
            continue
        counts[call[1]] += 1
        if "/results/publishing" in call[2] or "socket:[" in call[2] or call[1] == "socket":
            found.append(Point(call[1], counts[call[1]], line[:90]))
    return found


def _publish(folder: Path, name: str, environment: Mapping[str, str], *options: str) -> int:
    """Run the child under strace; return its exit code."""
    command = [shutil.which("strace") or "strace", *options, sys.executable, "-m", "speedtest.handlers.publish", name]
    surroundings = variables(folder, **{"SPEEDTEST_LOCATION_UUID": HOME, **environment})
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, check=False, timeout=120
    ).returncode


def kills(
    name: str,
    environment: Mapping[str, str],
    took: Callable[[], list[tuple[str, str]]],
    forget: Callable[[], object],
    every: int,
) -> Count:
    """Kill a run at each `every`th of its steps. `took` returns id and measured time of each row taken."""
    count = Count()
    with tempfile.TemporaryDirectory(prefix="speedsnake-publishing-") as base:
        model = Path(base) / "model"
        model.mkdir()
        rows = prepare(model)
        begun(model, name, environment)
        first = Path(base) / "first"
        shutil.copytree(model, first)
        forget()
        steps = points(first, name, environment)
        assert len(took()) == rows
        wanted = {when for _, when in took()}
        for number, point in enumerate(steps[::every]):
            folder = Path(base) / str(number)
            shutil.copytree(model, folder)
            forget()
            _kill(folder, name, environment, point, count, took, wanted)
            shutil.rmtree(folder)
    return count


def _kill(  # noqa: PLR0913, PLR0917 (what one kill needs)
    folder: Path,
    name: str,
    environment: Mapping[str, str],
    point: Point,
    count: Count,
    took: Callable[[], list[tuple[str, str]]],
    wanted: set[str],
) -> None:
    inject = f"inject={point.name}:signal=SIGKILL:when={point.nth}"
    code = _publish(folder, name, environment, "-o", "/dev/null", "-e", f"trace={point.name}", "-e", inject)
    assert code == KILLED, (point.shown, code)
    before = len(took())
    noted = sum(path.read_bytes().count(b"\n") for path in (folder / "results" / "publishing").glob("*.rows"))
    assert _publish(folder, name, environment, "-o", "/dev/null", "-e", "trace=none") == 0, point.shown
    got = took()
    ids, times = Counter(id_ for id_, _ in got), Counter(when for _, when in got)
    count.kills += 1
    count.lost += len(wanted - times.keys())
    count.invented += len(times.keys() - wanted)
    count.doubled += (doubled := ids.total() - len(ids))
    count.most_by_one_kill = max(count.most_by_one_kill, doubled)
    count.in_window += doubled if before > noted else 0
    count.other_ids += len(ids) - len(times)


def by_webhook(every: int) -> Count:
    """Kill the child of a webhook."""
    with hook() as receiver:

        def took() -> list[tuple[str, str]]:
            return [(request.id, str(request.json["timestamp"])) for request in receiver.got]

        return kills("webhook", {"WEBHOOK_URL": receiver.url}, took, receiver.got.clear, every)


def by_influx(every: int) -> Count:
    """Kill the child of a store."""
    with tempfile.TemporaryDirectory(prefix="speedsnake-influx-") as folder, influxdb(Path(folder)) as server:

        def took() -> list[tuple[str, str]]:
            return [(str(row["time"]), str(row["time"] // 1000)) for row in server.ask("select ok from speedtest")]

        def forget() -> None:
            server.ask("drop database speedsnake")
            server.ask("create database speedsnake")

        return kills("influx", {"INFLUX_URL": server.url}, took, forget, every)


def table(counts: Mapping[str, Count]) -> str:
    """Return the counts for people."""
    names = Count.__struct_fields__
    lines = [f"| receiver | {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(str(getattr(found, each)) for each in names)} |" for name, found in counts.items()
    ]
    return "\n".join(lines) + "\n"


def is_good(counts: Iterable[Count]) -> bool:
    """Return whether no row was lost, invented or known by two ids, and none doubled but one in the window."""
    return not any(
        found.lost or found.invented or found.other_ids or found.doubled > found.in_window or found.most_by_one_kill > 1
        for found in counts
    )


_COST = """
import atexit, runpy, sys, time
status = lambda: next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
atexit.register(lambda: print("COST", int(status().split()[1]) / 1024, time.process_time()))
runpy.run_module("speedtest.handlers.publish", run_name="__main__")
"""


def _cost(folder: Path, what: str, *arguments: str, **more: str) -> str:
    """Run the child and return a line: what it did, its peak memory and its CPU time."""
    surroundings = variables(folder, **{"SPEEDTEST_LOCATION_UUID": HOME, **more})
    command = [sys.executable, "-c", _COST, *arguments]
    ended = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=True)
    mebibytes, seconds = map(float, ended.stdout.rpartition("COST ")[2].split())
    return f"| {what} | {mebibytes:.0f} MiB | {seconds:.2f} s |\n"


def costs(days: int) -> str:
    """Return what a child costs: with one row to send, and with so many days of Parquet."""
    lines = ["| sent | peak memory | CPU |\n|---|--:|--:|\n"]
    with tempfile.TemporaryDirectory(prefix="speedsnake-costs-") as base, influxdb(Path(base) / "influx") as server:
        folder = Path(base) / "home"
        keep([measured(utc(2026, 11, 27))], folder / "results")
        with hook() as receiver:
            lines.append(_cost(folder, "one row to a webhook", "webhook", WEBHOOK_URL=receiver.url))
        with mosquitto(Path(base) / "broker") as port:
            lines.append(_cost(folder, "the state by MQTT", "mqtt", MQTT_URL=f"mqtt://127.0.0.1:{port}"))
        lines.append(_cost(folder, "one row to InfluxDB", "influx", INFLUX_URL=server.url))
        shutil.rmtree(folder)
        for number in range(days):
            keep(day_of(utc(2026, 11, 26) - timedelta(days=number)), folder / "results")
        assert run(folder, "convert").returncode == 0
        lines.append(_cost(folder, f"{days} days of Parquet to InfluxDB", "influx", INFLUX_URL=server.url))
    return "".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Count, print, and fail if a row was lost or doubled outside the window."""
    parser = argparse.ArgumentParser(prog="publishing", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="kill at every Nth step only")
    parser.add_argument("--costs", type=int, metavar="DAYS", help="print only what sending so many days costs")
    options = parser.parse_args(arguments)
    if options.costs:
        sys.stdout.write(costs(options.costs))
        return
    every = options.every
    counts = {"webhook": by_webhook(every), "InfluxDB": by_influx(every)}
    sys.stdout.write(table(counts))
    sys.exit(0 if is_good(counts.values()) else 1)
