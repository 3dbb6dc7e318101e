"""A full disk: small file systems in memory, with many sizes and few inodes, which are enlarged later."""

import ctypes
import json
import os
import subprocess
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from daemon import DaemonProcess, run as run_handler, until
from standins import ookla

from speedtest.daemon.clock_watch import ClockWatch
from speedtest.daemon.outages import Outages
from speedtest.data import lake, results
from speedtest.data.row_queue import RowQueue
from speedtest.terminal import startup
from tests.faults import child, judge, mutants
from tests.faults.child import Report
from tests.faults.family import Ask, Family, Form, Found, Job, workshop
from tests.faults.judge import Expected, Verdict
from tests.faults.line import Line, ScriptedWatch, SetClock
from tests.faults.rows import HERE, THERE, Row, outage, row
from tests.faults.scenarios import RESULTS, UPLOADS, finish, run_conversion, set_environment

OUTAGES = [outage(number, seen=(4,), seconds=64) for number in range(5)]
"""Each begins while rows are saved and ends some rows later; the last one lasts until the daemon's next start."""
ROWS = [row(number, 1 + number % 2, address=THERE if number % 7 == 0 else HERE) for number in range(100, 140)]
SIZES = [f"size={kibibytes}k" for kibibytes in range(8, 248, 6)]
INODES = [f"nr_inodes={count}" for count in range(4, 64, 4)]
PRIVATE = 1 << 18 | 1 << 14
REMOUNT = 1 << 5
TODAY = ookla.RESULTS["1.2.0"].text.replace("2024-03-09T14:25:36Z", ookla.NOW)
"""A result of today, which is not a complete day."""

ROOM = "size=64m,nr_inodes=10000"


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    del ask
    for limit in [*form.sample(SIZES, 5), *form.sample(INODES, 3)]:
        yield partial(_fill, limit, form.mutant)
    for case in (_waits_and_is_saved, _is_printed_at_the_end, _waits_for_the_lake):
        yield partial(_daemon, case.__name__)


def needs_mounts() -> str | None:
    with workshop() as folder:
        try:
            child.call(mount, folder, SIZES[0])
        except RuntimeError as error:
            return f"a small tmpfs cannot be mounted here ({str(error).strip().splitlines()[-1]})"
    return None


