"""A simulated disk that may lose what no fsync covered: play calls on it, cut the power, and see what may be left.

A file's bytes and a folder's names are safe as they were at the last successful fsync. Of later changes, a file system
may keep any part: each changed name in any state it had since then, independent of other names; of a file's bytes all,
half, zeros in their place, or none. After a failed fsync, a later fsync of the same file saves nothing, because the
kernel has dropped the pages. If a file was synced only while it had no name, an fsync of the folder that names it later
may save the name without the bytes: btrfs skips files without a name when it writes its log.
"""

import os
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

import msgspec

from tests.faults.calls import Call

type Tree = dict[str, bytes | None]
"""Paths and their contents: bytes for a file, None for a folder."""


class Choose(Protocol):
    """Choose one of several states after a power cut; 0 is the state that was safe."""

    def __call__(self, choices: int, /, *, of_bytes: bool) -> int: ...


class File(msgspec.Struct):
    """A file's bytes: the current ones and the safe ones."""

    data: bytes = b""
    synced: bytes = b""
    spoilt: bool = False
    has_name: bool = True
    synced_by_name: bool = True
    """False for a file that was opened without a name, until it is synced with one."""

    def sync_name(self) -> None:
        """Save the name that a folder has for it, perhaps without the bytes."""
        if not self.synced_by_name:
            self.synced = b""

    def sync(self, *, good: bool) -> None:
        self.spoilt |= not good and self.data != self.synced
        if good and not self.spoilt:
            self.synced = self.data
            self.synced_by_name |= self.has_name

    def choices(self) -> list[bytes]:
        if self.data == self.synced:
            return [self.data]
        return list(dict.fromkeys((self.synced, self.data[: len(self.data) // 2], bytes(len(self.data)), self.data)))


class Folder(msgspec.Struct):
    """A folder's names, and for each name that changed since the last fsync everything it named since then."""

    names: "dict[str, File | Folder]" = {}
    changed: "dict[str, list[File | Folder | None]]" = {}

    def put(self, name: str, node: "File | Folder | None") -> None:
        self.changed.setdefault(name, [self.names.get(name)]).append(node)
        self.names.pop(name, None)
        if node is not None:
            self.names[name] = node

    def sync(self, *, good: bool) -> None:
        if good:
            for node in self.names.values():
                if isinstance(node, File):
                    node.sync_name()
            self.changed.clear()

    def choices(self, name: str) -> "list[File | Folder | None]":
        return self.changed.get(name) or [self.names.get(name)]


class Disk:
    """A simulated disk with the contents of one real folder."""

    def __init__(self, tree: Path) -> None:
        """Start with the current contents; all of them are safe."""
        self._base = str(tree.parent)
        self.root = Folder({tree.name: _scan(tree)} if tree.exists() else {})
        self._open: dict[int, tuple[File | Folder, int]] = {}

    def play(self, call: Call) -> None:
        """Do what a call did: nothing, if the process was killed before it."""
        if call.result < 0 and not call.error:
            return
        if call.name in {"fsync", "fdatasync"} and call.descriptor and call.descriptor[0] in self._open:
            self._open[call.descriptor[0]][0].sync(good=not call.error)
        elif not call.error and call.name in _PLAYED:
            _PLAYED[call.name](self, call)

    def end_process(self) -> None:
        """Close the files of a process that has ended."""
        self._open.clear()

    def states(self, most: int, seed: int) -> Iterator[Tree]:
        """Yield different trees that a power cut now may leave, the simplest ones first."""
        chance = random.Random(seed)
        seen: set[frozenset[tuple[str, bytes | None]]] = set()
        for choose in _choosers(self._slots(), most, chance):
            tree: Tree = {}
            _build(self.root, "", choose, tree)
            if (key := frozenset(tree.items())) not in seen:
                seen.add(key)
                yield tree
            if len(seen) == most:
                return

    def _slots(self) -> int:
        """Count the choices to make if all names are kept."""
        count = 0

        def choose(choices: int, *, of_bytes: bool) -> int:
            del of_bytes
            nonlocal count
            count += choices > 1
            return choices - 1

        _build(self.root, "", choose, {})
        return count

    def _find(self, path: bytes) -> tuple[Folder, str] | None:
        """Return the folder that holds a path of this disk, and the path's last name."""
        text = path.decode(errors="surrogateescape")
        if not text.startswith(f"{self._base}/"):
            return None
        *parents, name = PurePosixPath(text.removeprefix(f"{self._base}/")).parts
        folder = self.root
        for parent in parents:
            inner = folder.names.get(parent)
            if not isinstance(inner, Folder):
                return None
            folder = inner
        return folder, name

    def _do_open(self, call: Call) -> None:
        if (place := self._find(call.texts[0])) is None:
            self._open.pop(call.result, None)
            return
        if "O_TMPFILE" in call.arguments:
            self._open[call.result] = (File(has_name=False, synced_by_name=False), 0)
            return
        folder, name = place
        node = folder.names.get(name)
        if node is None and "O_CREAT" in call.arguments:
            node = File()
            folder.put(name, node)
        if node is None:
            return
        if isinstance(node, File) and "O_TRUNC" in call.arguments:
            node.data = b""
        self._open[call.result] = (node, 0)

    def _do_close(self, call: Call) -> None:
        if call.descriptor:
            self._open.pop(call.descriptor[0], None)

    def _do_write(self, call: Call) -> None:
        number = call.descriptor[0] if call.descriptor else -1
        node, position = self._open.get(number, (None, 0))
        if isinstance(node, File):
            at = int(call.arguments.rpartition(", ")[2]) if call.name == "pwrite64" else position
            node.data = node.data[:at] + call.texts[-1][: call.result] + node.data[at + call.result :]
            self._open[number] = (node, position + call.result)

    def _do_truncate(self, call: Call) -> None:
        node, _ = self._open.get(call.descriptor[0] if call.descriptor else -1, (None, 0))
        if isinstance(node, File):
            node.data = node.data[: int(call.arguments.rpartition(", ")[2])]

    def _do_mkdir(self, call: Call) -> None:
        if place := self._find(call.texts[0]):
            place[0].put(place[1], Folder())

    def _do_unlink(self, call: Call) -> None:
        if place := self._find(call.texts[0]):
            place[0].put(place[1], None)

    def _do_link(self, call: Call) -> None:
        source, target = (self._find(text) for text in call.texts)
        if target and call.texts[0].startswith(_DESCRIPTORS):
            node, _ = self._open[int(call.texts[0].removeprefix(_DESCRIPTORS))]
            if isinstance(node, File):
                node.has_name = True
                target[0].put(target[1], node)
        elif source and target:
            target[0].put(target[1], source[0].names[source[1]])
            if call.name.startswith("rename"):
                source[0].put(source[1], None)


_DESCRIPTORS = b"/proc/self/fd/"

_PLAYED: dict[str, Callable[[Disk, Call], None]] = {
    "open": Disk._do_open,  # noqa: SLF001 (its own table)
    "openat": Disk._do_open,  # noqa: SLF001
    "close": Disk._do_close,  # noqa: SLF001
    "write": Disk._do_write,  # noqa: SLF001
    "pwrite64": Disk._do_write,  # noqa: SLF001
    "ftruncate": Disk._do_truncate,  # noqa: SLF001
    "mkdir": Disk._do_mkdir,  # noqa: SLF001
    "mkdirat": Disk._do_mkdir,  # noqa: SLF001
    "unlink": Disk._do_unlink,  # noqa: SLF001
    "unlinkat": Disk._do_unlink,  # noqa: SLF001
    "rmdir": Disk._do_unlink,  # noqa: SLF001
    "link": Disk._do_link,  # noqa: SLF001
    "linkat": Disk._do_link,  # noqa: SLF001
    "rename": Disk._do_link,  # noqa: SLF001
    "renameat": Disk._do_link,  # noqa: SLF001
    "renameat2": Disk._do_link,  # noqa: SLF001
}
KNOWN = frozenset(_PLAYED) | {"fsync", "fdatasync"}
"""Calls that this disk can play. A call that changes files but is not among them would make the proof invalid."""


def _scan(path: Path) -> File | Folder:
    if path.is_dir():
        return Folder({name: _scan(path / name) for name in sorted(os.listdir(path))})
    data = path.read_bytes()
    return File(data, data)


def _choosers(slots: int, most: int, chance: random.Random) -> Iterator[Choose]:
    """Yield ways to choose: all old, all new, new names with old or half the bytes, one different, then at random."""
    yield lambda _, *, of_bytes: 0  # noqa: ARG005 (as it must be called)
    yield lambda choices, *, of_bytes: choices - 1  # noqa: ARG005 (the same)
    yield lambda choices, *, of_bytes: 0 if of_bytes else choices - 1
    yield lambda choices, *, of_bytes: min(1, choices - 1) if of_bytes else choices - 1
    for slot in range(slots):
        yield _one(slot, (), chance)
        yield _one(slot, (slot,), chance)
    for _ in range(most):
        yield lambda choices, *, of_bytes: chance.randrange(choices)  # noqa: ARG005, PLW0108 (the same)


def _one(slot: int, old: Iterable[int], chance: random.Random) -> Choose:
    """Choose differently at one place: new where all others are old, or old where all others are new."""
    at = 0

    def choose(choices: int, *, of_bytes: bool) -> int:
        del of_bytes
        nonlocal at
        if choices == 1:
            return 0
        at += 1
        if slot in old:
            return chance.randrange(choices - 1) if at - 1 == slot else choices - 1
        return chance.randrange(1, choices) if at - 1 == slot else 0

    return choose


def _build(folder: Folder, prefix: str, choose: Choose, tree: Tree) -> None:
    for name in sorted(folder.names.keys() | folder.changed.keys()):
        choices = folder.choices(name)
        node = choices[choose(len(choices), of_bytes=False)]
        path = f"{prefix}{name}"
        if isinstance(node, Folder):
            tree[path] = None
            _build(node, f"{path}/", choose, tree)
        elif node is not None:
            contents = node.choices()
            tree[path] = contents[choose(len(contents), of_bytes=True)]


def write(tree: Tree, base: Path) -> None:
    """Create a tree as real files."""
    base.mkdir(parents=True, exist_ok=True)
    for path, data in tree.items():
        if data is None:
            (base / path).mkdir()
        else:
            (base / path).write_bytes(data)
