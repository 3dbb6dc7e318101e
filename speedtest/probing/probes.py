"""Probe the line: send small packets to addresses that should answer, ask resolvers, and collect the answers.

By ICMP where this user may, else by TCP. Nothing here blocks: `send`, `knock` and `ask` send at once, `collect` waits
for answers until a given time.
"""

import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Literal

from speedtest.probing.echoes import Echoes
from speedtest.probing.handshakes import Handshakes
from speedtest.probing.questions import Questions
from speedtest.probing.sockets import Reply
from speedtest.values.hosts import version_of

type Method = Literal["icmp", "tcp"]
type ProbeKind = Literal["probe", "knock", "resolver"]
"""What is answered: `send`, `knock` or `ask`."""


class Probes:
    """Sends probes to addresses and resolvers, and collects the answers."""

    def __init__(self, interface: str | None = None) -> None:
        """Probe over this interface, by its name or address; over the system's choice if none is given."""
        self._interface = interface
        self._by_family: dict[int, Echoes | Handshakes] = {}
        self._knocks: dict[int, Handshakes] = {}
        self._questions = Questions()
        self._wake, self._waker = os.pipe()

    def method(self, version: int) -> Method:
        """Return how addresses of this family are probed."""
        return "icmp" if isinstance(self._family(version), Echoes) else "tcp"

    def send(self, address: str) -> bool:
        """Send a probe; return False if the kernel knows no way to the address now."""
        version = version_of(address) or 4
        try:
            self._family(version).send(address)
        except OSError:
            return self._send_anew(version, address)
        return True

    def _send_anew(self, version: int, address: str) -> bool:
        """Send by a new socket: the interface of the old one may have gone and come back.

        If that is refused too, it is this address that cannot be reached, and the old one goes on to wait for others.
        """
        anew = _opened(version, self._interface)
        try:
            anew.send(address)
        except OSError:
            anew.close()
            return False
        self._by_family[version].close()
        self._by_family[version] = anew
        return True

    def knock(self, address: str) -> None:
        """Try a TCP connection as well: some networks let no echo through. Nothing new if probes are connections."""
        version = version_of(address) or 4
        if self.method(version) == "icmp":
            knocks = self._knocks.setdefault(version, Handshakes(version, self._interface))
            with contextlib.suppress(OSError):  # the kernel knows no way: nothing will answer
                knocks.send(address)

    def ask(self, resolver: str) -> bool:
        """Ask a resolver; return False if the kernel knows no way to it now."""
        try:
            self._questions.send(resolver)
        except OSError:
            return False
        return True

    def collect(self, seconds: float, heard: Callable[[Reply, ProbeKind], bool]) -> None:
        """Wait for answers. `heard` gets each, and what it answers; it returns whether to wait on."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            for source, _ in self._sources():
                for descriptor, wanted in source.descriptors():
                    poll.register(descriptor, wanted)
            ready = poll.poll(left * 1000)
            if any(descriptor == self._wake for descriptor, _ in ready):
                return
            go_on = True
            for source, question in self._sources() if ready else ():
                for answer in source.read():
                    go_on &= heard(answer, question)
            if not go_on:
                return

    def wake(self) -> None:
        """End `collect` now, and each one from now on. Another thread may call this."""
        os.write(self._waker, b"!")

    def close(self) -> None:
        """Close all sockets."""
        for source, _ in self._sources():
            source.close()
        os.close(self._wake)
        os.close(self._waker)

    def _sources(self) -> list[tuple[Echoes | Handshakes | Questions, ProbeKind]]:
        probes: list[tuple[Echoes | Handshakes | Questions, ProbeKind]] = [
            (each, "probe") for each in self._by_family.values()
        ]
        return [*probes, *((each, "knock") for each in self._knocks.values()), (self._questions, "resolver")]

    def _family(self, version: int) -> Echoes | Handshakes:
        if version not in self._by_family:
            self._by_family[version] = _opened(version, self._interface)
        return self._by_family[version]


def _opened(version: int, interface: str | None) -> Echoes | Handshakes:
    """Return what this user may send: echoes, else handshakes."""
    try:
        return Echoes(version, interface)
    except OSError:
        return Handshakes(version, interface)
