"""What all kinds of probes share: answers, probes that wait for one, and sockets that never block."""

import errno
import socket
import time
from collections.abc import Iterator

import msgspec

from speedtest.engines import network_interface
from speedtest.measurement import Failure
from speedtest.values.hosts import version_of

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
LATE_SECONDS = 10.0
"""An answer later than this belongs to no probe."""
_BIND_TO_DEVICE = getattr(socket, "SO_BINDTODEVICE", 25)
_MOST_PENDING = 1000


class Reply(msgspec.Struct, frozen=True):
    """An answer to a probe."""

    address: str
    sent: float
    """When the probe was sent, by the monotonic clock."""
    seconds: float
    """The round trip."""


class Pending:
    """Probes that may still be answered, by what tells their answers apart."""

    def __init__(self) -> None:
        """No probe waits yet."""
        self._sent: dict[tuple[str, int], float] = {}

    def add(self, address: str, number: int) -> None:
        """Remember a probe that is sent now."""
        now = time.monotonic()
        if len(self._sent) >= _MOST_PENDING:
            self._sent = {key: at for key, at in self._sent.items() if now - at < LATE_SECONDS}
        self._sent[address, number] = now

    def answer(self, address: str, number: int) -> Reply | None:
        """Return the answer to a probe; None if there is no such probe, or no more."""
        sent = self._sent.pop((address, number), None)
        if sent is None or (seconds := time.monotonic() - sent) > LATE_SECONDS:
            return None
        return Reply(address, sent, seconds)


def bind(sender: socket.socket, version: int, interface: str | None) -> None:
    """Send over this interface only. Kernels before 5.7 let only root name one; then its address must do."""
    if interface is None:
        return
    if not network_interface.is_address(interface):
        try:
            sender.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, interface.encode() + b"\0")
        except PermissionError:
            pass
        else:
            return
    try:
        address = network_interface.address_of(interface, version)
    except Failure as failure:
        raise OSError(errno.EADDRNOTAVAIL, failure.words) from failure
    if version_of(address) != version:
        raise OSError(errno.EADDRNOTAVAIL, f"{interface} is not an address of IPv{version}")
    sender.bind(to(address, 0))


def to(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return an address, perhaps with a zone, and a port as a socket takes them."""
    host, _, zone = address.partition("%")
    if version_of(host) == 4:  # noqa: PLR2004 (IPv4)
        return host, port
    return host, port, 0, socket.if_nametoindex(zone) if zone else 0


def packets(source: socket.socket) -> Iterator[tuple[bytes, str]]:
    """Yield the packets that have come, each with its sender's address as it was written when it was sent to."""
    for _ in range(_MOST_PENDING):
        try:
            packet, sender = source.recvfrom(2048)
        except BlockingIOError:
            return
        except OSError:  # an ICMP error for an earlier probe: it is no answer
            continue
        zone = f"%{socket.if_indextoname(sender[3])}" if len(sender) > 3 and sender[3] else ""  # noqa: PLR2004 (IPv6)
        yield packet, sender[0].partition("%")[0] + zone
