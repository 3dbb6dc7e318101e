"""Read secrets from files, as containers provide them: the first line of the file in `NAME_FILE` is `NAME`."""

from pathlib import Path

_LONGEST = 4096


def first_line(name: str, path: Path) -> str:
    """Return the secret in a file. Raises ValueError with the complete message, naming the variable and the file."""
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_LONGEST).removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{name}_FILE={path} cannot be read: {why}; its first line must be the secret") from error
    if not line or not line.isprintable():
        raise ValueError(
            f"{name}_FILE={path} is not allowed: its first line must be the secret, without control characters"
        )
    return line
