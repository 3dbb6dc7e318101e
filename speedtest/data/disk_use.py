"""What lies on the disk: how much a folder takes, how much room is left, and how many files were put aside."""

import shutil
from pathlib import Path

import msgspec


class DiskUse(msgspec.Struct, kw_only=True):
    """A folder of rows."""

    folder: str
    bytes_used: int
    bytes_free: int | None
    """On its file system, for this user; None where there is no such folder."""


def disk_use(folder: Path) -> DiskUse:
    """Return what a folder and all below it takes; a file that goes meanwhile, or cannot be seen, counts nothing."""
    used = 0
    for parent, _, names in folder.walk():
        used += sum(map(_size, (parent / name for name in names)))
    free = shutil.disk_usage(folder).free if folder.is_dir() else None
    return DiskUse(folder=str(folder.absolute()), bytes_used=used, bytes_free=free)


def quarantined(quarantine: Path) -> int:
    """Return how many files of rows could not be read and were put aside."""
    return sum(1 for _ in quarantine.rglob("*.csv"))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0
