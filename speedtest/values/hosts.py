"""Read and compare host names and addresses: those of networks, and those that the page answers to."""

import contextlib
import re
import socket

ALL = "all"
"""Every address of this machine, IPv4 and IPv6."""

MOST_TARGETS = 10
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_TARGET = re.compile(rf"(?!localhost$)(?=.*[a-z]){_LABEL}(\.{_LABEL})*")
"""A host name. Figures and dots alone are a misspelt address."""
_ORIGIN = re.compile(rf"https?://({_NAME.pattern}|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?")
_SELF = "self"
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def address(text: str) -> str:
    """Read an IPv4 or IPv6 address, or `all`."""
    import ipaddress  # noqa: PLC0415 (only the page needs it; a daemon with the default address never imports it)

    return ALL if text.lower() == ALL else str(ipaddress.ip_address(text))


def allowed(text: str) -> tuple[str, ...]:
    """Read host names, separated by commas. `*.example.net` means every name that ends so."""
    return tuple(_matching(_NAME, plain(name.strip())) for name in text.split(","))


def targets(text: str) -> tuple[str, ...]:
    """Read addresses and host names, separated by commas, each once."""
    found = dict.fromkeys(canonical(plain(each.strip())) for each in text.split(","))
    if len(found) > MOST_TARGETS:
        raise ValueError(text)
    return tuple(_elsewhere(each) if version_of(each) else _matching(_TARGET, each) for each in found)


def _elsewhere(address: str) -> str:
    """Return an address that may be another machine's; raise ValueError for this machine's own, and for groups."""
    version = version_of(address) or 4
    packed = socket.inet_pton(_FAMILIES[version], address.partition("%")[0])
    is_own = packed[0] in (0, 127) if version == 4 else not any(packed[:15])  # noqa: PLR2004 (IPv4, 127.0.0.0/8)
    is_group = packed[0] >= (224 if version == 4 else 255)  # noqa: PLR2004 (IPv4; 224.0.0.0/3, ff00::/8)
    if is_own or is_group:
        raise ValueError(address)
    return address


def canonical(written: str) -> str:
    """Return an address as the system writes it, a zone by its name; what is no address stays as it is.

    `2620:FE:0::FE` and `2620:fe::fe` are one address, and answers come from the latter.
    """
    version = version_of(written)
    if version is None:
        return written
    host, _, zone = written.partition("%")
    if zone.isdecimal():
        with contextlib.suppress(OSError, OverflowError):  # no such interface: then nothing answers
            zone = socket.if_indextoname(int(zone))
    packed = socket.inet_pton(_FAMILIES[version], host)
    return socket.inet_ntop(_FAMILIES[version], packed) + (f"%{zone}" if zone else "")


def version_of(address: str | None) -> int | None:
    """Return 4 or 6 if this is an address of that kind, perhaps with a zone (`%eth0`); None if it is none."""
    for version, family in _FAMILIES.items():
        try:
            socket.inet_pton(family, (address or "").partition("%")[0])
        except (OSError, ValueError):
            continue
        return version
    return None


def origins(text: str) -> tuple[str, ...]:
    """Read origins, separated by commas, such as `https://home.example.net:8123`; `self` means the page's own."""
    written = [each.strip().lower().removesuffix("/") for each in text.split(",")]
    return tuple(each if each == _SELF else _matching(_ORIGIN, each) for each in written)


def plain(name: str) -> str:
    """Return a host name in the form in which two names are compared: lower case, without the dot of the root."""
    return name.lower().removesuffix(".")


def is_among(name: str, known: tuple[str, ...]) -> bool:
    """Return whether a plain name is one of those that `allowed` read."""
    return any(name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in known)


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return text
