"""`RESULT_DIR/.heartbeat.json`: what the daemon says of itself, for a health check and for a person. It is no data.

`next_due` is for people; whether the loop is on time is told by `next_due_monotonic`, which a step of the wall clock
does not touch.
"""

from datetime import datetime
from pathlib import Path

import msgspec

from speedtest.data.files import replace

FILE_NAME = ".heartbeat.json"


class Heartbeat(msgspec.Struct, kw_only=True):
    """The state of the loop at its last change."""

    pid: int
    interval_seconds: float
    timeout_seconds: float
    next_due: datetime
    next_due_monotonic: float
    """Seconds of the machine's monotonic clock."""
    last_attempt: datetime | None = None
    last_success: datetime | None = None
    failures_in_a_row: int = 0
    rows_waiting: int = 0
    """Rows that the disk refused."""


def write(heartbeat: Heartbeat, result_dir: Path) -> None:
    """Replace the file. Raises OSError if the disk refuses it."""
    replace(result_dir / FILE_NAME, msgspec.json.encode(heartbeat) + b"\n")


def read(result_dir: Path) -> Heartbeat:
    """Return what was said last. Raises OSError or msgspec.MsgspecError if nothing, or no heartbeat, is there."""
    return msgspec.json.decode((result_dir / FILE_NAME).read_bytes(), type=Heartbeat)
