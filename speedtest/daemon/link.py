"""The network interface that a test uses, and what the kernel says of it (Linux). What it does not say is None.

`/sys/class/net` has the kind of an interface, its negotiated rate and its duplex mode; `/proc/net/wireless` the signal;
`/proc/net/arp` the neighbours. An interface without hardware of its own (a bridge, a bond, a VLAN) is what lies below
it. If nothing lies below it, as in a container, it is `virtual`: nobody here knows how the traffic goes on.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from speedtest.engines import network_interface
from speedtest.environment import Settings
from speedtest.measurement import Failure, Link
from speedtest.probing import routes

_NET = Path("sys/class/net")
_WIRELESS = Path("proc/net/wireless")
_NEIGHBOURS = Path("proc/net/arp")
_ROOT = Path("/")
_COMPLETE = 0x2
"""ATF_COM of arp(7): the neighbour has answered."""
_BY_DEVTYPE: Mapping[str, Link] = {"wlan": "wifi", "wwan": "cellular", "wireguard": "tunnel"}
_WITHOUT_ADDRESS = "65534"
"""ARPHRD_NONE: packets without a hardware address, as of a tunnel."""
_ETHERNET = "1"
_MOST_LAYERS = 5


class LinkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the interface. The names are those of the columns."""

    interface: str | None = None
    link: Link | None = None
    link_mbps: float | None = None
    link_duplex: str | None = None
    signal_dbm: float | None = None
    lan_hosts: int | None = None


def interface(settings: Settings) -> str | None:
    """Return the name of the interface that a test uses: the chosen one, else the one that leads to the internet."""
    chosen = settings.speedtest_interface
    if chosen and not network_interface.is_address(chosen):
        return chosen
    for version in [settings.speedtest_ip_version] if settings.speedtest_ip_version else [4, 6]:
        try:
            return network_interface.name_of(network_interface.address_of(chosen, version))
        except Failure:
            continue
    return None


def facts(name: str | None, root: Path = _ROOT) -> LinkFacts:
    """Return what the kernel says of an interface now. `root` is where `/proc` and `/sys` are."""
    if name is None or not (root / _NET / name).exists():
        return LinkFacts(interface=name)
    below = _below(root / _NET / name)
    link = _link(below)
    has_neighbours = link in ("ethernet", "wifi")
    return LinkFacts(
        interface=name,
        link=link,
        link_mbps=_rate(_text(below / "speed")),
        link_duplex=duplex if (duplex := _text(below / "duplex")) in ("full", "half") else None,
        signal_dbm=_signal(root, below.name),
        lan_hosts=_neighbours(root, name) if has_neighbours else None,
    )


def is_behind_bridge(name: str | None) -> bool:
    """Return whether an interface leads to a container's bridge: the next hop is then this machine, and no router."""
    return routes.in_container() and facts(name).link == "virtual"


def _below(folder: Path) -> Path:
    """Return the interface with the hardware: this one, or the only one below it that has any."""
    layer = [folder]
    for _ in range(_MOST_LAYERS):
        found = [each for each in layer if (each / "device").exists()]
        if found or not layer:
            return found[0] if len(found) == 1 else folder
        layer = [lower.resolve() for each in layer for lower in each.glob("lower_*")]
    return folder


def _link(folder: Path) -> Link | None:
    kind = dict(line.split("=", 1) for line in (_text(folder / "uevent") or "").splitlines() if "=" in line)
    hardware = _text(folder / "type")
    if known := _BY_DEVTYPE.get(kind.get("DEVTYPE", "")):
        return known
    if (folder / "wireless").exists() or (folder / "phy80211").exists():
        return "wifi"
    if (folder / "tun_flags").exists() or hardware == _WITHOUT_ADDRESS:
        return "tunnel"
    if hardware != _ETHERNET:
        return None
    return "ethernet" if (folder / "device").exists() else "virtual"


def _rate(text: str | None) -> float | None:
    """Return the rate in Mbit/s. The kernel says -1, or gives an error, where there is none."""
    mbps = int(text) if text and text.lstrip("-").isdigit() else 0
    return float(mbps) if mbps > 0 else None


def _signal(root: Path, name: str) -> float | None:
    """Return the signal in dBm: the fourth field of the interface's line. A driver without it says 0 or more."""
    fields = _fields(root / _WIRELESS, lambda fields: fields[0] == f"{name}:")
    try:
        dbm = float(fields[0][3].rstrip("."))
    except (IndexError, ValueError):
        return None
    return dbm if dbm < 0 else None


def _neighbours(root: Path, name: str) -> int | None:
    """Return how many other hosts this machine knows on the interface, without the router. Nothing else is kept."""
    if not (root / _NEIGHBOURS).exists():
        return None
    router = routes.ways(name, root).ipv4
    known = _fields(root / _NEIGHBOURS, lambda fields: fields[-1] == name and int(fields[2], 16) & _COMPLETE)
    return len({fields[0] for fields in known} - {router and router.router})


def _fields(path: Path, is_wanted: Callable[[list[str]], object]) -> list[list[str]]:
    """Return the fields of the wanted lines of a table. A line that is not as documented is left out."""
    found: list[list[str]] = []
    for line in (_text(path) or "").splitlines():
        fields = line.split()
        try:
            if is_wanted(fields):
                found.append(fields)
        except (IndexError, ValueError):
            continue
    return found


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
