"""The page's password: PAGE_PASSWORD, or the first line of PAGE_PASSWORD_FILE."""

from collections.abc import Mapping

from speedtest import environment
from speedtest.environment import Mistakes

_LONGEST = 4096


def read(variables: Mapping[str, str]) -> str | None:
    """Return the password, None where none is set. Raises Mistakes."""
    password, path = (environment.value(name, variables) for name in ("PAGE_PASSWORD", "PAGE_PASSWORD_FILE"))
    if path is None:
        return password
    if password is not None:
        raise Mistakes(["PAGE_PASSWORD and PAGE_PASSWORD_FILE are both set: keep one of them, the file at best"])
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_LONGEST).removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Mistakes(
            [f"PAGE_PASSWORD_FILE={path} cannot be read: {why}; name a file whose first line is it"]
        ) from error
    if not line or not line.isprintable():
        raise Mistakes(
            [f"PAGE_PASSWORD_FILE={path} holds no password: its first line must be one, without control characters"]
        )
    return line
