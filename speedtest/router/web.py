"""HTTP requests to one host, with a limit for time and for size. No redirection is followed, no password is sent.

A router is trusted as little as any other machine: it may hang, send a byte a second, answer without end, or name
another host. So all requests of one run share one deadline, an answer may have `LONGEST_ANSWER` bytes, and a URL that
leads to another host is refused.
"""

import re
import socket
import time
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

LONGEST_ANSWER = 256 * 1024
QUIET_SECONDS = 2.0
"""How long one request may take, within the time of all."""
OK = 200
NEEDS_PASSWORD = (401, 403)

_CHUNK = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: |\r?\n|$)")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,9})[ \t]*\r?$")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:.*chunked")
_PORTS = range(1, 65536)


class UnusableAnswer(Exception):
    """A router's answer that is not used; the words say why."""


class WebPlace(NamedTuple):
    """Where a service of the router is: a port and a path. The host is always the router's address."""

    port: int
    path: str


class HttpAnswer(NamedTuple):
    """An answer: its status and its body."""

    status: int
    body: bytes


class Host:
    """The router. Every request goes to its address, before one deadline."""

    def __init__(self, address: str, seconds: float) -> None:
        """Take the address, and how many seconds all requests together may take."""
        self.address = address
        self._deadline = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """How many seconds are left, 0 if none."""
        return max(self._deadline - time.monotonic(), 0.0)

    def place(self, url: str, base: WebPlace | None = None) -> WebPlace:
        """Return where a URL leads; one without a host is relative to `base`.

        Raises UnusableAnswer if it leads to another host.
        """
        try:
            around = f"http://{self.address}:{base.port}{base.path}" if base else ""
            parts = urlsplit(urljoin(around, url.strip()))
            port = parts.port or 80
        except ValueError as error:
            raise UnusableAnswer(f"the router names a URL that cannot be read: {url[:80]!r}") from error
        if parts.scheme != "http" or parts.hostname != self.address:
            raise UnusableAnswer(f"the router points to another host, which is not asked: {url[:80]!r}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if port not in _PORTS or not (path.isascii() and path.isprintable()) or " " in path:
            raise UnusableAnswer(f"the router names a URL that cannot be read: {url[:80]!r}")
        return WebPlace(port, path)

    def get(self, place: WebPlace) -> HttpAnswer:
        """Fetch a document. Raises UnusableAnswer, OSError."""
        return self._exchange(place, "GET", [], b"")

    def post(self, place: WebPlace, headers: list[str], body: bytes) -> HttpAnswer:
        """Send a document and return what was answered. Raises UnusableAnswer, OSError."""
        return self._exchange(place, "POST", headers, body)

    def _exchange(self, place: WebPlace, method: str, headers: list[str], body: bytes) -> HttpAnswer:
        end = min(self._deadline, time.monotonic() + QUIET_SECONDS)
        head = [
            f"{method} {place.path} HTTP/1.1",
            f"Host: {self.address}:{place.port}",
            "User-Agent: SpeedSnake UPnP/1.1",
            "Connection: close",
            *headers,
            *([f"Content-Length: {len(body)}"] if body else []),
        ]
        with socket.create_connection((self.address, place.port), timeout=_left(end)) as wire:
            wire.settimeout(_left(end))
            wire.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body)
            return _answer(wire, end)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("no complete answer in time")
    return left


def _answer(wire: socket.socket, end: float) -> HttpAnswer:
    """Read an answer to its end: its length, its last chunk, or the end of the connection."""
    received = b""
    while not _is_whole(received):
        wire.settimeout(_left(end))
        chunk = wire.recv(_CHUNK)
        if not chunk:
            break
        received += chunk
        if len(received) > LONGEST_ANSWER:
            raise UnusableAnswer(f"the router's answer has more than {LONGEST_ANSWER} bytes")
    head, _, body = received.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if not status:
        raise UnusableAnswer(f"the router does not answer with HTTP: {received[:40]!r}")
    if _CHUNKED.search(head):
        body = _joined(body)
    elif length := _LENGTH.search(head):
        body = body[: int(length[1])]
    return HttpAnswer(int(status[1]), body)


def _is_whole(received: bytes) -> bool:
    head, ended, body = received.partition(b"\r\n\r\n")
    if not ended:
        return False
    if _CHUNKED.search(head):
        return body.endswith(b"\r\n0\r\n\r\n") or body == b"0\r\n\r\n"
    length = _LENGTH.search(head)
    return bool(length) and len(body) >= int(length[1])


def _joined(body: bytes) -> bytes:
    """Return the chunks of a body as one. Raises UnusableAnswer if a chunk has no length."""
    joined = b""
    while body:
        line, _, body = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError as error:
            raise UnusableAnswer("the router's answer has a chunk without a length") from error
        if size <= 0:
            break
        joined, body = joined + body[:size], body[size:].removeprefix(b"\r\n")
    return joined
