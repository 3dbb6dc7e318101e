"""TCP connections to port 443 as probes, where no ICMP is allowed. A refusal is an answer too."""

import errno
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator

from speedtest.probing.sockets import FAMILIES, LATE_SECONDS, Reply, bind, to

_PORT = 443


class Handshakes:
    """TCP connections of one family, each of them closed once it is answered."""

    def __init__(self, version: int, interface: str | None) -> None:
        """Take the family and the interface."""
        self._version = version
        self._interface = interface
        self._open: dict[int, tuple[socket.socket, str, float]] = {}

    def send(self, address: str) -> None:
        """Begin to connect. Raises OSError if the kernel knows no way."""
        self._forget_old()
        connection = socket.socket(FAMILIES[self._version], socket.SOCK_STREAM)
        sent = time.monotonic()
        try:
            connection.settimeout(0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            bind(connection, self._version, self._interface)
            connection.connect(to(address, _PORT))
        except (BlockingIOError, ConnectionRefusedError):
            pass
        except OSError:
            connection.close()
            raise
        self._open[connection.fileno()] = (connection, address, sent)

    def descriptors(self) -> Iterable[tuple[int, int]]:
        """Return what to wait for."""
        return [(descriptor, select.POLLOUT) for descriptor in self._open]

    def read(self) -> Iterator[Reply]:
        """Yield the answers that have come."""
        poll = select.poll()
        for descriptor, wanted in self.descriptors():
            poll.register(descriptor, wanted)
        for descriptor, _ in poll.poll(0):
            connection, address, sent = self._open.pop(descriptor)
            error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            connection.close()
            if error in (0, errno.ECONNREFUSED):
                yield Reply(address, sent, time.monotonic() - sent)

    def _forget_old(self) -> None:
        now = time.monotonic()
        for descriptor, (connection, _, sent) in list(self._open.items()):
            if now - sent > LATE_SECONDS:
                del self._open[descriptor]
                connection.close()

    def close(self) -> None:
        """Close all connections."""
        for connection, _, _ in self._open.values():
            connection.close()
        self._open.clear()
