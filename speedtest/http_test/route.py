"""The way to one server: its URL, the address that answered first, TLS, and the cookies that it has set."""

import contextlib
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from speedtest.http_test.trouble import Trouble

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 5.0
"""How long one address may take to answer. The next one is tried after that."""
QUIET_SECONDS = 10.0
"""How long one connection may wait for the other end."""

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6, None: socket.AF_UNSPEC}
_PORTS = {"http": 80, "https": 443}
_MOST_COOKIES = 20


class Route:
    """Opens connections to one server. Safe to use from several threads."""

    def __init__(self, url: str, *, ip_version: int | None = None, source: str | None = None) -> None:
        """Take the server's URL, and perhaps the kind of address or the own address to use. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"{url} is no URL that begins with http:// or https://")
        self.scheme = parts.scheme
        self.host = parts.hostname
        self.port = parts.port or _PORTS[parts.scheme]
        self.base = parts.path.rpartition("/")[0] + "/"
        self.cookies: dict[str, str] = {}
        self.ip_version: int | None = None
        """The kind of the address that answered; None before."""
        self.tls: str | None = None
        """The version of TLS in use."""
        self._asked_version = ip_version
        self._source = source
        self._address: tuple[socket.AddressFamily, tuple[object, ...]] | None = None
        self._context: ssl.SSLContext | None = None

    @property
    def authority(self) -> str:
        """The host and the port as in a URL, without the usual port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the folder that requests go to."""
        return f"{self.scheme}://{self.authority}{self.base}"

    def elsewhere(self, url: str) -> "Route":
        """Return the way to another URL, from the same address of this machine."""
        return Route(url, ip_version=self._asked_version, source=self._source)

    def keep_cookie(self, text: str) -> None:
        """Keep a `Set-Cookie`: the service allows more to those that send its cookies back."""
        name, equals, value = text.partition(";")[0].strip().partition("=")
        if equals and name and len(self.cookies) < _MOST_COOKIES:
            self.cookies[name] = value

    def open(self) -> socket.socket:
        """Return a new connection. The first address that answers is used for all later ones. Raises Trouble."""
        if self._address:
            return self._secured(self._connected(*self._address))
        why: Trouble | None = None
        for family, address in self._addresses():
            try:
                plain = self._connected(family, address)
            except Trouble as trouble:
                why = why or trouble
                continue
            self._address = family, address
            self.ip_version = 6 if family == socket.AF_INET6 else 4
            return self._secured(plain)
        raise why or Trouble("exit", f"{self.host} has no address")

    def _addresses(self) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
        family = _FAMILIES[self._asked_version]
        if self._source:
            family = socket.AF_INET6 if ":" in self._source else socket.AF_INET
        try:
            found = socket.getaddrinfo(self.host, self.port, family, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise Trouble("exit", f"could not find an address of {self.host}: {why}") from error
        return [(family, address) for family, _, _, _, address in found]

    def _connected(self, family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(CONNECT_SECONDS)
            if self._source:
                made.bind((self._source, 0))
            made.connect(address)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.settimeout(QUIET_SECONDS)
        except OSError as error:
            made.close()
            raise self._no_connection(error, str(address[0])) from error
        return made

    def _no_connection(self, error: OSError, address: str) -> Trouble:
        where = f"{self.host} ({address}), port {self.port}" if address != self.host else f"{address}, port {self.port}"
        if isinstance(error, TimeoutError):
            return Trouble("timeout", f"no answer from {where} within {CONNECT_SECONDS:.0f} s")
        if isinstance(error, ConnectionRefusedError):
            return Trouble("refused", f"connection refused by {where}")
        return Trouble("exit", f"could not connect to {where}: {error.strerror or error}")

    def _secured(self, plain: socket.socket) -> socket.socket:
        if self.scheme == "http":
            return plain
        import ssl  # noqa: PLC0415 (5 MiB that a server without TLS does not cost)

        try:
            self._context = self._context or ssl.create_default_context()
            secured = self._context.wrap_socket(plain, server_hostname=self.host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            words = f"certificate verify failed for {self.host}: {error.verify_message}"
            raise Trouble("exit", words) from error
        except (OSError, ValueError) as error:
            plain.close()
            kind = "timeout" if isinstance(error, TimeoutError) else "exit"
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise Trouble(kind, f"no TLS with {self.host}, port {self.port}: {reason}") from error
        self.tls = secured.version()
        return secured


def cut(connection: socket.socket) -> None:
    """End a connection at once, also while another thread uses it, and drop what is not sent yet."""
    import struct  # noqa: PLC0415 (a small module that only this needs)

    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # that of SSLSocket would forget its TLS state
