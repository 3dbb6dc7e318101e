"""Watch the line: probe it every `WATCH_SECONDS`, every second while it is silent, and tell when it is down and where.

A thread of its own does nothing else, so that no test, conversion or slow disk delays a probe. It neither logs nor
writes: when something has changed, and once a minute, it lets `tell` do that in a thread that then ends.

A time in which this process or machine was suspended is not watched, nor is the time after it until the line answers.
"""

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from speedtest.daemon import link, routes
from speedtest.daemon.clock import Clock
from speedtest.daemon.line import Line, Sight, Span
from speedtest.daemon.probes import Answer, Probes
from speedtest.daemon.routes import Ways
from speedtest.daemon.tally import Tally
from speedtest.daemon.targets import Targets
from speedtest.daemon.witnesses import News, Witnesses
from speedtest.data import heartbeat
from speedtest.data.watch_state import LineState, Outage, WatchState
from speedtest.engines import network_interface
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Line as UpOrDown
from speedtest.values.amounts import duration

events = Events(__name__)

ROUND_SECONDS = 1.0
"""How long a round waits for answers, and how often it comes while the line is silent."""
RESOLVER_SECONDS = 60.0
TELL_SECONDS = 60.0
LATE_SECONDS = 3.0
"""If a round comes later than this, nobody watched meanwhile."""
SETTLE_SECONDS = 30.0
"""After a suspension, and after the start of the machine, the network has this long to come up."""
DOUBTFUL_ECHOES = 2
"""How many echoes a target gets while the line is silent: on a bad line, one of them arrives."""
_KEPT_OUTAGES = 50


