"""Write a value as a person would set it."""

import os
import shlex


def as_set(value: object) -> str | None:
    """Return a value as a person would set it, None if it is not set."""
    match value:
        case None | () | {} if not value:
            return None
        case bool():
            return str(int(value))
        case tuple():
            return ",".join(f"{item:.15g}" if isinstance(item, float) else str(item) for item in value)
        case dict():
            return ",".join(f"{name}={_joined(item)}" for name, item in value.items())
        case float():
            return f"{value:.15g}"
        case _:
            return os.fsencode(str(value)).decode(errors="replace")


def _joined(item: object) -> str:
    if not isinstance(item, tuple):
        return str(item)
    return shlex.join(map(str, item))
