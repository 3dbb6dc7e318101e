"""`RESULT_DIR/.schedule.json`: what the schedule must remember after a restart. It holds no rows.

A reader sees the old file or the new one, never a part. A power cut may lose the last write. No row depends on it.
"""

from datetime import datetime
from pathlib import Path

import msgspec

from speedtest.daemon.schedule import Memory, count
from speedtest.data import heartbeat
from speedtest.data.files import replace
from speedtest.logging import Events

events = Events(__name__)

FILE_NAME = ".schedule.json"
BY_HAND_FILE_NAME = ".once.json"
"""The bytes of `speedsnake once` by month. Each file has one writer, so that no count is lost."""


def write(memory: Memory, result_dir: Path) -> None:
    """Replace the file. Raises OSError if the disk refuses it."""
    replace(result_dir / FILE_NAME, msgspec.json.encode(memory) + b"\n")


def recall(result_dir: Path) -> Memory:
    """Return what was written last, or an empty memory if that cannot be read. Warns unless this is the first run."""
    path = result_dir / FILE_NAME
    memory = Memory()
    why = None
    try:
        memory = msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        if (result_dir / heartbeat.FILE_NAME).exists():
            why = "is missing"
    except (OSError, msgspec.MsgspecError) as error:
        why = f"cannot be read: {error}"
    if why:
        events.warning("memory_lost", "%s %s: this month's data use starts at 0, and no engine is paused", path, why)
    memory.by_hand = by_hand(result_dir, memory.by_hand)
    return memory


def by_hand(result_dir: Path, last: dict[str, int]) -> dict[str, int]:
    """Return the bytes of `speedsnake once` by month; `last`, what was read before, if that cannot be read."""
    try:
        return msgspec.json.decode((result_dir / BY_HAND_FILE_NAME).read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError):
        return last


def count_by_hand(result_dir: Path, moved: int, now: datetime) -> None:
    """Add bytes to those of `speedsnake once`. Its lock must be held. Raises OSError if the disk refuses it."""
    bytes_by_month = recall(result_dir).by_hand
    count(bytes_by_month, moved, now)
    replace(result_dir / BY_HAND_FILE_NAME, msgspec.json.encode(bytes_by_month) + b"\n")
