"""Read the variables that choose engines, servers and network interfaces."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

LONGEST_SERVER = 500
ALLOWED_SERVERS = "a server, or ENGINE=SERVER for each engine that takes one, separated by commas"
ALLOWED_ARGUMENTS = "ENGINE=ARGUMENTS for one or more engines, separated by commas, such as iperf3=--window 4M"
SECOND_OPINIONS = ("ndt7",)
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@%-]{0,63}")


class _Place(Protocol):
    @property
    def allowed(self) -> str: ...
    @property
    def fits(self) -> Callable[[str], bool]: ...
    @property
    def needed(self) -> bool: ...


class _Options(Protocol):
    def refusal(self, arguments: Sequence[str]) -> str | None: ...


class Choosable(Protocol):
    """What this module must know of an engine."""

    @property
    def auto(self) -> int | None:
        """Whether `auto` may choose it, and in which order."""
        ...

    @property
    def place(self) -> _Place | None:
        """Which servers `SPEEDTEST_SERVER` may name for the engine; None if it takes none."""
        ...

    @property
    def options(self) -> _Options:
        """Which arguments `SPEEDTEST_ARGUMENTS` may add."""
        ...


type Engines = Mapping[str, Choosable]


def engines(known: Engines) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of `SPEEDTEST_ENGINE`: `auto`, or a list of known engines, each once."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(","))
        if names != ("auto",) and not (set(names) <= set(known) and len(set(names)) == len(names)):
            raise ValueError(text)
        return names

    return read


def second_opinion(text: str) -> str:
    """Read `SPEEDTEST_SECOND_OPINION`: an engine with one stream, where others use several."""
    if text not in SECOND_OPINIONS:
        raise ValueError(text)
    return text


def servers(text: str) -> str:
    """Check `SPEEDTEST_SERVER` as far as possible without the engines; `settle` assigns servers to engines."""
    if not text.isprintable() or len(text) > LONGEST_SERVER:
        raise ValueError(text)
    return text


def server_ids(text: str) -> tuple[str, ...]:
    """Read `SPEEDTEST_SERVER_ID`: one or more server numbers."""
    numbers = tuple(number.strip() for number in text.split(","))
    for number in numbers:
        if not (number.isascii() and number.isdigit() and len(number) <= 10 and int(number) > 0):  # noqa: PLR2004 (digits)
            raise ValueError(text)
    return numbers


def interface(text: str) -> str:
    """Read `SPEEDTEST_INTERFACE`: a name or an address. It need not exist yet: each test tries it."""
    if not (_INTERFACE.fullmatch(text) or re.fullmatch(r"[0-9a-fA-F:.]{2,45}", text)):
        raise ValueError(text)
    return text


def ip_version(text: str) -> int:
    """Read `SPEEDTEST_IP_VERSION`: 4 or 6."""
    if text not in ("4", "6"):
        raise ValueError(text)
    return int(text)


def certificates(text: str) -> Path:
    """Read the path of a file of certificates. It must be there, so that a mistake does not look like an outage."""
    path = Path(text)
    try:
        if b"-----BEGIN CERTIFICATE-----" not in path.read_bytes():
            raise ValueError(text)
    except OSError as error:
        raise ValueError(text) from error
    return path


def arguments(known: Engines) -> Callable[[str], dict[str, tuple[str, ...]]]:
    """Return a reader of `SPEEDTEST_ARGUMENTS`, `ENGINE=ARGUMENTS,…`, for these engines.

    The arguments are split as a shell would, but no shell ever runs them.
    """

    def read(text: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for part in re.split(rf",(?=(?:{_any(known)})=)", text):
            engine, _, written = part.partition("=")
            split = tuple(shlex.split(written))
            if engine not in known or engine in found or not split or not text.isprintable():
                raise ValueError(text)
            found[engine] = split
        return found

    return read


def refusals(found: Mapping[str, tuple[str, ...]], known: Engines) -> list[str]:
    """Return a line for each engine that must not get one of its arguments."""
    why = "SpeedSnake sets it itself, or could not read the result; servers and interfaces have variables"
    return [
        f"SPEEDTEST_ARGUMENTS is not allowed: {engine} must not get {option}: {why}"
        for engine, split in found.items()
        if (option := known[engine].options.refusal(split)) is not None
    ]


def settle(
    text: str | None, chosen: Sequence[str], known: Engines, second_opinion: str | None = None
) -> dict[str, str]:
    """Return the server of each chosen engine that has one; `text` is the value of `SPEEDTEST_SERVER`.

    The engine of a second opinion may have a server too, and needs none. It must be named: a single server without an
    engine is for one that measures always.

    Raises ValueError with the complete message if a server fits no engine, or if an engine's server is missing.
    """
    names = [name for name in known if known[name].auto] if "auto" in chosen else chosen
    takers = {name: place for name in names if name in known and (place := known[name].place)}
    found = {} if text is None else _by_engine(text, takers, known)
    if second_opinion and second_opinion in known and (place := known[second_opinion].place):
        takers = {second_opinion: place} | takers
    for name, place in takers.items():
        server = found.get(name, "")
        if (name in found or (place.needed and name in names)) and not place.fits(server):
            raise ValueError(f"SPEEDTEST_SERVER={server!r} is not allowed for {name}: it must be {place.allowed}")
    return found


def _by_engine(text: str, takers: Mapping[str, object], known: Engines) -> dict[str, str]:
    """Split `ENGINE=SERVER,…`. A single server without an engine is for the only engine that takes one."""
    name = _any(known)
    if not re.match(rf"(?:{name})=", text):
        if len(takers) != 1:
            raise ValueError(_which(text, takers))
        return dict.fromkeys(takers, text)
    parts = [part.partition("=") for part in re.split(rf",(?=(?:{name})=)", text)]
    if len({engine for engine, _, _ in parts}) < len(parts):
        raise ValueError(f"SPEEDTEST_SERVER={text!r} is not allowed: it must be {ALLOWED_SERVERS}")
    return {engine: server for engine, _, server in parts}


def _any(known: Engines) -> str:
    return "|".join(map(re.escape, known)) or "(?!)"


def _which(server: str, takers: Mapping[str, object]) -> str:
    if takers:
        allowed = "name the engine of each server: " + ",".join(f"{name}=SERVER" for name in takers)
    else:
        allowed = "no engine in SPEEDTEST_ENGINE takes a server; use SPEEDTEST_SERVER_ID to choose one"
    return f"SPEEDTEST_SERVER={server!r} is not allowed: {allowed}"
