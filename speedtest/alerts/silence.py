"""`outbox/silence.json`: until when nothing is told. `speedsnake alert silence` alone writes it."""

from datetime import datetime, timedelta

import msgspec

from speedtest.alerts.outbox import Outbox
from speedtest.logging import Events

events = Events(__name__)

LONGEST = timedelta(days=31)
"""One that ends later was noted by a clock that was wrong, and counts as none."""
_SET_BACK = timedelta(hours=1)
_FILE = "silence.json"


class Silence(msgspec.Struct, frozen=True):
    """A time in which nothing is told."""

    until: datetime


def write(outbox: Outbox, until: datetime) -> None:
    """Replace the file durably. Raises OSError if the disk refuses it."""
    outbox.replace(_FILE, Silence(until))


def read(outbox: Outbox, now: datetime) -> datetime | None:
    """Return until when nothing is told, None if alerts are not silenced."""
    path = outbox.folder / _FILE
    try:
        until = msgspec.json.decode(path.read_bytes(), type=Silence).until
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        events.warning("memory_lost", "%s cannot be read: %s; alerts are not silenced", path, error)
        return None
    return until if now < until <= now + LONGEST + _SET_BACK else None
