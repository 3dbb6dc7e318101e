"""Find out whether a folder can be written, by writing: modes, mounts and file systems do not tell reliably."""

import errno
from pathlib import Path


def refusal(folder: Path) -> OSError | None:
    """Create the folder and a file in it; return the error if that fails, else None.

    The file always has the same name, so the next probe deletes one that a killed process left behind.
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
    """Return whether an error may end by itself or when there is room. Then the daemon measures anyway."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EINTR}
