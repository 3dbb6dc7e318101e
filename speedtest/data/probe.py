"""Can a folder be written? Asked by writing: file systems, mounts and owners say it in too many ways."""

import errno
from pathlib import Path


def refusal(folder: Path) -> OSError | None:
    """Make the folder and a file in it; return why that cannot be done, None if it can.

    The file has one name for all, so that one which a kill left behind goes with the next.
    """
    probe = folder / ".probe.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"probe\n")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return error
    return None


def may_pass(error: OSError) -> bool:
    """Say whether a refusal is of a kind that ends by itself or by making room: no reason not to measure."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EINTR}
