"""Files without a name, Linux's `O_TMPFILE`: no reader of a folder sees one, and a crash leaves nothing behind.

ext4, XFS, btrfs, tmpfs and overlayfs have them; network file systems, most of FUSE and macOS do not.
"""

import errno
import os
from pathlib import Path

_MODE = 0o640
_FLAG = getattr(os, "O_TMPFILE", 0)
_NONE_HERE = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.EISDIR, errno.EINVAL, errno.ENOSYS})
_DESCRIPTORS = Path("/proc/self/fd")


def opened(folder: Path) -> int | None:
    """Open a new file without a name on a folder's file system; return its descriptor; None if it has no such files.

    Raises OSError if the folder cannot be written or the disk refuses.
    """
    if not _FLAG or not _DESCRIPTORS.exists():
        return None
    try:
        return os.open(folder, _FLAG | os.O_RDWR | os.O_CLOEXEC, _MODE)
    except OSError as error:
        if error.errno not in _NONE_HERE:
            raise
        return None


def link(descriptor: int, path: Path) -> None:
    """Give such a file a name. Raises FileExistsError if the name is taken, and never replaces a file."""
    source = _DESCRIPTORS / str(descriptor)
    os.link(source, path, src_dir_fd=descriptor, follow_symlinks=True)  # only with a folder does Python follow links
