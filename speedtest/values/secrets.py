"""Read secrets. Containers provide them as files: the first line of the file in `NAME_FILE` is `NAME`."""

import os
import stat
from pathlib import Path

LONGEST_SECRET = 4096
"""Bytes."""
ALLOWED = f"text without control characters, at most {LONGEST_SECRET} bytes"


def secret(text: str) -> str:
    """Return a secret. Raises ValueError if it is empty, too long or has control characters."""
    if not text or not text.isprintable() or len(text.encode(errors="replace")) > LONGEST_SECRET:
        raise ValueError("the secret is not allowed")
    return text


def first_line(name: str, path: Path) -> str:
    """Return the secret in a file. Raises ValueError with the complete message, naming the variable and the file."""
    try:
        line = _first_line(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{name}_FILE={path} cannot be read: {why}; its first line must be the secret") from error
    try:
        return secret(line)
    except ValueError:
        raise ValueError(f"{name}_FILE={path} is not allowed: its first line must be the secret, {ALLOWED}") from None


def every_line(name: str, path: Path) -> str:
    """Return all lines of a secret file, joined by spaces, without empty ones and those that begin with `#`.

    Raises ValueError with the complete message, naming the variable and the file.
    """
    try:
        text = _read(path, LONGEST_SECRET + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{name}_FILE={path} cannot be read: {why}; each line must be a secret") from error
    lines = [line.strip() for line in text.splitlines()]
    try:
        return secret(" ".join(line for line in lines if line and not line.startswith("#")))
    except ValueError:
        raise ValueError(f"{name}_FILE={path} is not allowed: its lines must be secrets, in all {ALLOWED}") from None


def _first_line(path: Path) -> bytes:
    return _read(path, LONGEST_SECRET + 2).partition(b"\n")[0].removesuffix(b"\r")


def _read(path: Path, most: int) -> bytes:
    """Read without waiting: a pipe, which could keep its reader waiting for ever, is refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        return file.read(most)
