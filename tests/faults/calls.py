"""What strace wrote down: the calls of a process's main thread, in order, and which of them change files."""

import ast
import re
from collections import Counter, defaultdict

import msgspec

_CHANGING = """
write pwrite64 writev pwritev pwritev2 fsync fdatasync sync_file_range syncfs sync link linkat unlink unlinkat rename
renameat renameat2 mkdir mkdirat rmdir truncate ftruncate fallocate symlink symlinkat mknod mknodat chmod fchmod
fchmodat chown fchown fchownat utimensat copy_file_range sendfile splice setxattr fsetxattr
"""
CHANGING = frozenset(_CHANGING.split())
"""Calls that change files or make changes durable; `openat` does where its flags say so."""

_LOOKING = """
read pread64 readv getdents64 newfstatat fstat stat lstat statx lseek close flock fcntl ioctl access faccessat
faccessat2 readlink readlinkat open openat mmap fadvise64 statfs fstatfs getxattr lgetxattr fgetxattr poll
"""
LOOKING = frozenset(_LOOKING.split())
"""Calls that may bear a path and change nothing."""

_UNKNOWN = ("???", "<... ???")
"""What strace writes of a call that it could not look at any more: we have ended the process."""

_WITH_DATA = frozenset({"read", "pread64", "write", "pwrite64"})
"""Calls whose texts are no paths."""

_WRITABLE = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC)")
_LINE = re.compile(
    r"(\w+)\((.*)\)\s*= (-?\d+|\?|0x[0-9a-f]+)(?: ?<.*?>)?(?: (E[A-Z0-9_]+) \([^()]*\))?(?: \(.*\))?$", re.DOTALL
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_DESCRIPTOR = re.compile(r"(\d+)<(.*?)>")


class Call(msgspec.Struct, frozen=True):
    """One system call; `nth` counts those of its name in its thread, as strace's `when` does."""

    name: str
    arguments: str
    result: int
    error: str | None
    nth: int

    @property
    def texts(self) -> list[bytes]:
        """The strings among its arguments."""
        return [ast.literal_eval(f"b{text}") for text in _QUOTED.findall(self.arguments)]

    @property
    def descriptor(self) -> tuple[int, str] | None:
        """The descriptor it works on and the path that this has."""
        found = _DESCRIPTOR.match(self.arguments)
        return (int(found[1]), found[2]) if found else None

    @property
    def _words(self) -> list[str]:
        """The strings among its arguments that are paths."""
        if self.name in _WITH_DATA:
            return []
        return [text.decode(errors="replace") for text in self.texts]

    @property
    def changes(self) -> bool:
        return self.name in CHANGING or (self.name in {"open", "openat"} and bool(_WRITABLE.search(self.arguments)))

    def is_in(self, tree: str) -> bool:
        """Say whether it bears a path below this folder, or the folder itself."""
        paths = self._words[:2]
        if self.descriptor:
            paths.append(self.descriptor[1])
        return any(path == tree or path.startswith(f"{tree}/") for path in paths)

    @property
    def shown(self) -> str:
        """Its name and the end of its path, for a person."""
        words = self._words
        path = words[-1] if words else (self.descriptor or (0, ""))[1]
        return f"{self.name}#{self.nth} {' '.join(path.rpartition('/')[2].split())[-80:]}"


def read(log: str, main: int) -> list[Call]:
    """Return the finished calls of the thread `main`, and last the one in which it was killed, if it was."""
    calls: list[Call] = []
    counts: Counter[str] = Counter()
    unfinished: dict[int, str] = defaultdict(str)
    for line in log.splitlines():
        pid, _, text = line.partition(" ")
        text = text.lstrip()
        if int(pid) != main or text.startswith(("+++", "---", *_UNKNOWN)):
            continue
        if text.endswith(" <unfinished ...>"):
            unfinished[main] = text.removesuffix(" <unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", text):
            text = unfinished.pop(main, "") + text[resumed.end() :]
        calls.append(_parsed(text, counts))
    return calls


def _parsed(text: str, counts: Counter[str]) -> Call:
    found = _LINE.match(text)
    if not found:
        raise ValueError(f"strace said what nobody here understands: {text[:300]}")
    name, arguments, result, error = found.groups()
    counts[name] += 1
    return Call(name, arguments, int(result, 0) if result != "?" else -1, error, counts[name])
