"""Judge rounds of probes: the state of the line and of its resolvers, its outages, and what its rows tell.

No thread, no socket and no clock here. All times are seconds of the clock that no setting changes.
"""

from collections.abc import Callable

from speedtest.daemon.line import Line, Span
from speedtest.daemon.rounds import Round
from speedtest.daemon.tally import Tally
from speedtest.daemon.witnesses import News, Witnesses
from speedtest.measurement import UpOrDown
from speedtest.values.amounts import duration

RESOLVER_SECONDS = 60.0
"""How long the resolvers may be unasked, if the interval of the watch is not longer."""
SETTLE_SECONDS = 30.0
"""After a suspension, and after the start of the machine, the network has this long to come up."""
_KEPT_OUTAGES = 20


class Judge:
    """What is known of the line."""

    def __init__(self, now: float, named: Callable[[str], str] = str) -> None:
        """Know nothing yet. `now` counts since the start of the machine; `named`: see `Witnesses`."""
        self.line, self.dns = Line(now), Line(now, "dns")
        self.witnesses = Witnesses(named)
        self.slot, self.minute = Tally(), Tally()
        """Since the slot before, and of the current minute."""
        self.news: list[News] = []
        self.ended: list[Span] = []
        """Outages that are over; the caller takes them."""
        self.outages = 0
        self.is_settled = False
        """Whether the state is known."""
        self.up_since = now
        self.resolve_at = now
        """The latest time at which the resolvers are to be asked again."""
        self._counts_from = now
        """Answers to earlier probes are not counted: their round was not."""
        self._settle_until = max(now, SETTLE_SECONDS)
        self.recent: list[Span] = []
        """The last outages, oldest first."""
        self._taken = (0.0, 0.0)

    @property
    def down(self) -> Span | None:
        """The outage that lasts: of the line before one of the resolvers."""
        return self.line.down or self.dns.down

    @property
    def is_doubtful(self) -> bool:
        """Whether the next round should come soon."""
        return any(line.down or line.doubted for line in self._lines)

    @property
    def open(self) -> list[Span]:
        """All outages that last."""
        return [line.down for line in self._lines if line.down]

    @property
    def down_seconds(self) -> float:
        """How long the line or its resolvers were down."""
        return self.line.down_seconds + self.dns.down_seconds

    def judge(self, asked: Round, began: float, ended: float) -> None:
        """Decide what a round means."""
        if asked.router and asked.router_answered:
            self.witnesses.note_router(asked.router)
        if asked.first is None:
            if began >= self._settle_until or self.is_settled:
                self.is_settled = True
                self._lost(asked, began, ended)
            else:
                self.line.unwatched(ended)
            return
        was_down = self.line.down is not None
        self._answered(asked.first)
        self.news += self.witnesses.note(began, asked.targets, asked.answered)
        if was_down:
            self._counts_from = ended
        else:
            self._add_up(asked)
        if asked.resolvers:
            self._judge_resolvers(asked, began, ended)
        self._collect()

    def hear_late(self, target: str, seconds: float, at: float) -> None:
        """Take an answer that came after its round. A slow answer is not a lost one."""
        self._answered(at)
        self.witnesses.heard(target)
        if not self.line.is_loaded and at - seconds >= self._counts_from and self.witnesses.counts(target):
            for tally in (self.slot, self.minute):
                tally.found(target, seconds)
        self._collect()

    def knock_heard_late(self, at: float) -> None:
        """Take an answer by TCP that came after its round. Its target may have answered an echo before."""
        self._answered(at)
        self._collect()

    def resolved_late(self, at: float) -> None:
        """Take an answer of a resolver that came after its round."""
        self.dns.answered(at)
        self._collect()

    def not_watched(self, since: float, now: float) -> None:
        """Take note that this process or machine was suspended."""
        self.news.append(News("line_unwatched", f"the line was not watched for {duration(now - since)}"))
        self.stop(now, "then the watch was interrupted while the line was still down")
        self.witnesses.begin_anew()
        self.is_settled, self._settle_until = False, now + SETTLE_SECONDS

    def stop(self, now: float, why: str) -> None:
        """Let outages that last end when they were last seen."""
        for line in self._lines:
            if line.down:
                line.down.ending = f"; {why}"
            line.unwatched(now)
        self._collect()

    def test_began(self) -> None:
        """Take note that a test begins."""
        self.line.test_began()

    def test_ended(self, began: float, now: float, *, failed: bool) -> UpOrDown | None:
        """Take note that the test has ended; return how the line was when it began.

        None if it began in a silence of which nobody knows yet whether it is an outage.
        """
        self._counts_from = now
        was_down = self.line.down is not None
        self.line.test_ended(now, failed=failed)
        if self.line.down and not was_down:
            self._tell_down(self.line.down)
        self._collect()
        is_in_one = any(span.start <= began < span.end for span in self.recent)
        if is_in_one or any(span.start <= began for span in self.open):
            return "down"
        doubted = self.line.doubted
        return None if doubted and doubted.start <= began else "up"

    def since_last_slot(self) -> dict[str, float | int | None]:
        """Return the columns of what was seen since this was last called."""
        watched, down = self.since_slot
        self._taken = self.line.watched, self.down_seconds
        tally, self.slot = self.slot, Tally()
        return {
            "watched_seconds": round(watched, 3),
            "down_seconds": round(min(down, watched), 3),
            "probes_sent": tally.sent,
            "probes_lost": tally.lost,
            "probe_latency_ms": tally.latency_ms,
            "probe_latency_p95_ms": tally.latency_p95_ms,
            "router_latency_ms": tally.router_latency_ms,
        }

    @property
    def since_slot(self) -> tuple[float, float]:
        """How long the line was watched, and how long it was down, since `since_last_slot` was called last."""
        return max(self.line.watched - self._taken[0], 0.0), max(self.down_seconds - self._taken[1], 0.0)

    def carry(self, watched: float, down: float) -> None:
        """Add what an earlier run saw since the slot before."""
        self._taken = (self._taken[0] - watched, self._taken[1] - down)

    @property
    def _lines(self) -> tuple[Line, Line]:
        return self.line, self.dns

    def _answered(self, at: float) -> None:
        if not self.is_settled:
            self.is_settled, self.up_since = True, at
        self.line.answered(at)

    def _lost(self, asked: Round, began: float, ended: float) -> None:
        was_down = self.line.down is not None
        sight = self.witnesses.sight(asked.router, answered=asked.router_answered, lost=asked.ways.lost)
        self.line.lost(began, ended, sight, asked.words(sight))
        if not was_down:
            self._add_up(asked)
        if self.line.down and not was_down:
            for tally in (self.slot, self.minute):
                tally.forget_silent()
            self.dns.unwatched(self.line.down.start)
            self._collect()
            self._tell_down(self.line.down)

    def _judge_resolvers(self, asked: Round, began: float, ended: float) -> None:
        was_down = self.dns.down is not None
        if asked.resolved:
            self.dns.answered(ended)
            self.resolve_at = began + RESOLVER_SECONDS
            return
        self.dns.lost(began, ended, "router-unknown", asked.words_of_resolvers)
        if self.dns.down and not was_down:
            self._tell_down(self.dns.down)

    def _add_up(self, asked: Round) -> None:
        """Count the probes of a round, unless the load of a test disturbs them."""
        if self.line.is_loaded:
            return
        for tally in (self.slot, self.minute):
            for target in asked.targets:
                if self.witnesses.counts(target):
                    tally.add(target, *asked.counted(target))
            for seconds in asked.answers.get(asked.router or "", []):
                tally.add_router(seconds)

    def _collect(self) -> None:
        """Take the outages that are over from the lines."""
        for line in self._lines:
            for span in line.ended:
                self.ended.append(span)
                self.recent = [*self.recent, span][-_KEPT_OUTAGES:]
                self.outages += 1
                self.up_since = max(self.up_since, span.end)
                words = f"the line was down for {duration(span.seconds)} ({span.place}): {span.words}"
                self.news.append(News("line_unwatched", words) if span.ending else News("line_up", words))
            line.ended.clear()

    def _tell_down(self, span: Span) -> None:
        self.news.append(News("line_down", f"the line is down ({span.place}): {span.words}", is_bad=True))
