"""Faults of a line, done to a real daemon in a home of its own, and how the daemon's rows compare with them.

A fault tells what it really broke and when, by the wall clock: `Real`. `outcome` holds the rows against that.
"""

import contextlib
import json
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
from daemon import rows
from home import NO_CONTAINER, NOBODY, Home, environment

from speedtest.data import watch_state
from speedtest.data.watch_state import WatchState
from speedtest.events import Event
from speedtest.measurement import OutagePlace

PATIENCE = 60.0
"""Seconds to wait for what should come at once, on the slowest machine."""
LOSS = 0.51
"""The share of the echoes that is lost if 30 % of the packets are lost in each direction."""

type Span = tuple[float, float]
"""The earliest and the latest moment at which something happened: while a command ran."""
type Strike = Callable[["Watched"], list["Real"]]


class Real(msgspec.Struct, frozen=True):
    """An outage as it really was."""

    start: Span
    end: Span


class Pace(msgspec.Struct, frozen=True):
    """How long the daemon waits for what takes long, in seconds: as it is, or shortened for tests."""

    resolver: float
    target: float
    family: float
    slot: float
    is_short: bool = False

    @property
    def constants(self) -> Mapping[str, object]:
        """What to change in the daemon."""
        return {
            "speedtest.daemon.judge:RESOLVER_SECONDS": self.resolver,
            "speedtest.daemon.witnesses:TARGET_SECONDS": self.target,
            "speedtest.daemon.witnesses:FAMILY_SECONDS": self.family,
        }


WHOLE = Pace(resolver=60, target=60, family=300, slot=45)
SHORT = Pace(resolver=6, target=6, family=8, slot=16, is_short=True)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, and what should be told of it."""

    name: str
    strike: Strike
    place: OutagePlace | None = None
    """Of its outages; None if there must be none."""
    interval: float = 1.0
    exact: Callable[[Pace], float] | None = None
    """How exactly the start is known, if not to the interval."""
    neighbour_seconds: float = 0.0
    """How long the kernel may take to find the router again: it asks for its hardware address once a second."""
    around: Callable[[Home], contextlib.AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
    """What is so all the time."""
    groups: str = "0 2147483647"
    """Who may send echoes."""
    user: str | None = None
    in_container: bool = False
    has_slots: bool = False
    """Whether further tests come, whose rows tell of it."""
    check: Callable[["Watched"], Iterable[str]] = lambda _: ()
    """Yields what is wrong with what the daemon told beside its outages."""
    told: Callable[["Watched"], float | None] = lambda _: None
    """A figure that the daemon told, for the table."""
    unit: str = ""
    seconds: float = 10.0
    """About how long it lasts: longer ones begin first."""


class Outcome(msgspec.Struct, kw_only=True):
    """What a daemon made of one fault."""

    real: int
    found: int
    invented: int
    places: list[str]
    starts: list[float]
    """How far the start of each row is from the real one, in seconds: 0 if it lies within the command's time."""
    ends: list[float]
    told: float | None
    wrong: list[str]
    log: str


