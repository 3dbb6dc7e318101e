"""`RESULT_DIR/.schedule.json`: what the schedule must remember after a restart. It holds no rows.

A reader sees the old file or the new one, never a part. A power cut may lose the last write. No row depends on it.
"""

from pathlib import Path

import msgspec

from speedtest.daemon.schedule import Memory
from speedtest.data import heartbeat
from speedtest.data.files import replace
from speedtest.logging import Events

events = Events(__name__)

FILE_NAME = ".schedule.json"


def write(memory: Memory, result_dir: Path) -> None:
    """Replace the file. Raises OSError if the disk refuses it."""
    replace(result_dir / FILE_NAME, msgspec.json.encode(memory) + b"\n")


def recall(result_dir: Path) -> Memory:
    """Return what was written last, or an empty memory if that cannot be read. Warns unless this is the first run."""
    path = result_dir / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        if not (result_dir / heartbeat.FILE_NAME).exists():
            return Memory()
        why = "is missing"
    except (OSError, msgspec.MsgspecError) as error:
        why = f"cannot be read: {error}"
    events.warning("memory_lost", "%s %s: this month's data use starts at 0, and no engine is paused", path, why)
    return Memory()
