"""Simulate days of the daemon in seconds: a simulated clock, real files, and stand-in programs that fail by script.

Time passes while the daemon waits, and by the duration that a program reports.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import override

from standins.ookla_behaviours import say

from speedtest import environment, programs
from speedtest.daemon import memory
from speedtest.daemon.clock import Clock
from speedtest.daemon.cycle import Daemon
from speedtest.engines import ENGINES
from speedtest.handlers import loop
from speedtest.measurement import Measurement
from speedtest.process import Stop

RESULTS = {
    "speedtest": (
        '{"type":"result","timestamp":"%s","ping":{"jitter":1.5,"latency":12.25},'
        '"download":{"bandwidth":%s,"bytes":%s,"elapsed":9000},"upload":{"bandwidth":1250000,"bytes":0,"elapsed":9000},'
        '"server":{"id":%s}}\\n'
    ),
    "speedtest-cli": (
        '{"timestamp":"%s","ping":12.25,"upload":10000000.0,"download":%s,'
        '"bytes_received":%s,"bytes_sent":0,"server":{"id":"%s"}}\\n'
    ),
}
SPEEDS = {"speedtest": 125_000, "speedtest-cli": 1_000_000}
"""One Mbit/s in the unit that a program prints: bytes/s, bit/s."""
VERSIONS = {"speedtest": "Speedtest by Ookla 1.2.0.84 (x)", "speedtest-cli": "speedtest-cli 2.1.3"}
LIMITS = {"speedtest": "echo Limit reached: >&2; exit 173", "speedtest-cli": "echo ERROR: HTTP Error 429 >&2; exit 1"}
KINDS = {
    "exit": 'echo "[error] Cannot open socket" >&2; exit 2',
    "signal": "kill -9 $$",
    "no-output": "exit 0",
    "malformed": "echo '{\"type\":'",
    "timeout": "exec sleep 600",
    "vanished": say(
        '{"type":"log","timestamp":"2024-03-09T14:25:12Z",'
        '"message":"Configuration - No servers defined (NoServersException)","level":"error"}\n',
        to=2,
    )
    + "; exit 2",
}

SCRIPT = """\
#!/bin/sh
[ "$1" = --version ] && {{ echo '{version}'; exit; }}
cd '{plan}'
server=4711
for argument; do
  case $argument in
    --servers)
      echo '{{"type":"serverList","servers":[{{"id":4711}},{{"id":4712}}]}}'
      echo "{name} list 0 $*" >>../journal
      exit ;;
    --server-id=*) server=${{argument#*=}} ;;
  esac
done
read -r number <number
number=$((number + 1))
echo $number >number
[ -e $number ] || number=always
read -r kind took speed bytes <$number
[ -e ../last ] && read -r last <../last && kill -0 $last 2>/dev/null && echo $last >>../overlaps
echo $$ >../last
echo "{name} $kind $took $*" >>../journal
ulimit -c 0
case $kind in
  ok) printf '{result}' "$SIMULATED_NOW" $speed $bytes $server ;;
  rejected) printf '{result}' "$SIMULATED_NOW" 0 $bytes $server ;;
  rate-limited) {limit} ;;
  {kinds}
esac
"""


@dataclass(frozen=True)
class Step:
    """What a stand-in does at one start: a kind of failure or `ok`, and the duration that it reports."""

    kind: str = "ok"
    took: float = 20.0
    mbps: float = 100.0
    data_bytes: int = 250_000_000


def install(folder: Path, name: str, steps: Iterable[Step] = ()) -> Path:
    """Write a program that does one of these steps at each start, and afterwards always succeeds."""
    plan = folder / f"{name}.plan"
    plan.mkdir(parents=True)
    (plan / "number").write_text("0\n")
    for number, step in [("always", Step()), *enumerate(steps, 1)]:
        line = f"{step.kind} {step.took:g} {round(step.mbps * SPEEDS[name])} {step.data_bytes}\n"
        (plan / str(number)).write_text(line)
    kinds = "\n  ".join(f"{kind}) {body} ;;" for kind, body in KINDS.items())
    program = folder / name
    program.write_text(
        SCRIPT.format(
            name=name, plan=plan, version=VERSIONS[name], result=RESULTS[name], limit=LIMITS[name], kinds=kinds
        )
    )
    program.chmod(0o755)
    return program


@dataclass(frozen=True)
class Start:
    """One start of a program, from the journal."""

    program: str
    kind: str
    took: float
    arguments: str


def journal(folder: Path) -> list[Start]:
    """Return every start of a program, in order."""
    path = folder / "journal"
    starts: list[Start] = []
    for line in path.read_text().splitlines() if path.exists() else []:
        program, kind, took, arguments = line.split(" ", 3)
        starts.append(Start(program, kind, float(took), arguments))
    return starts


class SimulatedClock(Clock):
    """A clock with a given start. At its end, it says that a stop was requested."""

    def __init__(self, start: datetime, programs: Path) -> None:
        super().__init__(Stop())
        self.end = start
        self.environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(programs)}
        self.waits: list[float] = []
        self._start = start
        self._journal = programs / "journal"
        self._read = self._journal.stat().st_size if self._journal.exists() else 0
        self._passed = 0.0

    @override
    def monotonic(self) -> float:
        if self._journal.exists():
            with self._journal.open() as file:
                file.seek(self._read)
                self._passed += sum(float(line.split(" ", 3)[2]) for line in file)
                self._read = file.tell()
        return self._passed

    @override
    def elapsed(self) -> float:
        return self.monotonic()

    @override
    def synced(self) -> bool | None:
        return None

    @override
    def now(self) -> datetime:
        instant = self._start + timedelta(seconds=self.monotonic())
        self.environment["SIMULATED_NOW"] = f"{instant:%Y-%m-%dT%H:%M:%SZ}"
        return instant

    @override
    def wait(self, seconds: float) -> bool:
        left = (self.end - self.now()).total_seconds()
        if seconds > left:
            self._passed += max(left, 0.0)
            return True
        self.waits.append(seconds)
        self._passed += max(seconds, 0.0)
        return False

    def pass_by(self, seconds: float) -> None:
        """Let time pass while no daemon runs."""
        self._passed += seconds


class Simulated(Daemon):
    """A daemon that remembers its measurements, and leaves conversions to its caller."""

    rows: list[Measurement]

    @override
    def keep(self, measurement: Measurement) -> None:
        super().keep(measurement)
        self.rows.append(measurement)

    @override
    def convert_complete_days(self) -> None:
        pass


def serve(
    folder: Path, clock: SimulatedClock, end: datetime, *, hide: str | None = None, **variables: str
) -> Simulated:
    """Run a daemon until `end`. It is not closed, as if it were killed.

    `hide` names a program that is removed after the daemon found it.
    """
    settings = environment.read(
        {"RESULT_DIR": str(folder / "results"), "UPLOAD_DIR": str(folder / "uploads"), "WATCH_SECONDS": "0"}
        | variables,
        ENGINES,
    )
    settings.result_dir.mkdir(parents=True, exist_ok=True)
    clock.end = end
    stop = Stop()
    service = Simulated(
        settings=settings,
        programs=programs.find_all(settings, clock.environment, stop),
        remembered=memory.recall(settings.result_dir),
        clock=clock,
        environment=clock.environment,
        stop=stop,
    )
    service.rows = []
    if hide:
        (folder / hide).unlink()
    loop.run(service)
    return service
