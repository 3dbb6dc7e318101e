"""The lock of UPLOAD_DIR: a conversion holds it, and a delivery while it removes files that were delivered."""

from pathlib import Path

from speedtest.data import probe
from speedtest.data.lock import EmptyFileLock, FolderLock, Lock, cannot_lock_folders
from speedtest.logging import Events

events = Events(__name__)

LOCK_NAME = ".convert.lock"
"""The lock's file where a folder cannot be locked, and of earlier versions everywhere."""


def alone(upload_dir: Path) -> Lock:
    """Lock UPLOAD_DIR, then remove what earlier versions left in it beside Parquet. Raises Held or OSError."""
    try:
        lock = FolderLock(upload_dir)
    except OSError as error:
        if not cannot_lock_folders(error):
            raise
        path = upload_dir / LOCK_NAME
        events.info(
            "lock_file", "%s cannot be locked (%s), so the conversion locks %s", upload_dir, error.strerror, path
        )
        return EmptyFileLock(path)
    try:
        _remove_old_lock(upload_dir / LOCK_NAME)
        (upload_dir / probe.FILE_NAME).unlink(missing_ok=True)
    except BaseException:
        lock.release()
        raise
    return lock


def _remove_old_lock(path: Path) -> None:
    """Remove the lock file of an earlier version. Raises Held if a conversion of that version is running."""
    if path.exists():
        with Lock(path):
            path.unlink()
