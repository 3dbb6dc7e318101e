"""Measure how exact each program is on a line of known speed: `./bootstrap.sh bench accuracy [--runs N] [ENGINE ...]`.

Prints a table of the set and the measured values: medians of five runs, with SpeedSnake's own arguments and parsers.
Exit code 1 if a median throughput is off by more than 5 % (of `http` 2 %) or a median latency by more than 2 ms and
`KNOWN` does not say why. On a machine without network namespaces it prints one line that says so; exit code 69.

Each direction is measured for 8 s; the default of librespeed-cli is 15 s, of the others 10 s. `http` speaks TLS, as
with the public service, and may stop earlier; so does `ndt7`, whose one stream need not fill a line with loss. `http`
also measures 1 and 2.5 Gbit/s, where Python's relay and two cores may be the limit: those lines are printed, and fail
nothing. All of it takes about half an hour;
`--runs 1 --mbps 100 iperf3` takes a minute.
"""

import argparse
import contextlib
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trustme
from standins import debian, iperf3, librespeed, programs
from standins.ndt7 import Ndt7Server
from standins.service import SETTINGS, Service, Size

from speedtest import environment, speedtest
from speedtest.engines import ENGINES
from speedtest.http_test.server import SpeedServer, tls_of
from speedtest.measurement import Measurement
from speedtest.process import Stop
from speedtest.programs import find
from speedtest.speedtest import Slot
from tests.benchmarks.line import FAR, NEAR, Line, NotAllowed, Speed, end, fork

SPEEDS = (
    *(Speed(mbps, delay_ms) for mbps in (10, 100, 500) for delay_ms in (5, 40)),
    Speed(100, 5, loss_percent=1),
)
FAST = (Speed(1000, 5), Speed(2500, 5))
"""Lines that this machine may not carry: only `http` is tried on them."""
RUNS = 5
MOST_PERCENT, MOST_MS = 5.0, 2.0
MOST_PERCENT_OF = {"http": 2.0}
TOOLS = Path(__file__).parent.parent.parent / ".tools"

SECONDS = 8
_BUFFERED = "counts the bytes it handed to the system: some MB are not sent yet when the time is up"
ONE_STREAM = ("ndt7",)
"""Loss may slow one stream down: on a line with loss it fails nothing."""
KNOWN: Mapping[str, str] = {
    "librespeed upload": _BUFFERED,
    "speedtest-cli upload": _BUFFERED,
    "speedtest-cli download": "asks for many small files, each on a new connection, which starts slowly",
}
"""Why a program cannot keep a limit, by engine and figure."""

type Variables = dict[str, str]
type Server = Callable[[Path, Speed], contextlib.AbstractContextManager[Variables]]
"""Runs a server at the far end, and yields the variables that point the program to it."""


@contextlib.contextmanager
def iperf3_server(program: Path, speed: Speed) -> Iterator[Variables]:
    with iperf3.serving(program, FAR) as server:
        yield {"SPEEDTEST_SERVER": server} | ({"SPEEDTEST_UDP_MBPS": "5"} if speed.loss_percent else {})


@contextlib.contextmanager
def librespeed_server(_program: Path, _speed: Speed) -> Iterator[Variables]:
    with tempfile.TemporaryDirectory() as folder:
        servers = Path(folder, "servers.json")

        @contextlib.contextmanager
        def serve() -> Iterator[Variables]:
            with librespeed.Backend(FAR) as backend:
                yield {"SPEEDTEST_SERVER": str(backend.write_list(servers))}

        with in_a_process(serve) as variables:
            yield variables


@contextlib.contextmanager
def speedtest_net(_program: Path, _speed: Speed) -> Iterator[Variables]:
    """Use the settings of the real service, except for the length of a test."""
    lengths = {
        "download": {"testlength": str(SECONDS), "threadsperurl": "4"},
        "upload": {"testlength": str(SECONDS), "ratio": "5", "maxchunkcount": "50", "threads": "4"},
    }

    @contextlib.contextmanager
    def serve() -> Iterator[Variables]:
        with Service(host=FAR, size=Size(SETTINGS | lengths, image_divisor=1)) as service:
            yield service.environment

    with in_a_process(serve) as variables:
        yield variables