def mount(folder: Path, options: str, *, again: bool = False) -> None:
    """Mount a tmpfs on a folder. Only this process and its children see it; it ends with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not again:
        _leave_the_mounts_of_others(libc)
    flags = REMOUNT if again else 0
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", flags, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))


def _leave_the_mounts_of_others(libc: ctypes.CDLL) -> None:
    user, group = os.getuid(), os.getgid()
    if user == 0:
        os.unshare(os.CLONE_NEWNS)
    else:
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    libc.mount(b"none", b"/", None, PRIVATE, None)


def _fill(limit: str, mutant: str | None) -> Found:
    with workshop() as folder:
        found = Found()
        found.take(f"rows and conversions on a disk of {limit}", child.call(_fill_disk, folder / "tree", limit, mutant))
        return found


def _fill_disk(tree: Path, limit: str, mutant: str | None) -> Verdict:
    """Save more rows and outages than fit on the disk, try to convert, make room, and find each row once."""
    tree.mkdir()
    mount(tree, limit)
    if mutant:
        mutants.apply(mutant)
    every: dict[str, Row] = {each.name: each for each in (*ROWS, *OUTAGES)}
    lasted: dict[str, float] = {}
    with_rows = Expected(every, set(), {data for each in every.values() for data in each.contents}, lasted=lasted)

    def note(line: str) -> None:
        _, name, seconds = line.split()
        with_rows.saved.add(name)
        lasted[name] = float(seconds)

    line = _line(tree, note)
    waiting = RowQueue(tree / RESULTS)
    names = {results.encode(each.measurement): each.name for each in ROWS}
    for number, row_ in enumerate(names):
        _let_pass(line, number)
        waiting.add(row_)
        with_rows.saved |= {names[saved] for saved in waiting.save()}
    child.run(_try_to_convert, tree)
    verdict = judge.judge(tree, with_rows)
    with_rows.saved |= {names[saved] for saved in waiting.save()}  # the conversion has made a little room
    child.run(_try_to_convert, tree)
    verdict.add(judge.judge(tree, with_rows))
    mount(tree, ROOM, again=True)
    with_rows.saved |= {names[saved] for saved in waiting.save()}
    line.keep()
    line.note()
    verdict.lost |= every.keys() - with_rows.saved
    finish(tree)
    verdict.add(judge.aftermath(tree, with_rows))
    return verdict


def _line(tree: Path, report: Report) -> Line:
    """Return a line whose outages a daemon keeps that has just started."""
    set_environment(tree)
    clock = SetClock(synced=True)
    watch = ScriptedWatch(clock)
    outages = Outages(startup.settings(), clock, ClockWatch(clock, tree / RESULTS), watch)
    outages.begin()
    return Line(outages, watch, report)


def _let_pass(line: Line, number: int) -> None:
    """Let every eighth row meet the beginning of an outage, and the fourth row after it the end."""
    which, row_ = divmod(number, 8)
    if row_ == 0:
        line.is_down(OUTAGES[which], 4)
        line.note()
    elif row_ == 4 and OUTAGES[which] is not OUTAGES[-1]:
        line.is_up(OUTAGES[which])
        line.keep()


def _try_to_convert(tree: Path, report: Report) -> None:
    del report
    run_conversion(tree)


def _daemon(case: str) -> Found:
    with workshop() as folder:
        found = Found()
        found.take(f"the daemon: {case[1:].replace('_', ' ')}", child.call(globals()[case], folder))
        return found


def _start(folder: Path, limit: str) -> DaemonProcess:
    """Start a daemon that measures five times a second, with its folders of rows on a small disk."""
    disk = folder / "disk"
    disk.mkdir()
    mount(disk, limit)
    ookla.install(folder / "bin", result=TODAY)
    return DaemonProcess(folder / "home", folder / "bin", SLEEP_SECONDS="0.2", **_places(disk))


def _places(disk: Path) -> dict[str, str]:
    return {"RESULT_DIR": str(disk / RESULTS), "UPLOAD_DIR": str(disk / UPLOADS), "LOG_LEVEL": "INFO"}


def _use_up(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


def _health(folder: Path) -> subprocess.CompletedProcess[str]:
    return run_handler(folder / "home", "healthcheck", programs=None, **_places(folder / "disk"))


def _counted(daemon: DaemonProcess, disk: Path) -> tuple[int, int]:
    """Return how many tests the daemon has logged and how many rows of tests a reader finds."""
    frame = lake.read(result_dir=disk / RESULTS, upload_dir=disk / UPLOADS)
    assert not frame.duplicated(["started_at", "slot"]).any(), "a row is there twice"
    return len(daemon.logged("measured")), int((frame["status"] != "skipped").sum())


def _waits_and_is_saved(folder: Path) -> Verdict:
    verdict, disk = Verdict(), folder / "disk"
    with _start(folder, "size=512k") as daemon:
        until(lambda: len(daemon.logged("measured")) >= 3)
        ballast = _use_up(disk)
        until(lambda: daemon.logged("row_refused"))
        before = len(daemon.logged("measured"))
        until(lambda: len(daemon.logged("measured")) >= before + 8)
        sick = _health(folder)
        ballast.unlink()
        until(lambda: daemon.logged("rows_saved"))
        until(lambda: not _health(folder).returncode)
        code = daemon.stop()
        measured, found = _counted(daemon, disk)
        told = [len(daemon.logged("row_refused")), len(daemon.logged("rows_saved"))]
    if sick.returncode != 1 or "cannot be written" not in sick.stderr:
        verdict.other.append(f"the health check said {sick.returncode}: {sick.stderr}")
    if measured != found:
        verdict.lost.add(f"{measured} tests made {found} rows")
    if told != [1, 1] or code:
        verdict.other.append(f"row_refused and rows_saved were logged {told} times, the exit code was {code}")
    return verdict


def _is_printed_at_the_end(folder: Path) -> Verdict:
    verdict, disk = Verdict(), folder / "disk"
    with _start(folder, "size=512k") as daemon:
        until(lambda: len(daemon.logged("measured")) >= 3)
        _use_up(disk)
        until(lambda: daemon.logged("row_refused"))
        before = len(daemon.logged("measured"))
        until(lambda: len(daemon.logged("measured")) >= before + 5)
        daemon.stop()
        measured, found = _counted(daemon, disk)
        printed = [json.loads(line) for line in daemon.stderr.splitlines() if line.startswith('{"unsaved_row"')]
    tests = [line for line in printed if ",skipped," not in line["unsaved_row"]]
    if measured != found + len(tests) or len(tests) < 5:
        verdict.lost.add(f"{measured} tests made {found} rows and {len(tests)} that were printed")
    mended = folder / "mended"
    for number, row_ in enumerate(printed):  # what a person would do with them
        day = (
            mended
            / f"year={row_['timestamp'][:4]}"
            / f"month={row_['timestamp'][5:7]}"
            / f"day={row_['timestamp'][8:10]}"
        )
        day.mkdir(parents=True, exist_ok=True)
        (day / f"speedtest_{number}.csv").write_text(row_["unsaved_row"])
    if len(lake.read(result_dir=mended, upload_dir=mended)) != len(printed):
        verdict.lost.add("rows that were printed cannot be read again")
    return verdict


def _waits_for_the_lake(folder: Path) -> Verdict:
    """Only UPLOAD_DIR is full: rows are saved, and the failing conversion is logged once, not every cycle."""
    verdict, disk = Verdict(), folder / "disk"
    day = folder / "home" / "rows" / "year=2026" / "month=01" / "day=01"
    day.mkdir(parents=True)
    (day / "speedtest_12-00-00.csv").write_bytes(ROWS[0].data)
    with _start_converting(folder) as daemon:
        until(lambda: daemon.logged("conversion_failed", "could not convert 2"))
        before = len(daemon.logged("measured"))
        until(lambda: len(daemon.logged("measured")) >= before + 10)
        places = _places(disk) | {"RESULT_DIR": "rows"}
        sick = run_handler(folder / "home", "healthcheck", programs=None, **places)
        told = len(daemon.logged("conversion_failed", "could not convert 2"))
        daemon.stop()
    if sick.returncode != 1 or "UPLOAD_DIR" not in sick.stderr:
        verdict.other.append(f"the health check said {sick.returncode}: {sick.stderr}")
    if told != 1:
        verdict.other.append(f"the failing conversion was logged {told} times")
    if not (day / "speedtest_12-00-00.csv").exists():
        verdict.lost.add("the row that could not be converted")
    return verdict


def _start_converting(folder: Path) -> DaemonProcess:
    disk = folder / "disk"
    disk.mkdir()
    mount(disk, "size=16k")
    _use_up(disk)
    ookla.install(folder / "bin", result=TODAY)
    places = _places(disk) | {"RESULT_DIR": "rows", "UPLOAD_DIR": str(disk)}
    return DaemonProcess(folder / "home", folder / "bin", SLEEP_SECONDS="0.2", **places)


FAMILY = Family(name="full disk", jobs=_jobs, least=55, least_short=11, needs=needs_mounts)
