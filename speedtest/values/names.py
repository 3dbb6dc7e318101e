"""Read configured names: locations, zones, levels, providers."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

_MOST_PROVIDERS, _SHORTEST_PROVIDER, _LONGEST_PROVIDER = 10, 2, 100
ALLOWED_PROVIDERS = (
    f"1 to {_MOST_PROVIDERS} names of an internet provider, or parts of them, of {_SHORTEST_PROVIDER} to"
    f" {_LONGEST_PROVIDER} printable characters, separated by semicolons, such as Deutsche Telekom;Telekom"
)

_LOCATION = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,64}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
_ZONE_ROOTS = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")
_ZONE_LINK = Path("/etc/localtime")


def is_location(text: str) -> bool:
    """Return whether a location can be a folder's name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with a dot."""
    return _LOCATION.fullmatch(text) is not None


def location(text: str) -> str:
    """Read the name of a location."""
    if not is_location(text):
        raise ValueError(text)
    return text


def printable(most: int) -> Callable[[str], str]:
    """Return a reader of text with at most `most` characters, none of them a control character."""

    def read(text: str) -> str:
        if len(text) > most or not text.isprintable():
            raise ValueError(text)
        return text

    return read


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of one of these upper-case names, in any case."""

    def read(text: str) -> str:
        if text.upper() not in names:
            raise ValueError(text)
        return text.upper()

    return read


def one_of_lower(names: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of one of these lower-case names, in any case."""

    def read(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(text)
        return text.lower()

    return read


def providers(text: str) -> str:
    """Read names of an internet provider, which `split` separates."""
    names = split(text)
    fit = all(_SHORTEST_PROVIDER <= len(name) <= _LONGEST_PROVIDER and any(map(str.isalnum, name)) for name in names)
    if not fit or len(names) > _MOST_PROVIDERS or not text.isprintable():
        raise ValueError(text)
    return text


def split(text: str | None) -> tuple[str, ...]:
    """Return the names between semicolons, none if there is no text. A comma may be part of a name."""
    return tuple(name.strip() for name in text.split(";")) if text else ()


def is_expected(provider: str, expected: Sequence[str]) -> bool:
    """Return whether a provider is one of the expected ones: its name holds one of theirs, in any case."""
    return not expected or any(name.casefold() in provider.casefold() for name in expected)


def zone(text: str) -> str:
    """Read the name of an IANA zone. If this machine has no zone database, any well-formed name is allowed."""
    name = text.removeprefix(":")
    if not _ZONE.fullmatch(name):
        raise ValueError(text)
    roots = [root for root in _ZONE_ROOTS if Path(root, "UTC").exists()]
    if roots and not any(Path(root, name).is_file() for root in roots):
        raise ValueError(text)
    return name


def machine_zone() -> str | None:
    """Return the IANA name of the machine's zone, None if its files do not name one."""
    try:
        target = str(_ZONE_LINK.readlink())
    except OSError:
        return None if _ZONE_LINK.exists() else "UTC"
    _, found, name = target.partition("zoneinfo/")
    return name if found else None
