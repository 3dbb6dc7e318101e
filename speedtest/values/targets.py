"""What a person chose to measure with: the variables about programs, servers and interfaces, and what they allow."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

LONGEST_SERVER = 500
ALLOWED_SERVERS = "a server, or ENGINE=SERVER for each engine that takes one, separated by commas"
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@%-]{0,63}")


class _Place(Protocol):
    @property
    def allowed(self) -> str: ...
    @property
    def fits(self) -> Callable[[str], bool]: ...
    @property
    def needed(self) -> bool: ...


class Choosable(Protocol):
    """What has to be known of an engine to check what was chosen."""

    @property
    def place(self) -> _Place | None:
        """What `SPEEDTEST_SERVER` may say for it."""
        ...


type Engines = Mapping[str, Choosable]


def engines(known: Engines) -> Callable[[str], tuple[str, ...]]:
    """Return what reads `SPEEDTEST_ENGINE`: `auto`, or a list of known engines, each once."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(","))
        if names != ("auto",) and not (set(names) <= set(known) and len(set(names)) == len(names)):
            raise ValueError(text)
        return names

    return read


def servers(text: str) -> str:
    """Read `SPEEDTEST_SERVER` as far as it can be read by itself; `settle` says which server is for which engine."""
    if not text.isprintable() or len(text) > LONGEST_SERVER:
        raise ValueError(text)
    return text


def server_ids(text: str) -> tuple[str, ...]:
    """Read `SPEEDTEST_SERVER_ID`: the numbers of servers."""
    numbers = tuple(number.strip() for number in text.split(","))
    for number in numbers:
        if not (number.isascii() and number.isdigit() and len(number) <= 10 and int(number) > 0):  # noqa: PLR2004 (5)
            raise ValueError(text)
    return numbers


def interface(text: str) -> str:
    """Read `SPEEDTEST_INTERFACE`: a name or an address. Whether it is there, each test sees: it may come later."""
    if not (_INTERFACE.fullmatch(text) or re.fullmatch(r"[0-9a-fA-F:.]{2,45}", text)):
        raise ValueError(text)
    return text


def settle(text: str | None, chosen: Sequence[str], known: Engines) -> dict[str, str]:
    """Return the server of each chosen engine that has one; `text` is what `SPEEDTEST_SERVER` says.

    Raises ValueError with the line to show for a server that no engine can take, or that an engine lacks.
    """
    takers = {name: place for name in chosen if name in known and (place := known[name].place)}
    found = {} if text is None else _by_engine(text, takers, known)
    for name, place in takers.items():
        server = found.get(name, "")
        if (name in found or place.needed) and not place.fits(server):
            raise ValueError(f"SPEEDTEST_SERVER={server!r} is not allowed for {name}: it must be {place.allowed}")
    return found


def _by_engine(text: str, takers: Mapping[str, object], known: Engines) -> dict[str, str]:
    """Part `ENGINE=SERVER,…`; one server without a name is for the only engine that takes one."""
    name = "|".join(map(re.escape, known)) or "(?!)"
    if not re.match(rf"(?:{name})=", text):
        if len(takers) != 1:
            raise ValueError(_which(text, takers))
        return dict.fromkeys(takers, text)
    parts = [part.partition("=") for part in re.split(rf",(?=(?:{name})=)", text)]
    if len({engine for engine, _, _ in parts}) < len(parts):
        raise ValueError(f"SPEEDTEST_SERVER={text!r} is not allowed: it must be {ALLOWED_SERVERS}")
    return {engine: server for engine, _, server in parts}


def _which(server: str, takers: Mapping[str, object]) -> str:
    if takers:
        allowed = "it must say for which engine: " + ",".join(f"{name}=SERVER" for name in takers)
    else:
        allowed = "no engine of SPEEDTEST_ENGINE takes a server; SPEEDTEST_SERVER_ID pins one by number"
    return f"SPEEDTEST_SERVER={server!r} is not allowed: {allowed}"
