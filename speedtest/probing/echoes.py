"""ICMP echoes (RFC 792, RFC 4443) of 18 bytes: 38 with the header of IPv4, 58 with that of IPv6.

Linux allows `SOCK_DGRAM` sockets for them to the groups in `net.ipv4.ping_group_range`, macOS to all; root may open raw
ones.
"""

import os
import select
import socket
import struct
from collections.abc import Iterable, Iterator

from speedtest.probing.sockets import FAMILIES, Pending, Reply, bind, packets, to

_PAYLOAD = b"SpeedSnake"
_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_HEADER = struct.Struct("!BBHHH")
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}


class Echoes:
    """ICMP echoes of one family, over one socket."""

    def __init__(self, version: int, interface: str | None) -> None:
        """Open the socket. Raises OSError if this system does not allow it to this user."""
        self._version = version
        self._pending = Pending()
        self._number = 0
        self._identifier = os.getpid() & 0xFFFF
        self._interface = interface
        self._is_bound = False
        self._socket, self._raw = _icmp_socket(version)

    def send(self, address: str) -> None:
        """Send one echo. Raises OSError if the kernel knows no way, or if the interface is not there."""
        if not self._is_bound:
            bind(self._socket, self._version, self._interface)
            self._is_bound = True
        self._number = (self._number + 1) & 0xFFFF
        head = _HEADER.pack(_REQUEST[self._version], 0, 0, self._identifier, self._number)
        checksum = _checksum(head + _PAYLOAD) if self._version == 4 else 0  # noqa: PLR2004 (IPv4; the kernel adds the other)
        packet = _HEADER.pack(_REQUEST[self._version], 0, checksum, self._identifier, self._number) + _PAYLOAD
        self._pending.add(address, self._number)
        self._socket.sendto(packet, to(address, 0))

    def descriptors(self) -> Iterable[tuple[int, int]]:
        """Return what to wait for."""
        return [(self._socket.fileno(), select.POLLIN)]

    def read(self) -> Iterator[Reply]:
        """Yield the answers that have come."""
        for packet, sender in packets(self._socket):
            if packet[:1] and packet[0] >> 4 == 4 and self._version == 4:  # noqa: PLR2004 (the header of IPv4 is there)
                packet = packet[(packet[0] & 15) * 4 :]  # noqa: PLW2901
            if len(packet) < _HEADER.size:
                continue
            kind, _, _, identifier, number = _HEADER.unpack_from(packet)
            if kind == _REPLY[self._version] and (not self._raw or identifier == self._identifier):
                answer = self._pending.answer(sender, number)
                if answer:
                    yield answer

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _icmp_socket(version: int) -> tuple[socket.socket, bool]:
    """Return a socket for echoes, and whether it is a raw one. Raises OSError if neither kind is allowed."""
    try:
        echoes = socket.socket(FAMILIES[version], socket.SOCK_DGRAM, _PROTOCOLS[version])
    except OSError:
        echoes = socket.socket(FAMILIES[version], socket.SOCK_RAW, _PROTOCOLS[version])
        _only_replies(echoes, version)
        echoes.settimeout(0)
        return echoes, True
    echoes.settimeout(0)
    return echoes, False


def _only_replies(raw: socket.socket, version: int) -> None:
    """Let the kernel drop all but echo replies (Linux): raw(7) and RFC 3542 say how."""
    if version == 4:  # noqa: PLR2004 (IPv4)
        raw.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << _REPLY[4]) & 0xFFFFFFFF))
    else:
        blocked = [0xFFFFFFFF] * 8
        blocked[_REPLY[6] >> 5] &= ~(1 << (_REPLY[6] & 31))
        raw.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *blocked))


def _checksum(packet: bytes) -> int:
    """Return the checksum of RFC 1071."""
    words = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    words = (words >> 16) + (words & 0xFFFF)
    return ~(words + (words >> 16)) & 0xFFFF
