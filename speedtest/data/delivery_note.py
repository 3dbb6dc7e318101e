"""`RESULT_DIR/.delivery.json`: how the last delivery ended, for the daemon, health checks and people.

It holds no rows and decides nothing about a file: what waits is found on the disk, and what arrived in receipts. The
daemon reads in it when to try again.
"""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from speedtest.data import back_off
from speedtest.data.files import replace

FILE_NAME = ".delivery.json"
TOO_OLD = timedelta(days=2)
"""A file that waits longer makes the daemon unhealthy."""
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)

type Obstacle = Literal["temporary", "settings", "damaged"]
"""What keeps a file from its store: it may pass by itself, a person must change something, or bytes are wrong."""


class DeliveryNote(msgspec.Struct, kw_only=True):
    """How the last delivery ended."""

    store: str
    ended: datetime
    delivered: int = 0
    """By the last delivery."""
    waiting: int = 0
    """Files that have no receipt of this store."""
    waiting_since: date | None = None
    """The day of the oldest of them."""
    failures: int = 0
    """Deliveries in a row that delivered nothing though files waited."""
    trouble: Obstacle | None = None
    why: str | None = None
    next_try: datetime | None = None
    """When to try again, if files wait."""

    def complaint(self, now: datetime) -> str | None:
        """Return why a person should look at the delivery; None if all is well or will probably be."""
        if self.trouble not in {"settings", "damaged"} and not self._is_old(now):
            return None
        files, wait = ("file", "waits") if self.waiting == 1 else ("files", "wait")
        waits = f"{self.waiting} {files} since {self.waiting_since} {wait} for delivery"
        return ": ".join(filter(None, (waits if self.waiting else None, self.why)))

    def _is_old(self, now: datetime) -> bool:
        """Return whether a file has waited for more than two days since its day was over."""
        return self.waiting_since is not None and now.date() - self.waiting_since - timedelta(days=1) > TOO_OLD


def pause(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: a minute, doubled each time, at most six hours."""
    return back_off.pause(failures, SHORTEST_PAUSE, LONGEST_PAUSE)


def write(note: DeliveryNote, result_dir: Path) -> None:
    """Replace the file. Raises OSError if the disk refuses it."""
    replace(result_dir / FILE_NAME, msgspec.json.encode(note) + b"\n")


def read(result_dir: Path) -> DeliveryNote | None:
    """Return what was written last; None if there is no file or it is not valid. Raises OSError."""
    try:
        return msgspec.json.decode((result_dir / FILE_NAME).read_bytes(), type=DeliveryNote)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
