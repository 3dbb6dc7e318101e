"""Plain UDP queries (RFC 1035) that ask a resolver for a name which exists as long as the internet does."""

import os
import select
import socket
import struct
from collections.abc import Iterable, Iterator

from speedtest.probing.sockets import FAMILIES, Pending, Reply, packets, to
from speedtest.values.hosts import version_of

_PORT = 53
_HEADER = struct.Struct("!HHHHHH")
_RECURSION = 0x0100
_ASKED = ("one.one.one.one", "dns.google", "dns.quad9.net")
"""Asked in turn. That a name does not exist would be an answer too."""
_ANSWERED = (0, 3)
"""The response codes of a resolver that resolves: NOERROR and NXDOMAIN."""


class Questions:
    """Queries to resolvers, over one UDP socket a family."""

    def __init__(self) -> None:
        """Open no socket yet."""
        self._pending = Pending()
        self._number = int.from_bytes(os.urandom(2))
        self._sockets: dict[int, socket.socket] = {}

    def send(self, address: str) -> None:
        """Ask this resolver for a name. Raises OSError if the kernel knows no way."""
        version = version_of(address) or 4
        if version not in self._sockets:
            self._sockets[version] = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)
            self._sockets[version].settimeout(0)
        self._number = (self._number + 1) & 0xFFFF
        name = _ASKED[self._number % len(_ASKED)]
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        packet = _HEADER.pack(self._number, _RECURSION, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
        self._pending.add(address, self._number)
        self._sockets[version].sendto(packet, to(address, _PORT))

    def descriptors(self) -> Iterable[tuple[int, int]]:
        """Return what to wait for."""
        return [(each.fileno(), select.POLLIN) for each in self._sockets.values()]

    def read(self) -> Iterator[Reply]:
        """Yield the answers of resolvers that resolve."""
        for each in self._sockets.values():
            for packet, sender in packets(each):
                if len(packet) < _HEADER.size:
                    continue
                number, flags, *_ = _HEADER.unpack_from(packet)
                answer = self._pending.answer(sender, number)
                if answer and flags >> 15 and flags & 15 in _ANSWERED:
                    yield answer

    def close(self) -> None:
        """Close the sockets."""
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()