@contextlib.contextmanager
def speed_server(_program: Path, _speed: Speed) -> Iterator[Variables]:
    """Run the server of `speedsnake serve-test` with TLS by an authority of this benchmark's own."""
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        trusted, own = Path(folder, "authority.pem"), Path(folder, "server.pem")
        authority.cert_pem.write_to_path(trusted)
        authority.issue_cert(FAR).private_key_and_cert_chain_pem.write_to_path(own)

        @contextlib.contextmanager
        def serve() -> Iterator[Variables]:
            with SpeedServer(FAR, 0, tls=tls_of(own)) as server:
                threading.Thread(target=server.serve_forever, daemon=True).start()
                yield {"SPEEDTEST_SERVER": server.url, "SPEEDTEST_CA_FILE": str(trusted)}
                server.shutdown()

        with in_a_process(serve) as variables:
            yield variables


@contextlib.contextmanager
def ndt7_server(_program: Path, _speed: Speed) -> Iterator[Variables]:
    """Run the stand-in of an ndt-server, with TLS as M-Lab's have it."""
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        trusted = Path(folder, "authority.pem")
        authority.cert_pem.write_to_path(trusted)
        certificate = authority.issue_cert(FAR)

        @contextlib.contextmanager
        def serve() -> Iterator[Variables]:
            with Ndt7Server(certificate=certificate, host=FAR) as server:
                yield {"SPEEDTEST_SERVER": server.url, "SPEEDTEST_CA_FILE": str(trusted)}

        with in_a_process(serve) as variables:
            yield variables


@contextlib.contextmanager
def in_a_process(serve: Callable[[], contextlib.AbstractContextManager[Variables]]) -> Iterator[Variables]:
    """Serve in another process, so that the server and the program that measures do not wait for each other."""
    here, there = multiprocessing.Pipe()

    def work() -> None:
        with serve() as variables:
            there.send(variables)
            there.recv()

    process = fork(work)
    try:
        yield here.recv()
        here.send(None)
        process.join(10)
    finally:
        end(process)


PROGRAMS: Mapping[str, tuple[Callable[[], Path], Server]] = {
    "http": (lambda: Path(sys.executable), speed_server),
    "iperf3": (lambda: debian.program("iperf3", "iperf3", TOOLS / "iperf3"), iperf3_server),
    "librespeed": (
        lambda: debian.program("librespeed-cli", "librespeed-cli", TOOLS / "librespeed-cli"),
        librespeed_server,
    ),
    "ndt7": (lambda: Path(sys.executable), ndt7_server),
    "speedtest-cli": (lambda: programs.speedtest_cli(TOOLS / "speedtest-cli", sys.executable), speedtest_net),
}


def measure(engine: str, speed: Speed, runs: int) -> Iterator[Measurement]:
    """Let one program measure a line `runs` times."""
    bring, serve = PROGRAMS[engine]
    path = bring()
    with Line(speed) as line, contextlib.ExitStack() as servers:
        with line.at(FAR):
            variables = servers.enter_context(serve(path, speed))
        around = programs.isolated() | variables | {"PATH": f"{path.parent}:{os.environ['PATH']}"}
        around |= {"SPEEDTEST_ENGINE": engine, "SPEEDTEST_SECONDS_PER_DIRECTION": str(SECONDS)}
        settings = environment.read(around, ENGINES)
        program = find(settings, around, Stop())
        if program is None:
            raise RuntimeError(f"{path} is not a working {engine}")
        for _ in range(runs):
            line.drain()
            with line.at(NEAR):
                row = speedtest.run(program, settings, Slot(datetime.now(UTC)), around, Stop())
            if row:
                yield row


