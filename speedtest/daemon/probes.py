"""Probes of the line: small packets to addresses that should answer, and the answers.

ICMP echoes (RFC 792, RFC 4443) of 36 bytes, 64 with the IPv4 header, over `SOCK_DGRAM` sockets, which Linux allows to
the groups in `net.ipv4.ping_group_range` and macOS to all; else over raw sockets, which root may open. Where neither is
allowed, a TCP connection to port 443: a refusal is an answer too. A resolver is asked by a plain UDP query (RFC 1035).

Nothing here blocks: `Probes.send` sends at once, `Probes.collect` waits for answers until a given time.
"""

import errno
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from speedtest.engines import network_interface
from speedtest.measurement import Failure
from speedtest.values.hosts import version_of

type Method = Literal["icmp", "tcp"]

LATE_SECONDS = 10.0
"""An answer later than this belongs to no probe."""
_PORT, _DNS_PORT = 443, 53
_PAYLOAD = b"SpeedSnake watches its line."
_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_HEADER = struct.Struct("!BBHHH")
_QUESTION = struct.Struct("!HHHHHH")
_BIND_TO_DEVICE = getattr(socket, "SO_BINDTODEVICE", 25)
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_ASKED = ("one.one.one.one", "dns.google", "dns.quad9.net")
"""Names that exist as long as the internet does, asked in turn. That one does not exist would be an answer too."""
_RECURSION = 0x0100
_ANSWERED = (0, 3)
"""The response codes of a resolver that resolves: NOERROR and NXDOMAIN."""
_MOST_PENDING = 1000


class Answer(msgspec.Struct, frozen=True):
    """An answer to a probe."""

    address: str
    sent: float
    """When the probe was sent, by the monotonic clock."""
    seconds: float
    """The round trip."""


