"""The only way to create a file that holds rows: durable, complete at once, never in place of another file.

`publish` writes a temporary file beside the final name, syncs it, links it to the final name and syncs the folder. The
link makes the file visible; after the last sync it is saved. A crash at any instruction leaves the old state or the new
one, and perhaps a temporary file. `sweep` removes those; its caller holds the lock of their writer.

In the lake, whose folders other programs read whole, the temporary file has no name, if the file system has such files.
File systems may forget the bytes of a file that was synced without a name, so it is synced again under its name.
"""

import errno
import os
from _blake2 import blake2b  # that of hashlib, which would load 4 MiB of OpenSSL into the daemon
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from speedtest.data import unnamed

FILE_MODE = 0o640
FOLDER_MODE = 0o750
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES})
_known_durable: set[Path] = set()


type Verify = Callable[[bytes], None] | None
"""Gets the bytes that were read back from disk and raises an error if they are wrong."""


def publish(path: Path, data: bytes, *, base: Path, verify: Verify = None, hidden: bool = False) -> None:
    """Create `path`, below the folder `base`, with these bytes. It is durable when this returns.

    If the file exists with the same bytes, that is success. Raises FileExistsError if it exists with other bytes, which
    stay. Raises OSError if the disk refuses: then the file is not saved, and a temporary file may be left. `verify` is
    called before the file is published. If `hidden`, the temporary file has no name, where the file system allows that.
    """
    for last_try in (False, True):
        make_folder(path.parent, base=base)
        try:
            _publish(path, data, verify, hidden=hidden)
        except FileNotFoundError:  # a conversion has just removed this folder because it was empty
            if last_try:
                raise
        else:
            return


def _publish(path: Path, data: bytes, verify: Verify, *, hidden: bool) -> None:
    if not (hidden and _publish_unnamed(path, data, verify)):
        temporary = temporary_of(path)
        try:
            _write(temporary, data)
            if verify:
                verify(_same(temporary.read_bytes(), data, path))
            _link(temporary, path, data)
        finally:
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _publish_unnamed(path: Path, data: bytes, verify: Verify) -> bool:
    """Write a file without a name and give it its own. Return False if the file system cannot do that."""
    if (descriptor := unnamed.opened(path.parent)) is None:
        return False
    try:
        _fill(descriptor, data)
        if verify:
            verify(_same(os.pread(descriptor, len(data) + 1, 0), data, path))
        unnamed.link(descriptor, path)
    except FileExistsError:
        if not _holds(path, data):
            raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        return False
    finally:
        os.close(descriptor)
    sync_file(path)
    return True


def first_free(names: Iterable[Path], put: Callable[[Path], object]) -> Path:
    """Put a file under the first free name and return that name. `put` raises FileExistsError if a name is taken."""
    for path in names:
        try:
            put(path)
        except FileExistsError:
            continue
        return path
    raise AssertionError("the names never end")


def digest(data: bytes) -> str:
    """Return the digest by which a file is known: 16 hexadecimal digits of BLAKE2b."""
    return blake2b(data, digest_size=8).hexdigest()


def temporary_of(path: Path) -> Path:
    """Return the name that a file has until it is published."""
    return path.with_name(f".{path.name}.tmp")


def _write(path: Path, data: bytes) -> None:
    """Write a new file and sync it. After any error the file is useless: a repeated fsync would not save its bytes."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        _fill(descriptor, data)
    finally:
        os.close(descriptor)


def _fill(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def _same(found: bytes, data: bytes, path: Path) -> bytes:
    if found != data:
        raise OSError(
            errno.EIO, "the bytes read back differ from those written; check this machine's disk and memory", str(path)
        )
    return found


def _link(temporary: Path, path: Path, data: bytes) -> None:
    """Give the file its name unless that is taken. A link is atomic and, unlike a rename, never replaces a file."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        if not _holds(path, data):
            raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _rename(temporary, path, error)


def _holds(path: Path, data: bytes) -> bool:
    return not path.is_symlink() and path.read_bytes() == data


def move(source: Path, target: Path, *, base: Path) -> None:
    """Move a file to another name below `base`, durably and unchanged. After a crash, a second call completes it.

    Raises FileExistsError if another file has the name, OSError if the disk refuses.
    """
    make_folder(target.parent, base=base)
    sync_file(source)
    try:
        os.link(source, target)
    except FileExistsError:
        if not source.samefile(target):
            raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _rename(source, target, error)
    sync_folder(target.parent)
    source.unlink(missing_ok=True)
    sync_folder(source.parent)


def replace(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replace a file. A reader sees the old bytes or the new; a power cut may lose both, unless it is `durable`."""
    temporary = temporary_of(path)
    if durable:
        _write(temporary, data)
    else:
        temporary.write_bytes(data)
    temporary.replace(path)
    if durable:
        sync_folder(path.parent)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file that becomes `path` if the block succeeds. For files that a person asks for.

    An earlier file of that name is replaced at once or stays unchanged. Raises OSError if the disk refuses.
    """
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(temporaries: Iterable[Path]) -> int:
    """Remove files that a crash left half written; return how many. The caller holds the lock of their writer."""
    removed = 0
    for path in temporaries:
        path.unlink(missing_ok=True)
        removed += 1
    return removed


def make_folder(folder: Path, *, base: Path) -> None:
    """Create `folder` and its missing parents. Each is durable in its parent before the next is created.

    An existing folder may come from a run that was killed before it synced the parent. So each parent below `base` is
    synced once in the life of this process.
    """
    for step in reversed((folder, *folder.parents)):
        if step != base and base not in step.parents:
            continue
        if _make(step) or step not in _known_durable:
            _known_durable.discard(step)
            sync_folder(step.parent)
            _known_durable.add(step)


def _make(folder: Path) -> bool:
    """Create a folder and its missing parents; return whether it was missing."""
    try:
        folder.mkdir(mode=FOLDER_MODE)
    except (FileExistsError, IsADirectoryError):  # macOS raises IsADirectoryError for the root
        return False
    except FileNotFoundError:
        if _make(folder.parent):
            _known_durable.discard(folder.parent)
            sync_folder(folder.parent.parent)
        folder.mkdir(mode=FOLDER_MODE)
    return True


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable."""
    _sync(path, os.O_RDONLY)


def remove_empty(folder: Path, *, base: Path) -> None:
    """Remove a folder and its parents below `base`, as far as they are empty. The removal need not be durable."""
    for step in (folder, *folder.parents):
        if step == base:
            return
        try:
            step.rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                raise
            return


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Does nothing where folders cannot be synced (SMB, FUSE, no read right)."""
    try:
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(source: Path, target: Path, cause: OSError) -> None:
    """Rename a file where hard links do not exist: check, then rename. The lock keeps other writers away meanwhile."""
    if target.exists() or target.is_symlink():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from cause
    source.rename(target)
