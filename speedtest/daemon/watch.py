"""Watch the line: probe it every `WATCH_SECONDS`, every second while it is silent, and tell when it is down and where.

A thread of its own does nothing else, so that no test, conversion or slow disk delays a probe. It neither logs nor
writes: when something has changed, and once a minute, it lets `tell` do that in a thread that then ends.

A time in which this process or machine was suspended is not watched, nor is the time after it until the line answers.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from speedtest.daemon import link
from speedtest.daemon.clock import Clock
from speedtest.daemon.judge import RESOLVER_SECONDS, Judge
from speedtest.daemon.line import Span
from speedtest.daemon.rounds import Round
from speedtest.daemon.tally import Tally
from speedtest.daemon.witnesses import News
from speedtest.data import heartbeat
from speedtest.data.watch_state import LineOutage, SeenState, WatchState
from speedtest.engines import network_interface
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import UpOrDown
from speedtest.probing import routes
from speedtest.probing.probes import Method, ProbeKind, Probes
from speedtest.probing.routes import Ways
from speedtest.probing.sockets import Reply
from speedtest.probing.targets import Targets

events = Events(__name__)

ROUND_SECONDS = 1.0
"""How long a round waits for answers, and how often it comes while the line is silent."""
TELL_SECONDS = 60.0
LATE_SECONDS = 3.0
"""If a round comes later than this, nobody watched meanwhile."""
DOUBTFUL_ECHOES = 3
"""How many echoes a target gets while the line is silent: on a line that loses half of them, one arrives."""


class LineBefore:
    """Tells the watch that a test runs, from `with` to its end, however it ends. Then `state` is how the line was."""

    def __init__(self, watch: "Watch | None") -> None:
        """Take the watch, if there is one."""
        self._watch = watch
        self.test_failed = False
        """To be set within the block."""
        self.state: UpOrDown | None = None
        """How the line was when the test began; None if nobody watched."""

    def __enter__(self) -> Self:
        """Begin the test."""
        self._began = self._watch.test_began() if self._watch else 0.0
        return self

    def __exit__(self, *_: object) -> None:
        """End the test."""
        if self._watch:
            self.state = self._watch.test_ended(self._began, failed=self.test_failed)


class Watch:
    """The watch over one line."""

    def __init__(
        self, settings: Settings, clock: Clock, probes: Probes, tell: Callable[[], object] = lambda: None
    ) -> None:
        """Watch nothing yet. `tell` is called in a thread of its own when there is news, and once a minute."""
        now = clock.elapsed()
        self._settings, self._clock, self._probes, self._tell = settings, clock, probes, tell
        self._targets = Targets(settings.watch_targets)
        self._judge = Judge(now, self._targets.written)
        self._last_minute: Tally | None = None
        self._asked = Round([], None, resolvers=[], ways=Ways())
        self._resolvers: list[str] = []
        self._due = self._seen = self._tell_at = self._minute_began = now
        self._behind_bridge: dict[str, bool] = {}
        self._over = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._teller: threading.Thread | None = None

    @classmethod
    def here(cls, settings: Settings, clock: Clock, tell: Callable[[], object] = lambda: None) -> Self:
        """Return a watch over this machine's line."""
        return cls(settings, clock, Probes(settings.speedtest_interface), tell)

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
            self._judge.stop(self._clock.elapsed(), "the watch ended while the line was still down")
            self._judge.is_settled = False
        self._probes.close()

    def test_began(self) -> float:
        """Take note that a test begins; return the time, for `test_ended`."""
        with self._lock:
            self._judge.test_began()
            return self._clock.elapsed()

    def test_ended(self, began: float, *, failed: bool) -> UpOrDown | None:
        """Take note that the test has ended; return how the line was when it began, None if nobody watched."""
        with self._lock:
            now = self._clock.elapsed()
            line = self._judge.test_ended(began, now, failed=failed)
            is_watched = self._judge.is_settled and now - self._seen <= self._settings.watch_seconds + LATE_SECONDS
            return line if is_watched else None

    def since_last_slot(self) -> dict[str, float | int | None]:
        """Return the columns of what was seen since this was last called."""
        with self._lock:
            return self._judge.since_last_slot()

    def carry(self, watched_seconds: float, down_seconds: float) -> None:
        """Add what was seen since the slot before, by an earlier run or for a slot that has got no row."""
        with self._lock:
            self._judge.carry(watched_seconds, down_seconds)

    def up_for(self) -> float:
        """Return for how many seconds the line has been up; 0 if it is down, or not known to be up."""
        with self._lock:
            if not self._judge.is_settled or self._judge.is_doubtful:
                return 0.0
            return self._clock.elapsed() - self._judge.up_since

    def take_news(self) -> list[News]:
        """Return what is to be logged, once."""
        with self._lock:
            news = self._judge.news.copy()
            self._judge.news.clear()
            return news

    def has_ended(self) -> bool:
        """Return whether `take_ended` has outages to return."""
        return bool(self._judge.ended)

    def take_ended(self) -> list[LineOutage]:
        """Return the outages that are over, once, oldest first."""
        with self._lock:
            ended = [self._outage(span) for span in self._judge.ended]
            self._judge.ended.clear()
            return ended

    def seen(self) -> WatchState:
        """Return what the watch sees now."""
        with self._lock:
            judge, asked = self._judge, self._asked
            down = judge.down
            minute = Tally() if down else self._last_minute or judge.minute
            watched, was_down = judge.since_slot
            state: SeenState = "down" if down else "up" if judge.is_settled else "unknown"
            return WatchState(
                seen=self._wall(self._seen),
                boot=heartbeat.boot_id(),
                synced=self._clock.synced(),
                location=self._settings.speedtest_location_uuid,
                interval_seconds=self._settings.watch_seconds,
                state=state,
                since=self._wall(down.start if down else judge.up_since) if state != "unknown" else None,
                place=down.place if down else None,
                words=down.words if down else None,
                methods={f"ipv{version}": self._method(version) for version in judge.witnesses.families},
                targets=asked.targets,
                router=asked.router,
                resolvers=self._resolvers,
                last_latency_ms=asked.nearest_ms,
                latency_ms=minute.latency_ms,
                router_latency_ms=minute.router_latency_ms,
                loss_ratio=minute.loss_ratio,
                watched_seconds=round(judge.line.watched, 3),
                down_seconds=round(judge.down_seconds, 3),
                outages=judge.outages + len(judge.open),
                slot_watched_seconds=round(watched, 3),
                slot_down_seconds=round(was_down, 3),
                lost_families=[f"ipv{version}" for version in sorted(judge.witnesses.lost_families)],
                silent_targets=sorted(judge.witnesses.silent_targets),
                recent=[self._outage(span) for span in judge.recent],
                open=[self._outage(span) for span in judge.open],
                ended=[self._outage(span) for span in judge.ended],
            )

    # ---------------------------------------------------------------------------------------------- the rounds

    def _run(self) -> None:
        while not self._over:
            try:
                self.watch_once()
            except Exception:  # noqa: BLE001 (the watch never stops by itself; the log has the traceback)
                events.bug("a round of the watch failed with an unexpected error; please report it")
                self._probes.collect(self._settings.watch_seconds, lambda *_: True)

    def watch_once(self) -> None:
        """Make a round, and listen until the next one is due."""
        self._round()
        self._probes.collect(max(self._due - self._clock.elapsed(), 0.0), self._hear_late)

    def _round(self) -> None:
        """Probe once, wait for the answers, and judge."""
        began = self._clock.elapsed()
        with self._lock:
            if began - self._due > LATE_SECONDS:
                self._judge.not_watched(self._seen, began)
        asked = self._asked = self._new_round(began)
        asked.sent = self._clock.monotonic()
        for _ in range(asked.echoes):
            for address in asked.addresses:
                self._probes.send(address)
        for address in asked.targets if asked.knocks else ():
            self._probes.knock(address)
        for resolver in asked.resolvers:
            self._probes.ask(resolver)
        self._probes.collect(ROUND_SECONDS, self._hear)
        with self._lock:
            ended = self._clock.elapsed()
            if ended - began > ROUND_SECONDS + LATE_SECONDS:
                self._judge.not_watched(began, ended)
            elif asked.asks_anything:
                self._judge.judge(asked, began, ended)
            self._seen = ended
            self._due = began + (ROUND_SECONDS if self._judge.is_doubtful else self._settings.watch_seconds)
        self._tell_if_due(ended)

    def _new_round(self, now: float) -> Round:
        judge, ways = self._judge, routes.ways(self._interface)
        doubtful = judge.line.down or judge.line.doubted
        resolvers: list[str] = []
        if not doubtful and not judge.line.is_loaded and now + self._settings.watch_seconds > judge.resolve_at:
            resolvers = self._resolvers = routes.resolvers()
        echoes = DOUBTFUL_ECHOES if judge.line.doubted else 1
        targets = self._targets.addresses(now, ways.families)
        knocks = not self._asked.echoes_answered  # a network that lets no echo through is no outage
        return Round(targets, self._router(ways), resolvers=resolvers, ways=ways, echoes=echoes, knocks=knocks)

    def _router(self, ways: Ways) -> str | None:
        """Return the router; None if it is hidden: a container's bridge answers whatever the router does."""
        way = ways.ipv4 or ways.ipv6
        if way and way.interface not in self._behind_bridge:
            self._behind_bridge = {way.interface: link.is_behind_bridge(way.interface)}
        return None if way and self._behind_bridge[way.interface] else ways.router

    def _hear(self, answer: Reply, to: ProbeKind) -> bool:
        """Take an answer during a round; return whether to wait for more."""
        if to != "resolver" and answer.sent < self._asked.sent:
            self._hear_late(answer, to)
            return True
        match to:
            case "resolver":
                self._asked.resolved = True
            case "knock":
                self._asked.hear_knock(answer.address, answer.seconds, self._clock.elapsed())
            case "probe":
                self._asked.hear(answer.address, answer.seconds, self._clock.elapsed())
        is_up_again = self._judge.line.down and self._asked.first is not None
        return not (self._asked.is_complete or is_up_again)

    def _hear_late(self, answer: Reply, to: ProbeKind) -> bool:
        now = self._clock.elapsed()
        with self._lock:
            if to == "resolver":
                self._judge.resolved_late(now)
            elif answer.address in self._asked.targets and to == "knock":
                self._judge.knock_heard_late(now)
            elif answer.address in self._asked.targets:
                self._judge.hear_late(answer.address, answer.seconds, now)
        return True

    def _tell_if_due(self, now: float) -> None:
        if (now < self._tell_at and not self._judge.news) or (self._teller and self._teller.is_alive()):
            return
        self._tell_at = now + TELL_SECONDS
        if now - self._minute_began >= TELL_SECONDS:
            with self._lock:
                self._last_minute, self._judge.minute, self._minute_began = self._judge.minute, Tally(), now
        self._teller = threading.Thread(target=self._tell, name="watch-note", daemon=True)
        self._teller.start()

    # ------------------------------------------------------------------------------------------------ its words

    def _method(self, version: int) -> Method:
        answers_knocks_only = bool(self._asked.knocked) and not self._asked.echoes_answered
        return "tcp" if answers_knocks_only else self._probes.method(version)

    @property
    def _interface(self) -> str | None:
        chosen = self._settings.speedtest_interface
        return network_interface.name_of(chosen) if chosen and network_interface.is_address(chosen) else chosen

    def _wall(self, elapsed: float) -> datetime:
        """Return a time of the elapsed clock as an instant, by the wall clock of now."""
        return self._clock.now() - timedelta(seconds=self._clock.elapsed() - elapsed)

    def _outage(self, span: Span) -> LineOutage:
        interval = self._settings.watch_seconds
        return LineOutage(
            id=span.id,
            place=span.place,
            started_at=self._wall(span.start),
            seconds=round(span.seconds, 3),
            words=span.words,
            exact_seconds=max(interval, RESOLVER_SECONDS) if span.of == "dns" else interval,
            started_elapsed=span.start,
        )
