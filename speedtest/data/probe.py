"""Find out whether a folder can be written, by writing: modes, mounts and file systems do not tell reliably."""

import errno
import os
from pathlib import Path

from speedtest.data import unnamed

FILE_NAME = ".probe.tmp"
"""Written only where the file system has no files without a name: readers of the lake could stumble over it."""


def refusal(folder: Path) -> OSError | None:
    """Create the folder and a file in it; return the error if that fails, else None."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder)
    except OSError as error:
        return error
    return None


def _write(folder: Path) -> None:
    """Write a file that is gone afterwards. If it has a name, the next probe deletes what a killed process left."""
    if (descriptor := unnamed.opened(folder)) is not None:
        try:
            os.write(descriptor, b"probe\n")
        finally:
            os.close(descriptor)
        return
    probe = folder / FILE_NAME
    try:
        probe.write_bytes(b"probe\n")
    finally:
        probe.unlink(missing_ok=True)


def may_pass(error: OSError) -> bool:
    """Return whether an error may end by itself or when there is room. Then the daemon measures anyway."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EINTR}
