"""How a receiver stands: `RESULT_DIR/publishing/KEY.state.json`, for people, and for when it is asked again.

A receiver that did not take rows is asked again after 30 seconds. The pause doubles with each failure, up to 15
minutes, and survives restarts. A receiver that could not be reached while the line was down is asked as soon as the
watch sees the line again. The file decides nothing about rows: if it is lost, the receiver is asked at once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from speedtest.data import back_off, files, watch_state
from speedtest.data.watch_state import SeenState
from speedtest.publishing.ledger import FOLDER
from speedtest.values import amounts

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)
LONGEST_REQUEST_SECONDS = 3600.0
"""The longest that a receiver's own wish to be left alone is followed."""


class Standing(msgspec.Struct, kw_only=True):
    """What is known of a receiver."""

    name: Literal["mqtt", "influx", "webhook"]
    place: str
    failures: int = 0
    """In a row."""
    since: datetime | None = None
    """When it failed first."""
    words: str | None = None
    """Why it failed last."""
    next_try: datetime | None = None
    line: SeenState = "unknown"
    """What the watch saw when it failed."""
    last_taken: datetime | None = None
    rows_waiting: int = 0
    files_waiting: int = 0
    """Parquet files of the lake with rows that it has not got yet."""
    oldest_waiting: str | None = None
    """Their oldest day."""
    rows_held: int = 0
    """Rows that wait until this machine's clock is right, see `data.held`."""
    declined: int = 0
    """Rows that it refused for good."""
    declined_words: str | None = None
    refused_row: str | None = None
    """The row that it refuses just now, and since when."""
    refused_since: datetime | None = None

    @property
    def waiting(self) -> str:
        """What it has not got yet, for people; empty if it has everything."""
        parts = [
            amounts.count(self.rows_waiting, "row") if self.rows_waiting else "",
            amounts.count(self.files_waiting, "Parquet file") if self.files_waiting else "",
        ]
        found = " and ".join(filter(None, parts))
        waits = f"{found} of {self.oldest_waiting} and later wait" if found else ""
        held = amounts.count(self.rows_held, "row")
        is_held = f"{held} held back until this machine's clock is right" if self.rows_held else ""
        return "; ".join(filter(None, (waits, is_held)))

    @property
    def is_well(self) -> bool:
        """Whether it took everything when it was asked last."""
        return self.since is None

    def words_for(self, when: Callable[[datetime], str]) -> str:
        """Return how it stands, in one line; `when` writes an instant."""
        if self.since:
            state = f"takes nothing since {when(self.since)}: {self.words}"
        else:
            state = f"well, last sent {when(self.last_taken)}" if self.last_taken else "nothing sent yet"
        declined = f"refused {amounts.count(self.declined, 'row')}: {self.declined_words}" if self.declined else ""
        return "; ".join(filter(None, (f"{self.place}: {state}", self.waiting, declined)))

    def fail(self, now: datetime, words: str, line: SeenState, retry_seconds: float | None = None) -> None:
        """Note a failure, and when to ask again."""
        self.failures += 1
        self.since = self.since or now
        self.words, self.line = words, line
        asked = timedelta(seconds=min(retry_seconds or 0.0, LONGEST_REQUEST_SECONDS))
        self.next_try = now + max(back_off.pause(self.failures, FIRST_PAUSE, LONGEST_PAUSE), asked)

    def succeed(self) -> None:
        """Note that it took what was sent, or that there was nothing to send."""
        self.failures, self.since, self.words, self.next_try = 0, None, None, None
        self.refused_row, self.refused_since = None, None

    def is_due(self, now: datetime, line: SeenState) -> bool:
        """Return whether to ask it now. After a jump of the clock a pause is not longer than it could have been."""
        if self.next_try is None or (self.line == "down" and line == "up"):
            return True
        return not now < self.next_try <= now + timedelta(seconds=LONGEST_REQUEST_SECONDS)


def read(result_dir: Path, key: str) -> Standing | None:
    """Return what is known of a receiver; None if nothing is, or if the file cannot be read."""
    try:
        return msgspec.json.decode(_path(result_dir, key).read_bytes(), type=Standing)
    except (OSError, msgspec.MsgspecError):
        return None


def write(standing: Standing, result_dir: Path, key: str) -> None:
    """Replace the file. Raises OSError if the disk refuses it."""
    path = _path(result_dir, key)
    files.make_folder(path.parent, base=result_dir)
    files.replace(path, msgspec.json.encode(standing) + b"\n")


def line_state(result_dir: Path, now: datetime) -> SeenState:
    """Return what the daemon's watch sees now."""
    try:
        seen = watch_state.read(result_dir)
    except (OSError, msgspec.MsgspecError):
        return "unknown"
    return seen.state if seen.is_fresh(now) else "unknown"


def _path(result_dir: Path, key: str) -> Path:
    return result_dir / FOLDER / f"{key}.state.json"
