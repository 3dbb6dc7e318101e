"""Secrets that lie in a file, as containers hand them over: the first line of `NAME_FILE` is the value of `NAME`."""

from pathlib import Path

_LONGEST = 4096


def first_line(name: str, path: Path) -> str:
    """Return the secret in a file. Raises ValueError with the whole line to show, naming the variable and the file."""
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_LONGEST).removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ValueError(f"{name}_FILE={path} cannot be read: {why}; name a file whose first line is it") from error
    if not line or not line.isprintable():
        raise ValueError(
            f"{name}_FILE={path} is not usable: its first line must be the secret, without control characters"
        )
    return line
