"""Find where the router describes its services: SSDP to its own address, then to the group, then usual places.

SSDP (UPnP Device Architecture, section 1): a question by UDP to port 1900, and an answer with a `LOCATION`. Only
answers that come from the router's address are read, and only a location at that address is used.
"""

import re
import socket
import time
from collections.abc import Iterator

from speedtest.router.web import Host, UnusableAnswer, WebPlace

PORT = 1900
GROUP = "239.255.255.250"
KINDS = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:dslforum-org:device:InternetGatewayDevice:1",
)
"""What is asked for: a gateway by UPnP, and one by TR-064."""
USUAL = (WebPlace(49000, "/igddesc.xml"), WebPlace(5000, "/rootDesc.xml"), WebPlace(49000, "/tr64desc.xml"))
"""Where FRITZ!Boxes (port 49000) and OpenWrt's miniupnpd (5000) have their descriptions."""
ONE_SECONDS, ALL_SECONDS = 1.0, 2.5
"""How long answers from the router alone, and those of the group, are waited for."""
GRACE_SECONDS = 0.2
"""A router has several descriptions: how long others are waited for after the first."""
MOST_ANSWERS = 50
_LONGEST = 2048
_LOCATION = re.compile(rb"(?im)^location:[ \t]*(\S{1,300})[ \t]*\r?$")


def places(host: Host, problems: list[str]) -> Iterator[WebPlace]:
    """Yield where descriptions may be, each once. What is refused goes to `problems`."""
    seen: dict[WebPlace, None] = {}
    for address, seconds in ((host.address, ONE_SECONDS), (GROUP, ALL_SECONDS)):
        found = _told(host, address, min(seconds, host.left), problems)
        for place in found:
            if place not in seen:
                seen[place] = None
                yield place
        if found:
            break
    yield from (place for place in USUAL if place not in seen)


def _told(host: Host, address: str, seconds: float, problems: list[str]) -> list[WebPlace]:
    """Ask an address by SSDP; return where the router's descriptions are, IGD before TR-064."""
    found: dict[WebPlace, None] = {}
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(_own_address(host)))
            for kind in KINDS:
                asking.sendto(_question(kind), (address, PORT))
        except OSError as error:
            problems.append(f"could not ask {address} by SSDP: {error.strerror or error}")
            return []
        for _ in range(MOST_ANSWERS):
            asking.settimeout(max(end - time.monotonic(), 0.001))
            try:
                answer, (sender, *_rest) = asking.recvfrom(_LONGEST)
            except OSError:
                break
            location = _LOCATION.search(answer)
            if sender != host.address or not location:
                continue
            try:
                found[host.place(location[1].decode("ascii", "replace"))] = None
            except UnusableAnswer as why:
                problems.append(str(why))
                continue
            end = min(end, time.monotonic() + GRACE_SECONDS)
    return sorted(found, key=lambda place: "tr64" in place.path)


def _question(kind: str) -> bytes:
    lines = ("M-SEARCH * HTTP/1.1", f"HOST: {GROUP}:{PORT}", 'MAN: "ssdp:discover"', "MX: 1", f"ST: {kind}", "", "")
    return "\r\n".join(lines).encode("ascii")


def _own_address(host: Host) -> str:
    """Return this machine's address on the router's side. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect((host.address, PORT))
        return str(asked.getsockname()[0])
