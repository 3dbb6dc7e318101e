"""`outbox/conditions.json`: which conditions last, whether that was told, and how far the rows have been read.

A condition that began while alerts were silenced, or while no channel was set, is told as soon as that is possible, if
it still lasts then. If it does not, nobody is told of it.
"""

from datetime import datetime, timedelta

import msgspec

from speedtest.alerts.outbox import AlertEvent, Outbox
from speedtest.logging import Events

events = Events(__name__)

_FILE = "conditions.json"
_KEPT = timedelta(days=9)
_AHEAD = timedelta(hours=1)
"""So far a clock may be set back without a digest or a call of PING_URL coming again."""


class Words(msgspec.Struct, frozen=True):
    """What to tell: one line, one sentence, and facts with their names."""

    subject: str
    sentence: str
    facts: tuple[tuple[str, str], ...] = ()


class Lasting(msgspec.Struct, kw_only=True):
    """A condition that lasts."""

    kind: str
    begun: datetime
    words: Words
    told: bool = False


class TestVerdict(msgspec.Struct, frozen=True):
    """What one test says of a condition."""

    at: datetime
    is_bad: bool
    figures: str
    """What was measured, in words."""


class KnownConditions(msgspec.Struct, kw_only=True):
    """What the last run knew."""

    since: datetime
    """When alerts were first looked for. What was over by then is history."""
    cursor: datetime
    """When the newest test started that was judged."""
    lasting: dict[str, Lasting] = {}
    """By name: the kind, and for an outage its id."""
    verdicts: dict[str, list[TestVerdict]] = {}
    """By kind: those since the condition began or ended, at most M."""
    failed_slot: datetime | None = None
    """The slot of the newest test, if that failed."""
    outages_over: dict[str, datetime] = {}
    """The ends of outages that need nothing more, by id."""
    quarantined: int | None = None
    digest_due: datetime | None = None
    """When the last digest was due."""
    pinged: datetime | None = None
    """The time of the row that PING_URL was told last."""
    unsaved: list[AlertEvent] = []
    """Events whose files may not be there yet."""

    def set_back(self, now: datetime) -> None:
        """Leave no time in the future: the clock may have been wrong and set back, and nothing must wait for it."""
        self.since, self.cursor = min(self.since, now), min(self.cursor, now)
        if self.pinged and self.pinged > now + _AHEAD:
            self.pinged = now
        if self.digest_due and self.digest_due > now + _AHEAD:
            self.digest_due = now

    def forget(self, now: datetime) -> None:
        """Forget outages that no row can name any more."""
        self.outages_over = {name: end for name, end in self.outages_over.items() if now - end < _KEPT}


def read(outbox: Outbox, now: datetime) -> KnownConditions:
    """Return what the last run knew. If that is lost, begin now: nothing that is over is told."""
    path = outbox.folder / _FILE
    try:
        known = msgspec.json.decode(path.read_bytes(), type=KnownConditions)
    except FileNotFoundError:
        return KnownConditions(since=now, cursor=now)
    except msgspec.MsgspecError as error:
        events.warning("memory_lost", "%s cannot be read: %s; alerts begin anew", path, error)
        return KnownConditions(since=now, cursor=now)
    known.set_back(now)
    return known


def write(known: KnownConditions, outbox: Outbox) -> None:
    """Replace the file durably. Raises OSError if the disk refuses it."""
    outbox.replace(_FILE, known)
