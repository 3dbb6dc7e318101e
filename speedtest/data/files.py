"""The one way in which a file that holds rows comes to be: durably, all at once, never over another.

`publish` writes a temporary beside the final name, syncs it, links it to that name and syncs the folder; only then is
it there for a reader, and only then may it be called saved. A crash at any instruction leaves the old state or the new
one, and perhaps a temporary, which `sweep` removes under the lock of whoever owns its kind.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FILE_MODE = 0o640
FOLDER_MODE = 0o750
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES})
_known_durable: set[Path] = set()


def publish(path: Path, data: bytes, *, base: Path, verify: Callable[[bytes], None] | None = None) -> None:
    """Create `path` with these bytes, below the folder `base`, durable when this returns.

    A file that is there with the same bytes is success. Raises FileExistsError for one with other bytes, which is left
    as it is, and OSError for what the disk refuses; nothing but perhaps a temporary is there then. `verify` gets what
    was read back from disk before it is published and raises what it finds wrong.
    """
    for last_try in (False, True):
        make_folder(path.parent, base=base)
        try:
            _publish(path, data, verify)
        except FileNotFoundError:  # a conversion has just removed the folder that it emptied
            if last_try:
                raise
        else:
            return


def _publish(path: Path, data: bytes, verify: Callable[[bytes], None] | None) -> None:
    temporary = temporary_of(path)
    try:
        _write(temporary, data)
        if verify:
            verify(_read_back(temporary, data))
        _link(temporary, path, data)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def first_free(names: Iterable[Path], put: Callable[[Path], object]) -> Path:
    """Put a file under the first of these names that is free, and return it; `put` raises FileExistsError otherwise."""
    for path in names:
        try:
            put(path)
        except FileExistsError:
            continue
        return path
    raise AssertionError("the names never end")


def temporary_of(path: Path) -> Path:
    """Return the name under which a file is written before it is published."""
    return path.with_name(f".{path.name}.tmp")


def _write(path: Path, data: bytes) -> None:
    """Write a new file to the disk itself. After any error the file is of no use: a failed fsync is not repeated."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_back(path: Path, data: bytes) -> bytes:
    found = path.read_bytes()
    if found != data:
        raise OSError(
            errno.EIO, "what was read back is not what was written; check this disk and its memory", str(path)
        )
    return found


def _link(temporary: Path, path: Path, data: bytes) -> None:
    """Give the file its name unless that is taken; a link is atomic and, unlike a rename, never replaces."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        if path.is_symlink() or path.read_bytes() != data:
            raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _rename(temporary, path, error)


def move(source: Path, target: Path, *, base: Path) -> None:
    """Give a file another name below `base`, durably, its bytes untouched; a second call after a crash completes it.

    Raises FileExistsError if the name is taken by another file, OSError for what the disk refuses.
    """
    make_folder(target.parent, base=base)
    _sync(source, os.O_RDONLY)
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


def replace(path: Path, data: bytes) -> None:
    """Put these bytes in place of a file that is no data: a reader sees the old or the new, a power cut may lose it."""
    temporary = temporary_of(path)
    temporary.write_bytes(data)
    temporary.replace(path)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Give a temporary that becomes the file if the block ends well, for a file that a person asked for.

    What was there before is replaced all at once, or stays as it is. Raises OSError for what the disk refuses.
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
    """Remove what a crash left half written; only under the lock of whoever writes files of these names."""
    removed = 0
    for path in temporaries:
        path.unlink(missing_ok=True)
        removed += 1
    return removed


def make_folder(folder: Path, *, base: Path) -> None:
    """Make what is missing down to `folder`, each step durable in its parent before the next.

    A step that was there already may have been made by a run that was killed before it synced the parent: below
    `base` each parent is synced once in the life of this process.
    """
    for step in reversed((folder, *folder.parents)):
        if step != base and base not in step.parents:
            continue
        if _make(step) or step not in _known_durable:
            _known_durable.discard(step)
            sync_folder(step.parent)
            _known_durable.add(step)


def _make(folder: Path) -> bool:
    """Make a folder, and its missing parents; say whether it was missing."""
    try:
        folder.mkdir(mode=FOLDER_MODE)
    except (FileExistsError, IsADirectoryError):  # macOS has the second for the root
        return False
    except FileNotFoundError:
        if _make(folder.parent):
            _known_durable.discard(folder.parent)
            sync_folder(folder.parent.parent)
        folder.mkdir(mode=FOLDER_MODE)
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; one that cannot be synced (SMB, FUSE, no right to read) is taken as it is."""
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
    """Where hard links do not exist: look, then rename; the lock keeps others from coming between the two."""
    if target.exists() or target.is_symlink():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from cause
    source.rename(target)
