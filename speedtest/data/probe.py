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


def why(folder: Path, error: OSError) -> str:
    """Return why a folder cannot be written, as a sentence; if its owner is the reason, with what to do about that."""
    reason = error.strerror or str(error)
    owned = _existing(folder)
    if error.errno not in {errno.EACCES, errno.EPERM} or owned is None:
        return reason
    path, owner, group = owned
    uid, gid = os.geteuid(), os.getegid()
    if owner == uid:
        return reason
    return (
        f"{reason}: this process runs as user {uid} and group {gid}, but {path} belongs to user {owner} and group "
        f"{group}; give it to this process with `chown -R {uid}:{gid}` (a container's volume: on the host), or start "
        f'the container as its owner, with `--user {owner}:{group}` or, in a compose file, `user: "{owner}:{group}"`'
    )


def _existing(folder: Path) -> tuple[Path, int, int] | None:
    """Return the folder, or the nearest one above it that exists, with its owner and group. None if it is no folder."""
    for step in (folder.absolute(), *folder.absolute().parents):
        try:
            status = step.stat()
        except OSError:
            continue
        return (step, status.st_uid, status.st_gid) if step.is_dir() else None
    return None


def may_pass(error: OSError) -> bool:
    """Return whether an error may end by itself or when there is room. Then the daemon measures anyway."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EINTR}
