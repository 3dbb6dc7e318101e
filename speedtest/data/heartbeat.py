"""`RESULT_DIR/.heartbeat.json`: the daemon's state, for health checks and people. It holds no rows.

This module alone decides whether the daemon is late: for the health check, the terminal and the page. On the machine
that wrote the file, the monotonic clock decides, because changes of the wall clock do not affect it; after a restart
of that machine the daemon is late at once. On other machines the wall clock decides.
"""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from speedtest.data.files import digest, replace

FILE_NAME = ".heartbeat.json"
GRACE_SECONDS = 30.0
"""The daemon counts as hung if the next test is late by more than the time limit of a test plus this."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")
_MACHINE_ID = re.compile(rb"[0-9a-f]{32}")


class Heartbeat(msgspec.Struct, kw_only=True):
    """The state of the daemon at its last change."""

    pid: int
    interval_seconds: float
    timeout_seconds: float
    next_due: Annotated[datetime, msgspec.Meta(tz=True)]
    next_due_monotonic: float
    """In seconds of the machine's monotonic clock."""
    last_attempt: datetime | None = None
    last_success: datetime | None = None
    failures_in_a_row: int = 0
    rows_waiting: int = 0
    """Rows that the disk refused and that wait in memory."""
    files_waiting: int = 0
    """Files of the lake that wait for delivery to DELIVER_TO."""
    files_waiting_since: date | None = None
    """The day of the oldest of them."""
    boot: str | None = None
    """The boot that the monotonic clock counts from; None if the system has no name for it."""
    location: str | None = None
    """The line that the daemon measures."""

    machine: str | None = None
    """A digest of the machine's id; None if it has none, as in most containers."""

    def seconds_late(self, now: datetime, monotonic: float) -> float:
        """Return how many seconds ago the next test was due; negative before it is due."""
        if self.boot == boot_id():  # also where neither system names its boot, as on macOS
            return monotonic - self.next_due_monotonic
        return (now - self.next_due).total_seconds()

    def is_late(self, now: datetime, monotonic: float) -> bool:
        """Return whether the next test is so late that the daemon must have stopped."""
        late = self.seconds_late(now, monotonic)
        return late > self.timeout_seconds + GRACE_SECONDS or self.is_before_restart(monotonic)

    def is_before_restart(self, monotonic: float) -> bool:
        """Return whether this machine has restarted since the heartbeat, as far as that can be known."""
        if self.boot != boot_id():
            return self.machine is not None and self.machine == machine_digest()
        return self.boot is None and self.next_due_monotonic - monotonic > self.interval_seconds + GRACE_SECONDS


def boot_id() -> str | None:
    """Return the name of this machine's current boot: a random UUID on Linux, None on other systems."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None


def machine_digest() -> str | None:
    """Return a digest of this machine's id, which itself should stay on the machine; None if it has none.

    The file of many images is empty, or says that the id is yet to be made.
    """
    try:
        machine = _MACHINE.read_bytes()
    except OSError:
        return None
    return digest(machine) if _MACHINE_ID.fullmatch(machine.strip()) else None


def write(heartbeat: Heartbeat, result_dir: Path) -> None:
    """Replace the file. Raises OSError if the disk refuses it."""
    replace(result_dir / FILE_NAME, msgspec.json.encode(heartbeat) + b"\n")


def read(result_dir: Path) -> Heartbeat:
    """Return the last heartbeat. Raises OSError if there is no file, msgspec.MsgspecError if it is not valid."""
    return msgspec.json.decode((result_dir / FILE_NAME).read_bytes(), type=Heartbeat)
