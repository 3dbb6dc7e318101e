"""Disk use: how much space a folder takes, how much is free, and how many files are in quarantine."""

import shutil
from pathlib import Path

import msgspec


class DiskUse(msgspec.Struct, kw_only=True):
    """The disk use of a folder of rows."""

    folder: str
    bytes_used: int
    bytes_free: int | None
    """On its file system, for this user; None if the folder does not exist."""


def disk_use(folder: Path) -> DiskUse:
    """Return the disk use of a folder with its subfolders. Files that vanish or cannot be seen count as 0 bytes."""
    used = 0
    for parent, _, names in folder.walk():
        used += sum(map(_size, (parent / name for name in names)))
    free = shutil.disk_usage(folder).free if folder.is_dir() else None
    return DiskUse(folder=str(folder.absolute()), bytes_used=used, bytes_free=free)


def quarantined(quarantine: Path) -> int:
    """Return how many CSV files are in quarantine."""
    return sum(1 for _ in quarantine.rglob("*.csv"))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0
