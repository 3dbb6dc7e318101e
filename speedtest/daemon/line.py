"""The line as rounds of probes show it: up or down, since when, and where it is broken. No clock and no socket here.

Three rounds in a row without any answer mean down, since the first of their probes. One answer means up. Rounds that
are not sure yet count neither way until they are. All times are seconds of the clock that no setting changes.
"""

import os
from collections import Counter
from collections.abc import Mapping
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
        self.doubted: Span | None = None
        """A silence that is not sure to be an outage."""
        self.is_loaded = False
        """Whether a test runs."""
        self._rounds = 0
        self._under_load: list[Span] = []
        """Silences during the test that runs: outages if it fails."""

    def lost(self, began: float, ended: float, sight: Sight, words: str = "") -> None:
        """Take a round without any answer: what it saw of the router, and the same in words."""
        span = self.down or self.doubted
        if span is None:
            self._count(began, down=False)
            span = self.doubted = Span(began, ended, self._of)
            self._rounds = 0
        span.end = ended
        span.sights[sight] += 1
        span.said[sight] = words
        self._rounds += 1
        if self.down:
            self._count(ended, down=True)
        elif self._rounds >= LOST_ROUNDS and not self.is_loaded:
            self._break(span)

    def answered(self, at: float) -> None:
        """Take an answer."""
        if self.down:
            self._count(at, down=True)
            self.down.end = at
            self.ended.append(self.down)
            self.down = None
        if self.doubted and self.is_loaded and at - self.doubted.start >= LOAD_SECONDS:
            self.doubted.end = at
            self._under_load.append(self.doubted)
        self.doubted = None
        self._count(at, down=False)

    def test_began(self) -> None:
        """Doubt silences from now on: the load of a test may cause them."""
        self.is_loaded = True
        self._under_load = []

    def test_ended(self, now: float, *, failed: bool) -> None:
        """Believe the long silences of a test that failed, and none of a test that succeeded."""
        self.is_loaded = False
        if failed:
            self.ended += self._under_load
            self.down_seconds += sum(span.seconds for span in self._under_load)
            if self.doubted and now - self.doubted.start >= LOAD_SECONDS:
                self._break(self.doubted)
        else:
            self.doubted = None
        self._under_load = []

    def unwatched(self, now: float) -> None:
        """Take note that nobody watched until now. An outage that lasted ends when it was last seen."""
        if self.down:
            self.ended.append(self.down)
        self.down = self.doubted = None
        self._counted = now

    def _break(self, silent: Span) -> None:
        self.down, self.doubted = silent, None
        self._count(silent.end, down=True)

    def _count(self, until: float, *, down: bool) -> None:
        seconds = max(until - self._counted, 0.0)
        self.watched += seconds
        self.down_seconds += seconds if down else 0.0
        self._counted = max(until, self._counted)
