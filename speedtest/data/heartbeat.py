"""`RESULT_DIR/.heartbeat.json`: what the daemon says of itself, for a health check and for a person. It is no data.

Whether the daemon is late is decided here once, for the health check, the terminal and the page. On the machine that
wrote it, and as long as that has not restarted, the monotonic clock decides, which a step of the wall clock does not
touch; elsewhere the wall clock does.
"""

from datetime import datetime
from pathlib import Path

import msgspec

from speedtest.data.files import replace

FILE_NAME = ".heartbeat.json"
GRACE_SECONDS = 30.0
"""How late a test may start before the daemon counts as hung, beside the longest that a test may run."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


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
    boot: str | None = None
    """Which start of which machine the monotonic clock counts from; None where the system does not tell."""

    def seconds_late(self, now: datetime, monotonic: float) -> float:
        """Return how long ago the next test was due, negative while it is still to come."""
        if self.boot is not None and self.boot == boot_id():
            return monotonic - self.next_due_monotonic
        return (now - self.next_due).total_seconds()

    def is_late(self, now: datetime, monotonic: float) -> bool:
        """Say whether the next test should have begun so long ago that the loop must have stopped."""
        return self.seconds_late(now, monotonic) > self.timeout_seconds + GRACE_SECONDS


def boot_id() -> str | None:
    """Return what names this start of this machine: Linux has a random UUID for it, other systems have none."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None


def write(heartbeat: Heartbeat, result_dir: Path) -> None:
    """Replace the file. Raises OSError if the disk refuses it."""
    replace(result_dir / FILE_NAME, msgspec.json.encode(heartbeat) + b"\n")


def read(result_dir: Path) -> Heartbeat:
    """Return what was said last. Raises OSError or msgspec.MsgspecError if nothing, or no heartbeat, is there."""
    return msgspec.json.decode((result_dir / FILE_NAME).read_bytes(), type=Heartbeat)