class Watched:
    """A daemon that watches the line of a home."""

    def __init__(self, home: Home, folder: Path, fault: Fault, pace: Pace) -> None:
        self.home, self.folder, self.fault, self.pace = home, folder, fault, pace
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        self.until(lambda: (state := self.state()) and state.state == "up", "line that is up")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        hidden = {} if self.fault.in_container else NO_CONTAINER
        slots = {"SLEEP_SECONDS": f"{self.pace.slot:g}"} if self.fault.has_slots else {}
        self._process = self.home.start(
            self.folder,
            "speedtest.handlers.loop",
            user=self.fault.user,
            constants={**hidden, **(self.pace.constants if self.pace.is_short else {})},
            variables=environment(self.folder, WATCH_SECONDS=f"{self.fault.interval:g}", **slots),
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process
        return self._process

    def stop(self) -> int:
        """Let it end; return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def state(self) -> WatchState | None:
        """Return what it has written last."""
        try:
            return watch_state.read(self.folder / "results")
        except FileNotFoundError:
            return None

    def until(self, look: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < end, f"{self.fault.name}: no {what} after {seconds:g} s\n{self.log}"
            time.sleep(0.1)

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    def logged(self, *events: Event) -> list[dict[str, Any]]:
        """Return the log records of these events."""
        lines = (line for line in self.log.splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n"))
        return [record for record in map(json.loads, lines) if record["event"] in events]

    def slots(self, number: int) -> list[dict[str, Any]]:
        """Wait until so many slots have their row; return them without a row."""
        self.until(lambda: len(self.logged("test_failed")) >= number, f"row of slot {number}", self.pace.slot * 3)
        return self.logged("test_failed")

    def attempts(self) -> list[dict[str, Any]]:
        """Return the rows of tests, in order. The daemon must have ended."""
        return sorted((row for row in rows(self.folder) if row["status"] != "outage"), key=lambda row: row["slot"])

    def outages(self) -> list[dict[str, Any]]:
        """Return the rows of outages, in order. The daemon must have ended."""
        return sorted((row for row in rows(self.folder) if row["status"] == "outage"), key=lambda row: row["timestamp"])


def outcome(fault: Fault, folder: Path, pace: Pace, slack: float = 0.1) -> Outcome:
    """Do it once in a home of its own. A row may be `slack` seconds later than the watch promises."""
    with Home() as home:
        home.allow_icmp(fault.groups)
        with fault.around(home), Watched(home, folder, fault, pace) as watched:
            time.sleep(random.uniform(0, fault.interval))  # so that rounds and faults meet in all ways
            real = fault.strike(watched)
            time.sleep(2.5)
            assert watched.stop() == 0, watched.log
            return _compared(watched, real, slack)


def _compared(watched: Watched, real: Sequence[Real], slack: float) -> Outcome:
    fault, found = watched.fault, watched.outages()
    exact = fault.exact(watched.pace) if fault.exact else fault.interval
    starts, ends = list[float](), list[float]()
    places = [str(row["error_kind"]) for row in found]
    wrong = [f"the place is {place}, not {fault.place}" for place in places if place != fault.place]
    if len(found) != len(real):
        wrong.append(f"{len(found)} outages were told, not {len(real)}")
    for row, truth in zip(found, real, strict=False):
        start: datetime = row["started_at"]
        starts.append(_off(start, truth.start))
        ends.append(_off(start + timedelta(seconds=row["duration_seconds"]), truth.end))
        if not -1 <= starts[-1] <= exact + slack or not -1 <= ends[-1] <= 1 + slack + fault.neighbour_seconds:
            wrong.append(f"it began {starts[-1]:+.2f} s and ended {ends[-1]:+.2f} s from when it really did")
        if row["interval_seconds"] != exact:
            wrong.append(f"it says that it is exact to {row['interval_seconds']} s, not {exact}")
    wrong += [f"{bad['event']}: {bad['message']}" for bad in watched.logged("bug", "row_refused", "memory_lost")]
    wrong += fault.check(watched)
    return Outcome(
        real=len(real),
        found=min(len(found), len(real)),
        invented=max(len(found) - len(real), 0),
        places=places,
        starts=starts,
        ends=ends,
        told=fault.told(watched),
        wrong=wrong,
        log=watched.log,
    )


def _off(told: datetime, real: Span) -> float:
    at = told.timestamp()
    return min(at - real[0], 0.0) or max(at - real[1], 0.0)


@contextlib.contextmanager
def folder_for_all() -> Iterator[Path]:
    """Yield a folder that an ordinary user can enter, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="speedsnake-homes-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


# -------------------------------------------------------------------------------------------------- the faults


def lasting(
    fault: Callable[[Home], contextlib.AbstractContextManager[None]], shortest: float = 4.5, longest: float = 8
) -> Strike:
    """Return an outage of so many seconds."""

    def strike(watched: Watched) -> list[Real]:
        before = time.time()
        with fault(watched.home):
            start = (before, time.time())
            time.sleep(random.uniform(shortest, longest))
            at = time.time()
        return [Real(start, (at, time.time()))]

    return strike


def for_a_while(_: Watched) -> list[Real]:
    """Wait for some seconds. What is wrong all the time is no outage."""
    time.sleep(6)
    return []


def until_told(fault: Callable[[Home], contextlib.AbstractContextManager[None]], event: Event, back: Event) -> Strike:
    """Return a fault that is no outage, and lasts until an event tells of it; its end is told by another."""

    def strike(watched: Watched) -> list[Real]:
        with fault(watched.home):
            watched.until(lambda: watched.logged(event), event, PATIENCE + watched.pace.family)
        watched.until(lambda: watched.logged(back), back)
        return []

    return strike


def for_a_slot(watched: Watched) -> list[Real]:
    """Wait for the row of the next slot. What is wrong all the time is no outage."""
    watched.slots(2)
    return []


def resolver_dies(watched: Watched) -> list[Real]:
    """Let the resolver die, for long enough that the daemon asks it."""
    seconds = watched.pace.resolver
    return lasting(Home.dead_resolver, seconds + 5, seconds + 15)(watched)


def suspended(watched: Watched) -> list[Real]:
    """Suspend the daemon; meanwhile the line is cut and comes back."""
    watched.process.send_signal(signal.SIGSTOP)
    with watched.home.cut_upstream():
        time.sleep(6)
    watched.process.send_signal(signal.SIGCONT)
    watched.slots(2)
    return []


def killed(watched: Watched) -> list[Real]:
    """Kill the daemon while the line is down, and start it again when the line is back."""
    before = time.time()
    with watched.home.cut_upstream():
        start = (before, time.time())
        watched.until(_is_down(watched), "outage that lasts")
        time.sleep(random.uniform(0, 3))
        watched.kill()
        end = (start[1] + 2, time.time())
    watched.start()
    watched.until(lambda: watched.logged("outage_saved"), "row of the outage")
    return [Real(start, end)]


def killed_and_started(watched: Watched) -> list[Real]:
    """Kill the daemon while the line is down, and start it again at once: the rest is a second outage."""
    before = time.time()
    with watched.home.cut_upstream():
        start = (before, time.time())
        watched.until(_is_down(watched), "outage that lasts")
        watched.kill()
        end = (start[1] + 2, time.time())
        watched.start()
        watched.until(lambda: len(watched.logged("line_down")) == 2, "second outage")
        again = (end[1], datetime.fromisoformat(watched.logged("line_down")[1]["timestamp"]).timestamp())
        at = time.time()
    return [Real(start, end), Real(again, (at, time.time()))]


def _is_down(watched: Watched) -> Callable[[], object]:
    return lambda: (state := watched.state()) and state.open


def _ends_unknown(watched: Watched) -> Iterator[str]:
    first, *others = watched.outages()
    if "the daemon ended meanwhile" not in first["error"]:
        yield f"the row does not say that its end is unknown: {first['error']}"
    for other in others:
        if other["started_at"] < first["started_at"] + timedelta(seconds=first["duration_seconds"]):
            yield "the second outage begins before the first has ended"


def _by(method: str, router: str = "the router 10.66.1.1 answered") -> Callable[[Watched], Iterator[str]]:
    def check(watched: Watched) -> Iterator[str]:
        state = watched.state()
        if not state or state.methods != {"ipv4": method, "ipv6": method}:
            yield f"it probes by {state and state.methods}"
        yield from (f"it says: {row['error']}" for row in watched.outages() if not row["error"].endswith(router))

    return check


def _named(event: Event, *words: str) -> Callable[[Watched], Iterator[str]]:
    def check(watched: Watched) -> Iterator[str]:
        messages = [record["message"] for record in watched.logged(event)]
        if len(messages) != 1 or not all(word in messages[0] for word in words):
            yield f"{event} was told as {messages}"

    return check


def lost_share(watched: Watched) -> float | None:
    """Return the share of lost probes that the second slot's row tells."""
    row = watched.attempts()[1]
    return row["probes_lost"] / row["probes_sent"] if row.get("probes_sent") else None


def _tells_loss(watched: Watched) -> Iterator[str]:
    share = lost_share(watched)
    if share is None or abs(share - LOSS) > (0.25 if watched.pace.is_short else 0.12):
        yield f"the row tells a loss of {share}, not {LOSS}"


def latency(watched: Watched) -> float | None:
    """Return the latency that the second slot's row tells, in ms."""
    return watched.attempts()[1].get("probe_latency_ms")


def _tells_latency(watched: Watched) -> Iterator[str]:
    if (latency(watched) or 0) < 100:
        yield f"the line was not saturated: its latency was {latency(watched)} ms"


def unwatched(watched: Watched) -> float | None:
    """Return how long the daemon does not count as watched between its first two slots."""
    first, second = watched.attempts()[:2]
    seconds: float = (second["started_at"] - first["started_at"]).total_seconds()
    return seconds - second["watched_seconds"]


def _is_unwatched(watched: Watched) -> Iterator[str]:
    if len(watched.logged("line_unwatched")) != 1:
        yield f"line_unwatched was told {len(watched.logged('line_unwatched'))} times"
    if not 5.5 < (unwatched(watched) or 0) < 8:
        yield f"{unwatched(watched)} s count as not watched, of 6"


FAULTS: Sequence[Fault] = (
    Fault(name="upstream link cut", strike=lasting(Home.cut_upstream), place="beyond-router", check=_by("icmp")),
    Fault(
        name="upstream link cut, looked at every 10 s",
        strike=lasting(Home.cut_upstream, 14, 20),
        place="beyond-router",
        interval=10,
        seconds=50,
    ),
    Fault(name="router dead", strike=lasting(Home.dead_router), place="router", neighbour_seconds=1),
    Fault(name="cable out", strike=lasting(Home.cable_out), place="link", neighbour_seconds=1),
    Fault(
        name="resolver dead",
        strike=resolver_dies,
        place="dns",
        exact=lambda pace: pace.resolver,
        seconds=75,
    ),
    Fault(
        name="one of three targets dead",
        strike=until_told(Home.dead_target, "target_silent", "target_back"),
        check=_named("target_silent", "9.9.9.9"),
        seconds=70,
    ),
    Fault(
        name="30 % loss each way",
        strike=for_a_slot,
        around=lambda home: home.loss(30),
        has_slots=True,
        check=_tells_loss,
        told=lost_share,
        unit="share of probes lost",
        seconds=50,
    ),
    Fault(
        name="line saturated",
        strike=for_a_slot,
        around=Home.saturated,
        has_slots=True,
        check=_tells_latency,
        told=latency,
        unit="ms of latency",
        seconds=50,
    ),
    Fault(
        name="IPv6 gone alone",
        strike=until_told(Home.without_ipv6, "family_lost", "family_back"),
        check=_named("family_lost", "IPv6 has not answered", "IPv4 does"),
        seconds=310,
    ),
    Fault(
        name="IPv4 gone alone",
        strike=until_told(Home.without_ipv4, "family_lost", "family_back"),
        check=_named("family_lost", "IPv4 has not answered", "IPv6 does"),
        seconds=310,
    ),
    Fault(
        name="daemon suspended, and the link cut meanwhile",
        strike=suspended,
        has_slots=True,
        check=_is_unwatched,
        told=unwatched,
        unit="s not watched",
        seconds=50,
    ),
    Fault(name="daemon killed in an outage", strike=killed, place="beyond-router", check=_ends_unknown),
    Fault(
        name="daemon killed in an outage and started in it",
        strike=killed_and_started,
        place="beyond-router",
        check=_ends_unknown,
    ),
    Fault(
        name="link cut, ordinary user with ICMP",
        strike=lasting(Home.cut_upstream),
        place="beyond-router",
        user=NOBODY,
        check=_by("icmp"),
    ),
    Fault(
        name="link cut, root without ICMP for users",
        strike=lasting(Home.cut_upstream),
        place="beyond-router",
        groups="1 0",
        check=_by("icmp"),
    ),
    Fault(
        name="link cut, ICMP forbidden, port 443 refused",
        strike=lasting(Home.cut_upstream),
        place="beyond-router",
        user=NOBODY,
        groups="1 0",
        check=_by("tcp"),
    ),
    Fault(
        name="link cut, ICMP forbidden, port 443 open",
        strike=lasting(Home.cut_upstream),
        place="beyond-router",
        around=Home.accepting,
        user=NOBODY,
        groups="1 0",
        check=_by("tcp"),
    ),
    Fault(
        name="echoes not let through, port 443 open",
        strike=for_a_while,
        around=Home.without_echoes,
        check=_by("tcp"),
    ),
    Fault(
        name="link cut, echoes not let through",
        strike=lasting(Home.cut_upstream),
        place="beyond-router",
        around=Home.without_echoes,
        check=_by("tcp"),
    ),
    Fault(
        name="link cut, container on a bridge",
        strike=lasting(Home.cut_upstream),
        place="unknown-place",
        in_container=True,
        check=_by("icmp", "no router is known"),
    ),
)
