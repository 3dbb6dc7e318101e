"""Watch a simulated line: a clock that only the probes move, and answers by a plan. The watch is the real one."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import override

from attempts import settings

from speedtest.daemon.clock import Clock
from speedtest.daemon.line import LOST_ROUNDS
from speedtest.daemon.watch import Watch
from speedtest.data.watch_state import LineOutage
from speedtest.probing import routes
from speedtest.probing.probes import Method, ProbeKind, Probes
from speedtest.probing.routes import Way, Ways
from speedtest.probing.sockets import Reply
from speedtest.process import Stop

DAY = 86_400.0
FIRST = 1000.0
"""When the clock of a simulation starts."""
START = datetime(2026, 11, 23, tzinfo=UTC)
ROUTER = "192.168.1.1"
WAYS = Ways(told=True, ipv4=Way("eth0", ROUTER))


class WatchClock(Clock):
    """A clock that shows what it was set to."""

    def __init__(self) -> None:
        super().__init__(Stop())
        self.at = FIRST

    @override
    def elapsed(self) -> float:
        return self.at

    @override
    def monotonic(self) -> float:
        return self.at

    @override
    def now(self) -> datetime:
        return START + timedelta(seconds=self.at)

    @override
    def synced(self) -> bool | None:
        return True


type Answers = Callable[[str, float], float | None]
"""Returns the round trip of a probe of this address at this time; None if it is lost.

The address has `dns ` before it for a question to a resolver, and `tcp ` for a connection.
"""


@dataclass
class Plan:
    """What is broken when: spans of seconds, by what does not answer then.

    `all`, `line` (all but the router), `echoes` of targets, or an address.
    """

    spans: Sequence[tuple[float, float, str]] = ()
    loss: float = 0.0
    latency: float = 0.02
    numbers: random.Random = field(default_factory=lambda: random.Random(1))

    def __call__(self, asked: str, at: float) -> float | None:
        address = asked.removeprefix("tcp ")
        silent = {"all", address}
        if address != ROUTER:
            silent |= {"line", *(["echoes"] if asked == address else [])}
        if any(start <= at < end and what in silent for start, end, what in self.spans):
            return None
        return None if self.numbers.random() < self.loss else self.latency


class PlannedProbes(Probes):
    """Probes that are answered by a plan. Waiting moves the clock."""

    def __init__(self, clock: WatchClock, answers: Answers) -> None:
        self._clock, self._answers = clock, answers
        self._coming: list[tuple[float, Reply, ProbeKind]] = []

    @override
    def method(self, version: int) -> Method:
        return "icmp"

    @override
    def send(self, address: str) -> bool:
        return self._sent(address, address, "probe")

    @override
    def knock(self, address: str) -> None:
        self._sent(address, f"tcp {address}", "knock")

    @override
    def ask(self, resolver: str) -> bool:
        return self._sent(resolver, f"dns {resolver}", "resolver")

    def _sent(self, address: str, asked: str, question: ProbeKind) -> bool:
        at = self._clock.at
        seconds = self._answers(asked, at)
        if seconds is not None:
            self._coming.append((at + seconds, Reply(address, at, seconds), question))
        return True

    @override
    def collect(self, seconds: float, heard: Callable[[Reply, ProbeKind], bool]) -> None:
        end = self._clock.at + seconds
        for each in sorted(self._coming, key=lambda each: each[0]):
            at, answer, question = each
            if at > end:
                break
            self._coming.remove(each)
            self._clock.at = max(self._clock.at, at)
            if not heard(answer, question):
                return
        self._clock.at = max(self._clock.at, end)

    @override
    def wake(self) -> None:
        pass

    @override
    def close(self) -> None:
        pass


class Simulation:
    """A watch over a planned line."""

    def __init__(self, answers: Answers, **variables: str) -> None:
        self.clock = WatchClock()
        self.probes = PlannedProbes(self.clock, answers)
        self.watch = Watch(settings(**variables), self.clock, self.probes)
        self.start = self.clock.at

    def until(self, seconds: float) -> None:
        """Watch until so long after the start."""
        while self.clock.at < self.start + seconds:
            self.watch.watch_once()

    def skip(self, seconds: float) -> None:
        """Suspend the machine for so long."""
        self.clock.at += seconds


def watched(spans: Sequence[tuple[float, float, str]], seconds: float, **variables: str) -> Simulation:
    """Watch a line with these faults, in seconds since the start, for so long; every second if nothing else is said."""
    plan = Plan([(FIRST + start, FIRST + end, what) for start, end, what in spans])
    simulation = Simulation(plan, **({"WATCH_SECONDS": "1"} | variables))
    simulation.until(seconds)
    return simulation


@dataclass
class Compared:
    """The outages that were told beside those that were planned."""

    real: int
    certain: int
    """Those so long that every watch must see them."""
    found: int
    certain_found: int
    invented: int
    starts: list[float]
    """How much later than the real one each began, in seconds."""
    ends: list[float]
    places: set[tuple[str, str]]
    """What was broken, and the place that was told."""
    seconds: float
    real_seconds: float


def compared(simulation: Simulation, spans: Sequence[tuple[float, float, str]], interval: float) -> Compared:
    """Hold the outages of a simulation against its plan."""
    certain = {span for span in spans if span[1] - span[0] >= interval + LOST_ROUNDS}
    outages = simulation.watch.take_ended()
    pairs = list[tuple[LineOutage, tuple[float, float, str]]]()
    for outage in outages:
        at = outage.started_elapsed - FIRST
        pairs += [(outage, span) for span in spans if span[0] <= at <= span[1]]
    seen = {span for _, span in pairs}
    return Compared(
        real=len(spans),
        certain=len(certain),
        found=len(seen),
        certain_found=len(seen & certain),
        invented=len(outages) - len(seen),
        starts=[outage.started_elapsed - FIRST - span[0] for outage, span in pairs],
        ends=[outage.started_elapsed - FIRST + outage.seconds - span[1] for outage, span in pairs],
        places={(span[2], outage.place) for outage, span in pairs},
        seconds=sum(outage.seconds for outage in outages),
        real_seconds=sum(end - start for start, end, _ in spans),
    )


def without_kernel(monkeypatch: object, ways: Ways = WAYS, resolvers: Sequence[str] = ()) -> None:
    """Let the watch see these routes and resolvers instead of this machine's."""
    monkeypatch.setattr(routes, "ways", lambda _interface: ways)  # type: ignore[attr-defined]
    monkeypatch.setattr(routes, "resolvers", lambda: list(resolvers))  # type: ignore[attr-defined]
    monkeypatch.setattr(routes, "in_container", lambda: False)  # type: ignore[attr-defined]


def seeded(seed: int, *, number: int, seconds: float) -> list[tuple[float, float, str]]:
    """Return outages of 2 s to 6 h, at least 10 s apart: start, end, and whether the router is silent too."""
    numbers = random.Random(seed)
    longest = min(6 * 3600.0, seconds / 5)
    lengths = [2 * (longest / 2) ** (numbers.random() ** 3) for _ in range(number - 1)] + [longest]
    gaps = [numbers.random() for _ in range(number + 1)]
    free = seconds - 300 - sum(lengths) - 10 * (number + 1)
    at, spans = 100.0, list[tuple[float, float, str]]()
    for length, gap in zip(lengths, gaps, strict=False):
        at += 10 + free * gap / sum(gaps)
        spans.append((at, at + length, numbers.choice(["line", "all"])))
        at += length
    return spans
