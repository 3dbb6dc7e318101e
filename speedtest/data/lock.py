"""Allow one writer for each folder: an exclusive `flock`, on a file in the folder or on the folder itself.

A process holds the lock as long as it runs; the kernel frees it when the process ends, for any reason. The daemon locks
`RESULT_DIR/.speedtest.lock`, which is never deleted. A conversion locks the folder `UPLOAD_DIR` itself, because other
programs read that folder whole and some fail on any file that is not Parquet. On a network file system the lock of a
folder excludes only the processes of one machine.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Self

from speedtest.data.files import FILE_MODE, make_folder


class Held(Exception):
    """Another process holds the lock. `holder` is the pid that it wrote into the file, None if there is none."""

    def __init__(self, path: Path, holder: int | None) -> None:
        """Name the lock and its holder."""
        self.holder = holder
        by = f"process {holder}" if holder else "another process"
        super().__init__(f"{path} is held by {by}")


class Lock:
    """The lock on a folder, held until `release` or the end of the process. Child programs do not inherit it."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once. Raises Held if another process has it, OSError if its file cannot be created.

        Creates the folder and its parents if they are missing, durably.
        """
        make_folder(path.parent, base=Path(path.parent.anchor))
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        self._take(path)
        # The pid only helps people; a full disk must not stop the daemon from measuring.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = None if path.is_dir() else _pid(os.read(self._descriptor, 32))
            os.close(self._descriptor)
            raise Held(path, holder) from None
        except OSError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Free the lock for other processes."""
        with contextlib.suppress(OSError):  # the lock is free even after an error
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Hold the lock for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()


class FolderLock(Lock):
    """The lock on a folder that leaves no file in it."""

    def __init__(self, folder: Path) -> None:
        """Take the lock at once. Raises Held if another process has it, OSError if the folder cannot be locked.

        Creates the folder and its parents if they are missing, durably.
        """
        make_folder(folder, base=Path(folder.anchor))
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._take(folder)


class EmptyFileLock(Lock):
    """The lock on a folder by an empty file, for file systems that cannot lock a folder.

    Programs that read the whole folder ignore a hidden file if it is empty.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock at once. Raises Held if another process has it, OSError if its file cannot be created."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        self._take(path)


def cannot_lock_folders(error: OSError) -> bool:
    """Return whether an error says that this file system cannot lock a folder."""
    return error.errno in {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def _pid(text: bytes) -> int | None:
    return int(text) if text.strip().isdigit() else None
