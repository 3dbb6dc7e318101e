"""A line whose outages follow a script: the watch that sees them, the clock, and what a daemon left in the file."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import override

import msgspec

from speedtest.daemon.clock import Clock
from speedtest.daemon.outages import Outages
from speedtest.daemon.watch import Watch
from speedtest.daemon.witnesses import News
from speedtest.data.watch_state import LineOutage, Unsaved, WatchState
from speedtest.process import Stop
from tests.faults.child import Report
from tests.faults.rows import INTERVAL, NOON, Outage


class SetClock(Clock):
    """A clock that stands still until it is set."""

    def __init__(self, *, synced: bool) -> None:
        super().__init__(Stop())
        self.ahead = timedelta(0)
        self._synced = synced

    @override
    def now(self) -> datetime:
        return NOON + self.ahead

    @override
    def elapsed(self) -> float:
        return 0.0

    @override
    def synced(self) -> bool | None:
        return self._synced


class ScriptedWatch(Watch):
    """A watch that sees what it is told."""

    def __init__(self, clock: Clock, boot: str | None = None) -> None:
        self._clock = clock
        self._boot = boot
        self.open: dict[Outage, float] = {}
        """The outages that last, and their seconds until now."""
        self.ended: list[Outage] = []

    @override
    def start(self) -> None:
        pass

    @override
    def end(self) -> None:
        self.ended += self.open
        self.open.clear()

    @override
    def take_news(self) -> list[News]:
        return []

    @override
    def take_ended(self) -> list[LineOutage]:
        ended = [seen(outage, self._clock.now()) for outage in self.ended]
        self.ended.clear()
        return ended

    @override
    def seen(self) -> WatchState:
        now = self._clock.now()
        return WatchState(
            seen=now,
            boot=self._boot,
            synced=self._clock.synced(),
            interval_seconds=INTERVAL,
            state="down" if self.open else "up",
            open=[seen(outage, now, seconds) for outage, seconds in self.open.items()],
            ended=[seen(outage, now) for outage in self.ended],
        )

    @override
    def up_for(self) -> float:
        return 0.0


class Line:
    """What happens to the line. Reports how long each outage has lasted, as soon as that is durable."""

    def __init__(self, outages: Outages, watch: ScriptedWatch, report: Report) -> None:
        self._outages, self._watch, self._report = outages, watch, report
        self._over: dict[Outage, float] = {}
        self._told: dict[Outage, float] = {}

    def is_down(self, outage: Outage, seconds: float) -> None:
        """Let an outage have lasted this long."""
        self._watch.open[outage] = seconds

    def is_up(self, outage: Outage) -> None:
        """Let an outage end."""
        assert outage.seconds is not None
        self._watch.open.pop(outage, None)
        self._watch.ended.append(outage)
        self._over[outage] = outage.seconds

    def note(self) -> None:
        """Let the daemon write down what the watch sees."""
        if self._outages.note():
            self._tell(self._over | self._watch.open)

    def keep(self) -> None:
        """Let the daemon make rows of the outages that are over."""
        if self._outages.keep():
            self._tell(self._over)

    def _tell(self, lasted: Mapping[Outage, float]) -> None:
        for outage, seconds in lasted.items():
            if self._told.get(outage) != seconds:
                self._told[outage] = seconds
                self._report(f"saved {outage.name} {seconds:g}")


def seen(outage: Outage, now: datetime = NOON, seconds: float | None = None) -> LineOutage:
    """Return an outage as a watch sees it; without `seconds`, after its end."""
    last, words = outage.lengths[-1]
    elapsed = (outage.when - NOON).total_seconds()
    return LineOutage(
        id=outage.name,
        place="router",
        started_at=now + timedelta(seconds=elapsed),
        seconds=last if seconds is None else seconds,
        words=words if seconds is None else outage.words,
        exact_seconds=INTERVAL,
        started_elapsed=elapsed,
    )


def waiting_row(outage: Outage, held: str | None = None) -> Unsaved:
    """Return the row of an outage as the file of the watch has it. `held` begins the end of a held row's name."""
    name = f"_{held}-outage-{outage.name}" if held else outage.suffix
    folder = "held/" if held else ""
    path = f"{folder}year={outage.when:%Y/month=%m/day=%d}/speedtest_{outage.when:%H-%M-%S}{name}.csv"
    return Unsaved(path, outage.data.decode())


def state(unsaved: Sequence[Unsaved], lasting: Outage) -> bytes:
    """Return the file that a daemon left when it was killed during an outage."""
    left = WatchState(
        seen=NOON,
        synced=True,
        interval_seconds=INTERVAL,
        state="down",
        unsaved=list(unsaved),
        open=[seen(lasting, seconds=lasting.seen[-1])],
    )
    return msgspec.json.encode(left)