class _Round:
    """One round of probes: what is asked, and what has answered."""

    def __init__(self, targets: list[str], router: str | None, resolvers: list[str], echoes: int) -> None:
        self.targets, self.router, self.resolvers, self.echoes = targets, router, resolvers, echoes
        self.first: float | None = None
        """When the first target answered."""
        self.answers: dict[str, list[float]] = {}
        self.resolved = False

    @property
    def addresses(self) -> list[str]:
        """All that get an echo."""
        return [*self.targets, *([self.router] if self.router and self.router not in self.targets else [])]

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can come."""
        whole = all(len(self.answers.get(each, ())) >= self.echoes for each in self.addresses)
        return whole and (self.resolved or not self.resolvers)


class Watch:
    """The watch over one line."""

    def __init__(
        self, settings: Settings, clock: Clock, probes: Probes, tell: Callable[[], None] = lambda: None
    ) -> None:
        """Watch nothing yet. `tell` is called in a thread of its own when there is news, and once a minute."""
        now = clock.elapsed()
        self._settings, self._clock, self._probes, self._tell = settings, clock, probes, tell
        self._interval = settings.watch_seconds
        self._targets = Targets(settings.watch_targets)
        self._line, self._dns = Line(now), Line(now, "dns")
        self._witnesses = Witnesses()
        self._slot, self._minute = Tally(), Tally()
        self._last_minute: Tally | None = None
        self._minute_began = now
        self._taken = (0.0, 0.0)
        self._due = self._resolve_at = self._tell_at = now
        self._settle_until = max(now, SETTLE_SECONDS)
        self._is_settled = self._loaded = self._over = False
        self._seen = self._up_since = now
        self._ways = Ways()
        self._last = _Round([], None, [], 1)
        self._resolvers: list[str] = []
        self._news: list[News] = []
        self._ended: list[Span] = []
        self._outages: list[Span] = []
        self._count = 0
        self._behind_bridge: dict[str, bool] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._teller: threading.Thread | None = None

    # ----------------------------------------------------------------------------------------- for the daemon

    def start(self) -> None:
        """Begin to watch, in a thread."""
        self._due = self._clock.elapsed()
        self._thread.start()

    def end(self) -> None:
        """End the watch. An outage that lasts ends when it was last seen."""
        self._over = True
        self._probes.wake()
        for thread in (self._thread, self._teller):
            if thread and thread.is_alive():
                thread.join()
        with self._lock:
            self._stop_at(self._clock.elapsed(), "the watch ended while the line was still down")
        self._probes.close()

    def test_began(self) -> float:
        """Take note that a test begins; return the time, for `test_ended`."""
        with self._lock:
            self._loaded = True
            self._line.test_began()
            return self._clock.elapsed()

    def test_ended(self, began: float, *, failed: bool) -> UpOrDown | None:
        """Take note that the test has ended; return how the line was when it began, None if nobody watched."""
        with self._lock:
            now = self._clock.elapsed()
            self._loaded = False
            was_down = self._line.down is not None
            self._line.test_ended(now, failed=failed)
            if self._line.down and not was_down:
                self._tell_down(self._line.down)
            self._collect_ended()
            if not self._is_settled or now - self._seen > self._interval + LATE_SECONDS:
                return None
            spans = [*self._outages, *(line.down for line in self._lines if line.down)]
            return "down" if any(span.start <= began < span.end for span in spans) else "up"

    def since_last_slot(self) -> dict[str, float | int | None]:
        """Return the columns of what was seen since this was last called."""
        with self._lock:
            total = self._line.watched, self._down_seconds
            (watched, down), self._taken = self._taken, total
            tally, self._slot = self._slot, Tally()
        lasted = max(total[0] - watched, 0.0)
        return {
            "watched_seconds": round(lasted, 3),
            "down_seconds": round(min(max(total[1] - down, 0.0), lasted), 3),
            "probes_sent": tally.sent,
            "probes_lost": tally.lost,
            "probe_latency_ms": tally.latency_ms,
            "probe_latency_p95_ms": tally.latency_p95_ms,
            "router_latency_ms": tally.router_latency_ms,
        }

    def up_for(self) -> float:
        """Return for how many seconds the line has been up; 0 if it is down, or not known to be up."""
        with self._lock:
            if not self._is_settled or any(line.down or line.suspicious for line in self._lines):
                return 0.0
            return self._clock.elapsed() - self._up_since

    def take_news(self) -> list[News]:
        """Return what is to be logged, once."""
        with self._lock:
            news = self._news.copy()
            self._news.clear()
            return news

    def take_ended(self) -> list[Outage]:
        """Return the outages that are over, once, oldest first."""
        with self._lock:
            ended = [self._outage(span) for span in self._ended]
            self._ended.clear()
            return ended

    def seen(self) -> WatchState:
        """Return what the watch sees now."""
        with self._lock:
            down = self._line.down or self._dns.down
            minute = self._last_minute or self._minute
            state: LineState = "down" if down else "up" if self._is_settled else "unknown"
            return WatchState(
                seen=self._wall(self._seen),
                pid=os.getpid(),
                boot=heartbeat.boot_id(),
                synced=self._clock.synced(),
                interval_seconds=self._interval,
                state=state,
                since=self._wall(down.start if down else self._up_since) if state != "unknown" else None,
                place=down.place if down else None,
                words=down.words if down else None,
                methods={f"ipv{version}": self._probes.method(version) for version in self._witnesses.families},
                targets=self._last.targets,
                router=self._last.router,
                resolvers=self._resolvers,
                latency_ms=minute.latency_ms,
                router_latency_ms=minute.router_latency_ms,
                loss_ratio=minute.loss_ratio,
                watched_seconds=round(self._line.watched, 3),
                down_seconds=round(self._down_seconds, 3),
                outages=self._count,
                lost_families=[f"ipv{version}" for version in sorted(self._witnesses.lost_families)],
                silent_targets=sorted(self._witnesses.silent_targets),
                open=[self._outage(line.down) for line in self._lines if line.down],
                ended=[self._outage(span) for span in self._ended],
            )

    # ---------------------------------------------------------------------------------------------- the rounds

    def _run(self) -> None:
        while not self._over:
            try:
                self.round()
                self._probes.collect(max(self._due - self._clock.elapsed(), 0.0), self._hear_late)
            except Exception:  # noqa: BLE001 (the watch never stops by itself; the log has the traceback)
                events.bug("a round of the watch failed with an unexpected error; please report it")
                self._probes.collect(self._interval, lambda *_: True)

    def round(self) -> None:
        """Probe once, wait for the answers, and judge. `_due` is then the time of the next round."""
        began = self._clock.elapsed()
        self._look_for_gap(began)
        self._ways = routes.ways(self._interface)
        asked = self._last = self._new_round(began)
        for _ in range(asked.echoes):
            for address in asked.addresses:
                self._probes.send(address)
        for resolver in asked.resolvers:
            self._probes.ask(resolver)
        self._probes.collect(ROUND_SECONDS, self._hear)
        with self._lock:
            ended = self._clock.elapsed()
            if ended - began > ROUND_SECONDS + LATE_SECONDS:
                self._not_watched(ended)
            elif asked.targets or self._ways.lost:
                self._judge(asked, began, ended)
            self._seen = ended
            doubtful = any(line.down or line.suspicious for line in self._lines)
            self._due = began + (ROUND_SECONDS if doubtful else self._interval)
        self._tell_if_due(ended)

    def _new_round(self, now: float) -> _Round:
        told = self._ways.told
        targets = self._targets.addresses(
            now, ipv4=not told or self._ways.ipv4 is not None, ipv6=self._ways.ipv6 is not None
        )
        doubtful = self._line.down or self._line.suspicious
        resolvers: list[str] = []
        if not doubtful and not self._loaded and now >= self._resolve_at:
            resolvers = self._resolvers = routes.resolvers()
        echoes = DOUBTFUL_ECHOES if self._line.suspicious else 1
        return _Round(targets, self._router(), resolvers, echoes)

    def _router(self) -> str | None:
        """Return the router; None if it is hidden: a container's bridge answers whatever the router does."""
        way = self._ways.ipv4 or self._ways.ipv6
        if not way or way.interface not in self._behind_bridge:
            hidden = bool(way) and routes.in_container() and link.facts(way.interface).link == "virtual"
            self._behind_bridge = {way.interface: hidden} if way else {}
        return None if way and self._behind_bridge[way.interface] else self._ways.router

    def _hear(self, answer: Answer, of_resolver: bool) -> bool:  # noqa: FBT001 (as `Probes.collect` calls it)
        """Take an answer during a round; return whether to wait for more."""
        asked = self._last
        if of_resolver:
            asked.resolved = True
        elif answer.address in asked.addresses:
            asked.answers.setdefault(answer.address, []).append(answer.seconds)
            if answer.address in asked.targets and asked.first is None:
                asked.first = self._clock.elapsed()
        return not (asked.is_complete or (self._line.down and asked.first is not None))

    def _hear_late(self, answer: Answer, of_resolver: bool) -> bool:  # noqa: FBT001 (as `Probes.collect` calls it)
        """Take an answer that came after its round. A slow answer is not a lost one."""
        with self._lock:
            if of_resolver:
                self._dns.answered(self._clock.elapsed())
            elif answer.address in self._last.targets:
                self._line_answered(self._clock.elapsed())
                if not self._loaded and answer.address not in self._witnesses.silent_targets:
                    for tally in (self._slot, self._minute):
                        tally.found(answer.address, answer.seconds)
            self._collect_ended()
        return True

    def _judge(self, asked: _Round, began: float, ended: float) -> None:
        """Decide what a round means."""
        if asked.router in asked.answers and asked.router:
            self._witnesses.note_router(asked.router)
        if asked.first is None:
            if ended >= self._settle_until or self._is_settled:
                self._is_settled = True
                self._lost(asked, began, ended)
            else:
                self._line.unwatched(ended)
            return
        was_down = self._line.down is not None
        self._line_answered(asked.first)
        self._news += self._witnesses.note(began, asked.targets, set(asked.answers))
        if not self._loaded and not was_down:
            self._add_up(asked)
        if asked.resolvers:
            self._judge_resolvers(asked, began, ended)
        self._collect_ended()

    def _lost(self, asked: _Round, began: float, ended: float) -> None:
        was_down = self._line.down is not None
        answered = asked.router in asked.answers
        sight = self._witnesses.sight(asked.router, answered=answered, lost=self._ways.lost)
        self._line.lost(began, ended, sight, _words(asked, sight, self._ways.lost))
        if self._line.down and not was_down:
            self._dns.unwatched(self._line.down.start)
            self._collect_ended()
            self._tell_down(self._line.down)

    def _line_answered(self, at: float) -> None:
        if not self._is_settled:
            self._is_settled, self._up_since = True, at
            self._tell_at = at
        self._line.answered(at)

    def _judge_resolvers(self, asked: _Round, began: float, ended: float) -> None:
        was_down = self._dns.down is not None
        if asked.resolved:
            self._dns.answered(ended)
            self._resolve_at = began + RESOLVER_SECONDS
            return
        words = f"{', '.join(asked.targets)} answered, but no resolver did: {', '.join(asked.resolvers)}"
        self._dns.lost(began, ended, "router-unknown", words)
        if self._dns.down and not was_down:
            self._tell_down(self._dns.down)

    def _add_up(self, asked: _Round) -> None:
        for tally in (self._slot, self._minute):
            for target in asked.targets:
                if target in self._witnesses.silent_targets:
                    continue
                found = asked.answers.get(target, [])
                for number in range(asked.echoes):
                    tally.add(target, found[number] if number < len(found) else None)
            for seconds in asked.answers.get(asked.router or "", []):
                tally.add_router(seconds)

    def _look_for_gap(self, now: float) -> None:
        """See whether this process or machine was suspended since the last round."""
        with self._lock:
            if now - self._due > LATE_SECONDS:
                self._not_watched(now)

    def _not_watched(self, now: float) -> None:
        self._news.append(News("line_unwatched", f"the line was not watched for {duration(now - self._seen)}"))
        self._stop_at(now, "then the watch was interrupted while the line was still down")
        self._witnesses.begin_anew()
        self._is_settled, self._settle_until = False, now + SETTLE_SECONDS

    def _stop_at(self, now: float, why: str) -> None:
        for line in self._lines:
            if line.down:
                line.down.words += f"; {why}"
            line.unwatched(now)
        self._collect_ended()

    def _collect_ended(self) -> None:
        """Take the outages that are over from the lines."""
        for line in self._lines:
            for span in line.ended:
                self._ended.append(span)
                self._outages = [*self._outages, span][-_KEPT_OUTAGES:]
                self._count += 1
                self._up_since = max(self._up_since, span.end)
                self._tell_at = span.end
                words = f"the line was down for {duration(span.seconds)} ({span.place}): {span.words}"
                self._news.append(News("line_up", words))
            line.ended.clear()

    def _tell_down(self, span: Span) -> None:
        self._news.append(News("line_down", f"the line is down ({span.place}): {span.words}", is_bad=True))
        self._tell_at = span.start

    def _tell_if_due(self, now: float) -> None:
        if now < self._tell_at or (self._teller and self._teller.is_alive()):
            return
        self._tell_at = now + TELL_SECONDS
        if now - self._minute_began >= TELL_SECONDS:
            self._last_minute, self._minute, self._minute_began = self._minute, Tally(), now
        self._teller = threading.Thread(target=self._tell, name="watch-note", daemon=True)
        self._teller.start()

    # ------------------------------------------------------------------------------------------------ its words

    @property
    def _lines(self) -> tuple[Line, Line]:
        return self._line, self._dns

    @property
    def _down_seconds(self) -> float:
        return self._line.down_seconds + self._dns.down_seconds

    @property
    def _interface(self) -> str | None:
        chosen = self._settings.speedtest_interface
        return network_interface.name_of(chosen) if chosen and network_interface.is_address(chosen) else chosen

    def _wall(self, elapsed: float) -> datetime:
        """Return a time of the elapsed clock as an instant, by the wall clock of now."""
        return self._clock.now() - timedelta(seconds=self._clock.elapsed() - elapsed)

    def _outage(self, span: Span) -> Outage:
        return Outage(
            id=span.id,
            place=span.place,
            started_at=self._wall(span.start),
            seconds=round(span.seconds, 3),
            words=span.words,
            exact_seconds=RESOLVER_SECONDS if span.of == "dns" else self._interval,
            started_elapsed=span.start,
        )


def _words(asked: _Round, sight: Sight, lost: str | None) -> str:
    """Return what a silent round saw, as a sentence."""
    silent = f"no answer from {', '.join(asked.targets)}" if asked.targets else "no target could be asked"
    router = {
        "link": f"{lost}",
        "router-answers": f"the router {asked.router} answered",
        "router-silent": f"the router {asked.router} did not answer either",
        "router-unknown": f"the router {asked.router} never answers" if asked.router else "no router is known",
    }
    return f"{silent}; {router[sight]}"
