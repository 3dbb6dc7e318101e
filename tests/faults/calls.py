"""Read strace's log: the calls of a process's main thread, in order, and which of them change files."""

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
"""Calls that change files or make changes durable. `openat` does so too with some flags."""

_LOOKING = """
read pread64 readv getdents64 newfstatat fstat stat lstat statx lseek close flock fcntl ioctl access faccessat
faccessat2 readlink readlinkat open openat mmap fadvise64 statfs fstatfs getxattr lgetxattr fgetxattr poll
"""
LOOKING = frozenset(_LOOKING.split())
"""Calls that may have a path and change nothing."""

_UNKNOWN = ("???", "<... ???")
"""What strace writes for a call that it could not read any more because we ended the process."""

_WITH_DATA = frozenset({"read", "pread64", "write", "pwrite64"})
"""Calls whose strings are not paths."""

_WRITABLE = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC)")
_LINE = re.compile(
    r"(\w+)\((.*)\)\s*= (-?\d+|\?|0x[0-9a-f]+)(?: ?<.*?>(?:\(deleted\))?)?(?: (E[A-Z0-9_]+) \([^()]*\))?(?: \(.*\))?$",
    re.DOTALL,
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NO_NAME = re.compile(r"#\d+$")
"""What the kernel calls a file without a name; the number differs from run to run."""

_DESCRIPTOR = re.compile(r"(\d+)<(.*?)>")


class Call(msgspec.Struct, frozen=True):
    """One system call. `nth` counts calls of the same name in the same thread, like strace's `when`."""

    name: str
    arguments: str
    result: int
    error: str | None
    nth: int

    @property
    def texts(self) -> list[bytes]:
        """The strings in its arguments."""
        return [ast.literal_eval(f"b{text}") for text in _QUOTED.findall(self.arguments)]

    @property
    def descriptor(self) -> tuple[int, str] | None:
        """Its descriptor and the descriptor's path."""
        found = _DESCRIPTOR.match(self.arguments)
        return (int(found[1]), found[2]) if found else None

    @property
    def _words(self) -> list[str]:
        """The strings in its arguments that are paths."""
        if self.name in _WITH_DATA:
            return []
        return [text.decode(errors="replace") for text in self.texts]

    @property
    def changes(self) -> bool:
        return self.name in CHANGING or (self.name in {"open", "openat"} and bool(_WRITABLE.search(self.arguments)))

    def is_in(self, tree: str) -> bool:
        """Return whether one of its paths is this folder or lies below it."""
        paths = self._words[:2]
        if self.descriptor:
            paths.append(self.descriptor[1])
        return any(path == tree or path.startswith(f"{tree}/") for path in paths)

    @property
    def shown(self) -> str:
        """Its name and the last part of its path, for people."""
        words = self._words
        path = words[-1] if words else (self.descriptor or (0, ""))[1]
        last = _NO_NAME.sub("unnamed", path.rpartition("/")[2])
        if "O_TMPFILE" in self.arguments:
            last = f"unnamed in {last}"
        return f"{self.name}#{self.nth} {' '.join(last.split())[-80:]}"


def read(log: str, main: int) -> list[Call]:
    """Return the finished calls of the thread `main`. If it was killed in a call, that call comes last."""
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
        raise ValueError(f"a line of strace could not be parsed: {text[:300]}")
    name, arguments, result, error = found.groups()
    counts[name] += 1
    return Call(name, arguments, int(result, 0) if result != "?" else -1, error, counts[name])
