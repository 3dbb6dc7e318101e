"""The line as rounds of probes show it: up or down, since when, and where it is broken. No clock and no socket here.

Three rounds in a row without any answer mean down, since the first of their probes. One answer means up. Rounds that
are not sure yet count neither way until they are. All times are seconds of the clock that no setting changes.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from speedtest.measurement import OutagePlace

LOST_ROUNDS = 3
"""How many rounds in a row must be silent until the line is down."""
LOAD_SECONDS = 10.0
"""A silence under the load of a test shorter than this is no outage."""

type Sight = Literal["link", "router-answers", "router-silent", "router-unknown"]
"""What was seen of the router in a silent round."""


_PLACES: Mapping[Sight, OutagePlace] = {
    "router-answers": "beyond-router",
    "link": "link",
    "router-silent": "router",
    "router-unknown": "unknown-place",
}


class Span(msgspec.Struct):
    """A time in which nothing answered."""

    start: float
    end: float
    of: OutagePlace | None = None
    """The place, if it is known from what was asked."""
    said: dict[Sight, str] = msgspec.field(default_factory=dict)
    """What the last round of each sight saw, in words."""
    ending: str = ""
    """What is to be added, if it did not end by an answer."""
    sights: Counter[Sight] = msgspec.field(default_factory=Counter)
    id: str = msgspec.field(default_factory=lambda: os.urandom(4).hex())

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start

    @property
    def place(self) -> OutagePlace:
        """Where the line was broken: what most of the rounds saw."""
        return self.of or _PLACES[self._sight]

    @property
    def words(self) -> str:
        """What was silent, and what the router did, in most of the rounds."""
        return self.said.get(self._sight, "") + self.ending

    @property
    def _sight(self) -> Sight:
        return max(_PLACES, key=lambda sight: self.sights[sight])


class Line:
    """Judges rounds, and adds up how long the line was watched and how long it was down."""

    def __init__(self, now: float, of: OutagePlace | None = None) -> None:
        """Begin to watch. `of` is the place of all outages, if there is only one."""
        self._of = of
        self.watched = self.down_seconds = 0.0
        self.down: Span | None = None
        """The outage that lasts."""
        self.ended: list[Span] = []
        """Outages that are over; the caller takes them."""
        self._counted = now
        self._silent: Span | None = None
        """A silence that is not sure to be an outage."""
        self._rounds = 0
        self._loaded = False
        self._under_load: list[Span] = []
        """Silences during the test that runs: outages if it fails."""

    @property
    def silent_since(self) -> float | None:
        """Since when nothing answers, whether that is an outage already or not; None if something does."""
        span = self.down or self._silent
        return span.start if span else None

    @property
    def suspicious(self) -> bool:
        """Whether the last round was silent and the line is not known to be down."""
        return self._silent is not None

    def lost(self, began: float, ended: float, sight: Sight, words: str = "") -> None:
        """Take a round without any answer: what it saw of the router, and the same in words."""
        span = self.down or self._silent
        if span is None:
            self._count(began, down=False)
            span = self._silent = Span(began, ended, self._of)
            self._rounds = 0
        span.end = ended
        span.sights[sight] += 1
        span.said[sight] = words
        self._rounds += 1
        if self.down:
            self._count(ended, down=True)
        elif self._rounds >= LOST_ROUNDS and not self._loaded:
            self._break(span)

    def answered(self, at: float) -> None:
        """Take an answer."""
        if self.down:
            self._count(at, down=True)
            self.down.end = at
            self.ended.append(self.down)
            self.down = None
        if self._silent and self._loaded and at - self._silent.start >= LOAD_SECONDS:
            self._silent.end = at
            self._under_load.append(self._silent)
        self._silent = None
        self._count(at, down=False)

    def test_began(self) -> None:
        """Doubt silences from now on: the load of a test may cause them."""
        self._loaded = True
        self._under_load = []

    def test_ended(self, now: float, *, failed: bool) -> None:
        """Believe the long silences of a test that failed, and none of a test that succeeded."""
        self._loaded = False
        if failed:
            self.ended += self._under_load
            self.down_seconds += sum(span.seconds for span in self._under_load)
            if self._silent and now - self._silent.start >= LOAD_SECONDS:
                self._break(self._silent)
        else:
            self._silent = None
        self._under_load = []

    def unwatched(self, now: float) -> None:
        """Take note that nobody watched until now. An outage that lasted ends when it was last seen."""
        if self.down:
            self.ended.append(self.down)
        self.down = self._silent = None
        self._counted = now

    def _break(self, silent: Span) -> None:
        self.down, self._silent = silent, None
        self._count(silent.end, down=True)

    def _count(self, until: float, *, down: bool) -> None:
        seconds = max(until - self._counted, 0.0)
        self.watched += seconds
        self.down_seconds += seconds if down else 0.0
        self._counted = max(until, self._counted)


def median(values: Sequence[float]) -> float | None:
    """Return the middle value, of two middle ones the mean; None of no values."""
    return quantile(values, 0.5)


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which this share of the values lies, between two values as far as it lies between them."""
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