class Figure(msgspec.Struct, frozen=True):
    """The set value and the median of the measured ones."""

    name: str
    set: float
    measured: float | None
    most_percent: float = MOST_PERCENT

    @property
    def off(self) -> float | None:
        """The difference in percent of the set value, for a latency in ms."""
        if self.measured is None:
            return None
        difference = self.measured - self.set
        return difference if self.name == "latency" else 100 * difference / self.set

    @property
    def kept(self) -> bool:
        return self.off is not None and abs(self.off) <= (MOST_MS if self.name == "latency" else self.most_percent)

    def __str__(self) -> str:
        if self.off is None:
            return "none"
        return f"{self.measured:.1f} ({self.off:+.1f}{' ms' if self.name == 'latency' else ' %'})"


def figures(speed: Speed, rows: list[Measurement], most_percent: float = MOST_PERCENT) -> list[Figure]:
    good = [row for row in rows if row.status == "ok"]

    def median(values: list[float | None]) -> float | None:
        return statistics.median(there) if (there := [value for value in values if value is not None]) else None

    return [
        Figure("download", speed.mbps, median([row.download_mbps for row in good]), most_percent),
        Figure("upload", speed.mbps, median([row.upload_mbps for row in good]), most_percent),
        Figure("latency", speed.delay_ms, median([row.latency_ms for row in good])),
    ]


def report(speed: Speed, engine: str, rows: list[Measurement]) -> list[str]:
    """Print a line of the table; return the figures that are off without a known reason."""
    found = figures(speed, rows, MOST_PERCENT_OF.get(engine, MOST_PERCENT))
    losses = [row.packet_loss_percent for row in rows if row.packet_loss_percent is not None]
    loss = f"{statistics.median(losses):.2f} %" if losses else "none"
    failed = [f"{row.error_kind}: {row.error}" for row in rows if row.status != "ok"]
    line = f"{speed.mbps:g} Mbit/s, {speed.delay_ms:g} ms, {speed.loss_percent:g} % loss"
    cells = (line, engine, *map(str, found), loss, f"{len(rows) - len(failed)} of {len(rows)}")
    print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201 (a command that prints a table)
    reasons = {figure.name: KNOWN.get(f"{engine} {figure.name}") for figure in found if not figure.kept}
    notes = [f"{name}: {reason}" for name, reason in reasons.items() if reason] + failed + cost(rows)
    for note in notes:
        print(f"|   | {engine} | {note} | | | | |", flush=True)  # noqa: T201 (the same)
    is_free = speed in FAST or (engine in ONE_STREAM and speed.loss_percent > 0)
    return [f"{engine}, {line}: {name} is off" for name, reason in reasons.items() if not reason and not is_free]


def cost(rows: list[Measurement]) -> list[str]:
    """Return the most processors and memory that a program says it took, if it does."""
    cores = [float(text) for row in rows if (text := row.raw.get("cost_cores"))]
    peaks = [float(text) for row in rows if (text := row.raw.get("cost_peak_mib"))]
    return [f"at most {max(cores):.2f} of a core, {max(peaks):.1f} MiB"] if cores and peaks else []


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench accuracy", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"any of {', '.join(PROGRAMS)}; default: all")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--mbps", type=float, help="only lines of this speed")
    asked = parser.parse_args(arguments)
    if strangers := set(asked.engines) - set(PROGRAMS):
        parser.error(f"no such engine: {', '.join(strangers)}")
    try:
        with Line(SPEEDS[0]):
            pass
    except NotAllowed as why:
        sys.stderr.write(f"not measured: {why}; this benchmark needs root, tc and iptables on Linux\n")
        sys.exit(os.EX_UNAVAILABLE)
    print("| line | engine | download | upload | latency | loss | runs |\n|---|---|---|---|---|---|---|")  # noqa: T201
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # also ends servers and relays
    off: list[str] = []
    for speed in (*SPEEDS, *FAST):
        for engine in asked.engines or PROGRAMS:
            if asked.mbps in (None, speed.mbps) and (engine == "http" or speed not in FAST):
                off += report(speed, engine, list(measure(engine, speed, asked.runs)))
    if off:
        sys.exit("\n".join(off))
