"""The addresses that the watch probes: those of `WATCH_TARGETS`, and what its names resolve to.

A name is resolved once an hour by a thread of its own, so that a slow resolver never delays a probe. Where IPv6 has a
default route, the IPv6 address of the same operator is probed beside a well-known IPv4 address.
"""

import contextlib
import socket
import threading
from collections.abc import Mapping, Sequence

from speedtest.values.hosts import version_of

RESOLVE_SECONDS = 3600.0
RETRY_SECONDS = 60.0
ALSO: Mapping[str, str] = {
    "1.1.1.1": "2606:4700:4700::1111",
    "8.8.8.8": "2001:4860:4860::8888",
    "9.9.9.9": "2620:fe::fe",
}
"""The IPv6 address of the same service, as its operator publishes it (Cloudflare, Google, Quad9)."""


def both(target: str) -> list[str]:
    """Return a target, and the IPv6 address of the same service if it is known."""
    return [target, *([ALSO[target]] if target in ALSO else [])]


class Targets:
    """The targets, as written and as addresses."""

    def __init__(self, written: Sequence[str]) -> None:
        """Take addresses and names."""
        self._written = written
        self._resolved: dict[str, tuple[str, ...]] = {}
        self._next = 0.0
        self._thread: threading.Thread | None = None
        self._names = [each for each in written if version_of(each) is None]

    def addresses(self, now: float, families: Sequence[int]) -> list[str]:
        """Return the addresses to probe over these families. Begins to resolve names if it is time; never waits."""
        if self._names and now >= self._next and not (self._thread and self._thread.is_alive()):
            self._next = now + (RESOLVE_SECONDS if len(self._resolved) == len(self._names) else RETRY_SECONDS)
            self._thread = threading.Thread(target=self._resolve, name="resolve", daemon=True)
            self._thread.start()
        found = [address for each in self._written for address in self._resolved.get(each) or both(each)]
        return [address for address in dict.fromkeys(found) if version_of(address) in families]

    def written(self, address: str) -> str:
        """Return an address with the name that it was resolved from, if it was."""
        name = next((name for name, addresses in self._resolved.items() if address in addresses), None)
        return f"{name} ({address})" if name else address

    def _resolve(self) -> None:
        for name in self._names:
            with contextlib.suppress(OSError):  # the last addresses stay; the next try comes in a minute or an hour
                found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
                first = {version_of(str(to[0])): str(to[0]) for *_, to in reversed(found)}
                self._resolved[name] = tuple(first.values())
