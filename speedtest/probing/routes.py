"""The way to the internet as the kernel tells it (Linux): the default routes, the router, and the resolvers.

`/proc/net/route` and `/proc/net/ipv6_route` have the routes, `/sys/class/net` the carrier of an interface,
`/etc/resolv.conf` the resolvers. Other systems do not tell: then no route is known, and none is missed.
"""

import socket
from pathlib import Path

import msgspec

from speedtest.values.hosts import canonical

ROOT = Path("/")
CONTAINER_MARKS = (Path(".dockerenv"), Path("run/.containerenv"))
"""Files that Docker and Podman put into a container."""
_ROUTES = Path("proc/net/route")
_ROUTES_6 = Path("proc/net/ipv6_route")
_NET = Path("sys/class/net")
_RESOLVERS = Path("etc/resolv.conf")
_UP, _GATEWAY, _REJECT = 0x1, 0x2, 0x200
_ANY, _ANY_6 = "00000000", "0" * 32
_MOST_RESOLVERS = 3
"""The C library asks no more."""


class Way(msgspec.Struct, frozen=True):
    """A default route of one family."""

    interface: str
    router: str | None
    """The address of the next hop; None if the route leads straight into a link, as with a tunnel or a modem."""
    carrier: bool = True
    """False if the cable is out, or the Wi-Fi is gone."""


class Ways(msgspec.Struct, frozen=True):
    """How this machine reaches the internet now."""

    told: bool = False
    """Whether this system tells its routes."""
    ipv4: Way | None = None
    ipv6: Way | None = None

    @property
    def families(self) -> list[int]:
        """The families that have a default route, 4 and 6; where the system does not tell, IPv4 is tried."""
        return [version for version, way in ((4, self.ipv4), (6, self.ipv6)) if way] or ([] if self.told else [4])

    @property
    def lost(self) -> str | None:
        """Why nothing can be reached at all, in words; None if something may be, or if the system does not tell."""
        if not self.told:
            return None
        ways = [way for way in (self.ipv4, self.ipv6) if way]
        if not ways:
            return "there was no default route"
        if not any(way.carrier for way in ways):
            return f"{ways[0].interface} had no carrier"
        return None

    @property
    def router(self) -> str | None:
        """The address of the router, of IPv4 before IPv6."""
        return next((way.router for way in (self.ipv4, self.ipv6) if way and way.router), None)


def ways(interface: str | None = None, root: Path = ROOT) -> Ways:
    """Return the default routes, only those over this interface if one is given."""
    if not (root / _ROUTES).exists():
        return Ways()
    found = Ways(told=True, ipv4=_ipv4(interface, root), ipv6=_ipv6(interface, root))
    if interface is None or found.ipv4 or found.ipv6:
        return found
    way = Way(interface, None, _carrier(interface, root))  # its route may lie in another table, which files do not show
    return Ways(told=True, ipv4=way, ipv6=way)


def resolvers(root: Path = ROOT) -> list[str]:
    """Return the addresses of the resolvers that this machine asks."""
    lines = (line.split() for line in _lines(root / _RESOLVERS))
    found = [fields[1] for fields in lines if len(fields) > 1 and fields[0] == "nameserver"]
    return [canonical(address) for address in found[:_MOST_RESOLVERS]]


def in_container(root: Path = ROOT) -> bool:
    """Return whether this process runs in a container of Docker or Podman."""
    return any((root / mark).exists() for mark in CONTAINER_MARKS)


def _ipv4(interface: str | None, root: Path) -> Way | None:
    found: list[tuple[int, Way]] = []
    for line in _lines(root / _ROUTES):
        try:
            name, to, router, flags, _, _, metric, mask = line.split()[:8]
            if (to, mask) != (_ANY, _ANY) or not int(flags, 16) & _UP or int(flags, 16) & _REJECT:
                continue
            address = socket.inet_ntop(socket.AF_INET, bytes.fromhex(router)[::-1]) if router != _ANY else None
        except (ValueError, OSError):
            continue
        if interface in (None, name):
            found.append((int(metric), Way(name, address, _carrier(name, root))))
    return _best(found)


def _ipv6(interface: str | None, root: Path) -> Way | None:
    found: list[tuple[int, Way]] = []
    for line in _lines(root / _ROUTES_6):
        try:
            to, length, _, _, router, metric, _, _, flags, name = line.split()
            if (to, length) != (_ANY_6, "00") or name == "lo" or int(flags, 16) & _REJECT:
                continue
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(router)) if router != _ANY_6 else None
        except (ValueError, OSError):
            continue
        if interface in (None, name):
            zone = f"%{name}" if address and address.startswith("fe80") else ""
            found.append((int(metric, 16), Way(name, address and address + zone, _carrier(name, root))))
    return _best(found)


def _best(found: list[tuple[int, Way]]) -> Way | None:
    """Return the route that the kernel prefers: the one with the lowest metric, with a carrier if one has it."""
    return min(found, key=lambda each: (not each[1].carrier, each[0]))[1] if found else None


def _carrier(name: str, root: Path) -> bool:
    """Return whether the interface is there and has a carrier. One that is switched off gives an error, no figure."""
    if not (root / _NET).exists():
        return True
    try:
        return (root / _NET / name / "carrier").read_text(encoding="ascii").strip() != "0"
    except OSError:
        return False


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
