"""What a person chose to measure with: the variables about programs, servers and interfaces, and what they allow."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

LONGEST_SERVER = 500
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


def servers(known: Engines) -> Callable[[str], dict[str, str]]:
    """Return what reads `SPEEDTEST_SERVER`: `ENGINE=SERVER,…`, or one server, kept under the name "" until `settle`."""
    name = "|".join(map(re.escape, known)) or "(?!)"

    def read(text: str) -> dict[str, str]:
        if not text.isprintable() or len(text) > LONGEST_SERVER:
            raise ValueError(text)
        if not re.match(rf"(?:{name})=", text):
            return {"": text}
        chosen = [part.partition("=") for part in re.split(rf",(?=(?:{name})=)", text)]
        if len({name for name, _, _ in chosen}) < len(chosen):
            raise ValueError(text)
        return {name: server for name, _, server in chosen}

    return read


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


def settle(values: dict[str, Any], known: Engines) -> list[str]:
    """Give the server that names no engine to the one engine it can be for; return a line for each mistake.

    This is about what one variable allows in the light of another.
    """
    chosen: dict[str, str] = values["speedtest_server"] or {}
    places = {name: known[name].place for name in values["speedtest_engine"] if name in known}
    takers = {name: place for name, place in places.items() if place}
    if "" in chosen:
        if len(takers) != 1:
            return [_which(chosen[""], takers)]
        chosen = dict.fromkeys(takers, chosen[""])
    values["speedtest_server"] = chosen
    seconds, limit = values["speedtest_seconds_per_direction"], values["speedtest_timeout_seconds"]
    wrong = []
    if seconds and seconds * 2 >= limit:
        wrong.append(
            f"SPEEDTEST_SECONDS_PER_DIRECTION={seconds} is not allowed with SPEEDTEST_TIMEOUT_SECONDS={limit:g}: "
            "both directions must fit in"
        )
    return wrong + [
        f"SPEEDTEST_SERVER={chosen.get(name, '')!r} is not allowed for {name}: it must be {place.allowed}"
        for name, place in takers.items()
        if (name in chosen or place.needed) and not place.fits(chosen.get(name, ""))
    ]


def _which(server: str, takers: Mapping[str, object]) -> str:
    if takers:
        allowed = "it must say for which engine: " + ",".join(f"{name}=SERVER" for name in takers)
    else:
        allowed = "no engine of SPEEDTEST_ENGINE takes a server; SPEEDTEST_SERVER_ID pins one by number"
    return f"SPEEDTEST_SERVER={server!r} is not allowed: {allowed}"
