"""The lock: never two writers, however many start, and free at once when its holder is killed."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from daemon import DaemonProcess, run as run_handler, until
from standins import ookla

from speedtest.data.lock import Held, Lock
from tests.faults import child, mutants
from tests.faults.family import Ask, Family, Form, Found, Job, workshop
from tests.faults.judge import Verdict

PROCESSES, STARTS = 20, 50
FREE_SECONDS = 1.0


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    del ask
    yield partial(_race, form.count(STARTS, 5), form.mutant)
    yield partial(_kill_holders, form.count(20, 3), form.mutant)
    if not form.mutant:
        yield partial(_real_daemons, form.count(6, 1))


def _race(starts: int, mutant: str | None) -> Found:
    """Start many processes at once, again and again. A third of the lock's holders are killed while they hold it."""
    with workshop() as folder:
        processes = [_fork(partial(_start_often, folder, number, starts, mutant)) for number in range(PROCESSES)]
        for pid in processes:
            os.waitpid(pid, 0)
        lines = [line for path in folder.glob("said-*") for line in path.read_text().splitlines()]
    verdict = Verdict(other=[line for line in lines if line not in {"held", "busy"}])
    if "held" not in lines or "busy" not in lines:
        verdict.other.append("no start got the lock, or every start did")
    found = Found()
    found.take(f"{PROCESSES} processes, {starts} starts each", verdict)
    found.cases = len(lines)
    return found


def _start_often(folder: Path, number: int, starts: int, mutant: str | None) -> None:
    """Use a new process for each start, as supervisors do."""
    for at in range(starts):
        pid = _fork(partial(_hold, folder, random.Random(number * 1000 + at), f"said-{number}", mutant))
        os.waitpid(pid, 0)


def _hold(folder: Path, chance: random.Random, said: str, mutant: str | None) -> None:
    if mutant:
        mutants.apply(mutant)
    with (folder / said).open("a", buffering=1) as words:
        try:
            lock = Lock(folder / "lock")
        except Held:
            words.write("busy\n")
            return
        words.write("held\n")
        writer = folder / "writer"
        if writer.exists() and _runs(int(writer.read_text() or 0)):
            words.write(f"{os.getpid()} and {writer.read_text()} write at once\n")
        writer.write_text(str(os.getpid()))
        time.sleep(chance.uniform(0, 0.004))
        if writer.read_text() != str(os.getpid()):
            words.write(f"{os.getpid()} was not alone\n")
        if chance.randrange(3) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        writer.write_text("0")
        lock.release()


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return pid > 0 and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _fork(function: partial[None]) -> int:
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            function()
        os._exit(0)
    return pid


def _kill_holders(count: int, mutant: str | None) -> Found:
    found = Found()
    for number in range(count):
        with workshop() as folder:
            found.take(f"killed holder {number}", child.call(_free_after_kill, folder, mutant))
    return found


def _free_after_kill(folder: Path, mutant: str | None) -> Verdict:
    if mutant:
        mutants.apply(mutant)
    verdict = Verdict()
    ready, holds = os.pipe()
    pid = _fork(partial(_hold_for_ever, folder, holds))
    os.read(ready, 1)
    try:
        Lock(folder / "lock")
        verdict.other.append("two have the lock")
    except Held as held:
        if held.holder != pid:
            verdict.other.append(f"process {held.holder} is named, not {pid}")
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + FREE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(Held), Lock(folder / "lock"):
            os.waitpid(pid, 0)
            return verdict
        time.sleep(0.005)
    os.waitpid(pid, 0)
    verdict.other.append(f"{FREE_SECONDS} s after the kill it was not free")
    return verdict


def _hold_for_ever(folder: Path, holds: int) -> None:
    lock = Lock(folder / "lock")
    os.write(holds, b"!")
    time.sleep(600)
    lock.release()


def _real_daemons(count: int) -> Found:
    """Start two daemons for one folder, kill the first, and start a conversion while another holds the lock."""
    found = Found()
    for number in range(count):
        verdict = Verdict()
        with workshop() as folder:
            ookla.install(folder / "bin", seconds=5)
            home = folder / "home"
            with DaemonProcess(home, folder / "bin") as first:
                until(lambda: first.logged("started"))
                second = _second(home, folder)
                if second.returncode != os.EX_TEMPFAIL or f"process {first.process.pid}" not in second.stderr:
                    verdict.other.append(f"the second daemon ended with {second.returncode}: {second.stderr}")
                first.process.kill()
                first.process.wait()
            with DaemonProcess(home, folder / "bin") as third:
                until(lambda: len(third.logged("started")) > 1)
            with Lock(home / "uploads" / ".convert.lock"):
                busy = run_handler(home, "convert")
            if busy.returncode != os.EX_TEMPFAIL:
                verdict.other.append(f"the second conversion ended with {busy.returncode}: {busy.stderr}")
        found.take(f"two real daemons, {number}", verdict)
    return found


def _second(home: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_handler(home, "loop", programs=folder / "bin")


FAMILY = Family(name="lock", jobs=_jobs, least=1020, least_short=100)