class _Pending:
    """Probes that may still be answered, by what tells their answers apart."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, int], float] = {}

    def add(self, address: str, number: int) -> None:
        now = time.monotonic()
        if len(self._sent) >= _MOST_PENDING:
            self._sent = {key: at for key, at in self._sent.items() if now - at < LATE_SECONDS}
        self._sent[address, number] = now

    def answer(self, address: str, number: int) -> Answer | None:
        sent = self._sent.pop((address, number), None)
        if sent is None or (seconds := time.monotonic() - sent) > LATE_SECONDS:
            return None
        return Answer(address, sent, seconds)


class Echoes:
    """ICMP echoes of one family, over one socket."""

    method: Method = "icmp"

    def __init__(self, version: int, interface: str | None) -> None:
        """Open the socket. Raises OSError if this system does not allow it to this user."""
        self._version = version
        self._pending = _Pending()
        self._number = 0
        self._identifier = os.getpid() & 0xFFFF
        self._socket, self._raw = _icmp_socket(version)
        try:
            _bind(self._socket, version, interface)
        except OSError:
            self._socket.close()
            raise

    def send(self, address: str) -> None:
        """Send one echo. Raises OSError if the kernel knows no way."""
        self._number = (self._number + 1) & 0xFFFF
        head = _HEADER.pack(_REQUEST[self._version], 0, 0, self._identifier, self._number)
        checksum = _checksum(head + _PAYLOAD) if self._version == 4 else 0  # noqa: PLR2004 (IPv4; the kernel adds the other)
        packet = _HEADER.pack(_REQUEST[self._version], 0, checksum, self._identifier, self._number) + _PAYLOAD
        self._pending.add(address, self._number)
        self._socket.sendto(packet, _to(address, 0))

    def descriptors(self) -> Iterable[tuple[int, int]]:
        """Return what to wait for."""
        return [(self._socket.fileno(), select.POLLIN)]

    def read(self) -> Iterator[Answer]:
        """Yield the answers that have come."""
        for packet, sender in _packets(self._socket):
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


class Connections:
    """TCP connections of one family, each of them closed once it is answered."""

    method: Method = "tcp"

    def __init__(self, version: int, interface: str | None) -> None:
        """Take the family and the interface."""
        self._version = version
        self._interface = interface
        self._open: dict[int, tuple[socket.socket, str, float]] = {}

    def send(self, address: str) -> None:
        """Begin to connect. Raises OSError if the kernel knows no way."""
        self._forget_old()
        connection = socket.socket(_FAMILIES[self._version], socket.SOCK_STREAM)
        sent = time.monotonic()
        try:
            connection.settimeout(0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _bind(connection, self._version, self._interface)
            connection.connect(_to(address, _PORT))
        except (BlockingIOError, ConnectionRefusedError):
            pass
        except OSError:
            connection.close()
            raise
        self._open[connection.fileno()] = (connection, address, sent)

    def descriptors(self) -> Iterable[tuple[int, int]]:
        """Return what to wait for."""
        return [(descriptor, select.POLLOUT) for descriptor in self._open]

    def read(self) -> Iterator[Answer]:
        """Yield the answers that have come."""
        poll = select.poll()
        for descriptor, wanted in self.descriptors():
            poll.register(descriptor, wanted)
        for descriptor, _ in poll.poll(0):
            connection, address, sent = self._open.pop(descriptor)
            error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            connection.close()
            if error in (0, errno.ECONNREFUSED):
                yield Answer(address, sent, time.monotonic() - sent)

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


class Questions:
    """Queries to resolvers, over one UDP socket a family."""

    def __init__(self) -> None:
        """Open no socket yet."""
        self._pending = _Pending()
        self._number = int.from_bytes(os.urandom(2))
        self._sockets: dict[int, socket.socket] = {}

    def send(self, address: str) -> None:
        """Ask this resolver for a name. Raises OSError if the kernel knows no way."""
        version = version_of(address) or 4
        if version not in self._sockets:
            self._sockets[version] = socket.socket(_FAMILIES[version], socket.SOCK_DGRAM)
            self._sockets[version].settimeout(0)
        self._number = (self._number + 1) & 0xFFFF
        name = _ASKED[self._number % len(_ASKED)]
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        packet = _QUESTION.pack(self._number, _RECURSION, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
        self._pending.add(address, self._number)
        self._sockets[version].sendto(packet, _to(address, _DNS_PORT))

    def descriptors(self) -> Iterable[tuple[int, int]]:
        """Return what to wait for."""
        return [(each.fileno(), select.POLLIN) for each in self._sockets.values()]

    def read(self) -> Iterator[Answer]:
        """Yield the answers of resolvers that resolve."""
        for each in self._sockets.values():
            for packet, sender in _packets(each):
                if len(packet) < _QUESTION.size:
                    continue
                number, flags, *_ = _QUESTION.unpack_from(packet)
                answer = self._pending.answer(sender, number)
                if answer and flags >> 15 and flags & 15 in _ANSWERED:
                    yield answer

    def close(self) -> None:
        """Close the sockets."""
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()


class Probes:
    """Sends probes to addresses and resolvers, and collects the answers."""

    def __init__(self, interface: str | None = None) -> None:
        """Probe over this interface, by its name or address; over the system's choice if none is given."""
        self._interface = interface
        self._by_family: dict[int, Echoes | Connections] = {}
        self._questions = Questions()
        self._wake, self._waker = os.pipe()

    def method(self, version: int) -> Method:
        """Return how addresses of this family are probed."""
        return self._family(version).method

    def send(self, address: str) -> bool:
        """Send a probe; return False if the kernel knows no way to the address now.

        A socket that refuses is opened anew once: its interface may have gone and come back.
        """
        version = version_of(address) or 4
        try:
            self._family(version).send(address)
        except OSError:
            self._by_family.pop(version).close()
            try:
                self._family(version).send(address)
            except OSError:
                return False
        return True

    def ask(self, resolver: str) -> bool:
        """Ask a resolver; return False if the kernel knows no way to it now."""
        try:
            self._questions.send(resolver)
        except OSError:
            return False
        return True

    def collect(self, seconds: float, heard: Callable[[Answer, bool], bool]) -> None:
        """Wait for answers. `heard` gets each, and whether a resolver gave it; it returns whether to wait on."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            for source in self._sources():
                for descriptor, wanted in source.descriptors():
                    poll.register(descriptor, wanted)
            ready = poll.poll(left * 1000)
            if any(descriptor == self._wake for descriptor, _ in ready):
                return
            go_on = True
            for source in self._sources() if ready else ():
                for answer in source.read():
                    go_on &= heard(answer, source is self._questions)
            if not go_on:
                return

    def wake(self) -> None:
        """End `collect` now, and each one from now on. Another thread may call this."""
        os.write(self._waker, b"!")

    def close(self) -> None:
        """Close all sockets."""
        for source in self._sources():
            source.close()
        os.close(self._wake)
        os.close(self._waker)

    def _sources(self) -> deque[Echoes | Connections | Questions]:
        return deque((*self._by_family.values(), self._questions))

    def _family(self, version: int) -> Echoes | Connections:
        if version not in self._by_family:
            try:
                self._by_family[version] = Echoes(version, self._interface)
            except OSError:
                self._by_family[version] = Connections(version, self._interface)
        return self._by_family[version]


def _icmp_socket(version: int) -> tuple[socket.socket, bool]:
    """Return a socket for echoes, and whether it is a raw one. Raises OSError if neither kind is allowed."""
    try:
        echoes = socket.socket(_FAMILIES[version], socket.SOCK_DGRAM, _PROTOCOLS[version])
    except OSError:
        echoes = socket.socket(_FAMILIES[version], socket.SOCK_RAW, _PROTOCOLS[version])
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


def _bind(sender: socket.socket, version: int, interface: str | None) -> None:
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
    sender.bind(_to(address, 0))


def _to(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    host, _, zone = address.partition("%")
    if version_of(host) == 4:  # noqa: PLR2004 (IPv4)
        return host, port
    return host, port, 0, socket.if_nametoindex(zone) if zone else 0


def _packets(source: socket.socket) -> Iterator[tuple[bytes, str]]:
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


def _checksum(packet: bytes) -> int:
    """Return the checksum of RFC 1071."""
    words = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    words = (words >> 16) + (words & 0xFFFF)
    return ~(words + (words >> 16)) & 0xFFFF
