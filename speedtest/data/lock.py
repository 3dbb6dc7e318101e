"""One writer of a folder: an exclusive `flock` on a file in it, held for the life of the process, never unlinked.

The kernel frees it when the process ends, however that happens. `RESULT_DIR/.speedtest.lock` is the daemon's,
`UPLOAD_DIR/.convert.lock` a conversion's.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from speedtest.data.files import FILE_MODE, make_folder


class Held(Exception):
    """Another process holds the lock; `holder` is its pid as it wrote it down, None if it did not."""

    def __init__(self, path: Path, holder: int | None) -> None:
        """Say who holds which lock."""
        self.holder = holder
        by = f"process {holder}" if holder else "another process"
        super().__init__(f"{path} is held by {by}")


class Lock:
    """The lock on a folder, from its making until `release` or the end of the process. It is not inherited."""

    def __init__(self, path: Path) -> None:
        """Take it at once. Raises Held if another process has it, OSError if its file cannot be made.

        The folder is made if it is missing; its name, and each above it, is durable then.
        """
        make_folder(path.parent, base=Path(path.parent.anchor))
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _pid(os.read(self._descriptor, 32))
            os.close(self._descriptor)
            raise Held(path, holder) from None
        # The pid only helps a person; a full disk must not keep the daemon from measuring.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have it."""
        with contextlib.suppress(OSError):  # it is free then all the same
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Hold it for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release it."""
        self.release()


def _pid(text: bytes) -> int | None:
    return int(text) if text.strip().isdigit() else None
