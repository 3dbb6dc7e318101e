"""A server for speed tests over HTTP, on loopback, that can misbehave in every way that servers and networks do."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import trustme

MEBIBYTE = 1 << 20
DATA = bytes(range(256)) * 256
PAGE = b"<!doctype html><html><head><title>Please log in &amp; pay</title></head><body>Hotel</body></html>"


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    number: int
    """How many requests this server has had before."""

    @property
    def size(self) -> int:
        """How many bytes it is about."""
        query = parse_qs(urlsplit(self.path).query)
        if self.method == "POST":
            return int(self.headers["content-length"])
        return int(query.get("bytes", ["0"])[0]) + int(query.get("ckSize", ["0"])[0]) * MEBIBYTE

    @property
    def loads(self) -> bool:
        """Whether it is part of a load, and not of the search for the dialect or of a round trip."""
        return self.size > 0


type Behaviour = Callable[[socket.socket, Asked], bool | None]
"""Answers a request in its own way: True if the connection goes on, False if it ends, None if it leaves it alone."""


class HttpServer:
    """The server, which runs during its `with` block. `asked` are the requests so far."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        dialect: str = "cloudflare",
        folder: str = "",
        certificate: trustme.LeafCert | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        self.received = 0
        self.sent = 0
        self._behaviour = behaviour
        self._dialect = dialect
        self._known = ("/__down", "/__up") if dialect == "cloudflare" else ("/garbage.php", "/empty.php")
        self._known = tuple(f"{folder}{path}" for path in self._known)
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._tls)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.authority}/"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._open.add(connection)
            while (asked := self._request(connection)) and self._answer(connection, asked):
                pass
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _request(self, connection: socket.socket) -> Asked | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return None
            head += byte
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        with self._lock:
            self.asked.append(Asked(method, path, headers, len(self.asked)))
            return self.asked[-1]

    def _answer(self, connection: socket.socket, asked: Asked) -> bool:
        if asked.method == "GET":
            with self._lock:
                self.sent += asked.size
        if self._behaviour and (goes_on := self._behaviour(connection, asked)) is not None:
            return goes_on
        path = urlsplit(asked.path).path
        if asked.method == "POST":
            self._take(connection, asked.size)
        if path not in self._known:
            return reply(connection, 404, b"there is no such thing here")
        if asked.method == "POST":
            return reply(connection, 200)
        if self._dialect == "librespeed" and asked.loads:
            return send_chunks(connection, asked.size)
        return send(connection, asked.size)

    def _take(self, connection: socket.socket, left: int) -> None:
        while left and (data := connection.recv(min(left, MEBIBYTE))):
            left -= len(data)
            with self._lock:
                self.received += len(data)


def reply(connection: socket.socket, status: int, body: bytes = b"", kind: str = "text/plain", **headers: str) -> bool:
    """Answer with a short text. Header names have `_` for `-`."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    connection.sendall(head.encode() + body)
    return headers.get("Connection") != "close"


def send(connection: socket.socket, size: int, told: str | None = None, more: str = "") -> bool:
    """Answer with so many bytes, and say that they are `told`."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {told or size}\r\n{more}\r\n"
    connection.sendall(head.encode())
    while size:
        size -= connection.send(DATA[:size])
    return True


def send_chunks(connection: socket.socket, size: int) -> bool:
    """Answer with chunks, as a LibreSpeed backend in PHP does behind nginx."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while size:
        piece = DATA[: min(size, 50_000)]
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        size -= len(piece)
    connection.sendall(b"0\r\n\r\n")
    return True


def always(status: int, body: bytes = b"", kind: str = "text/plain", **headers: str) -> Behaviour:
    """Answer every request in this way."""
    return lambda connection, _: reply(connection, status, body, kind, **headers)


def under_load(status: int, body: bytes = b"", kind: str = "text/plain", **headers: str) -> Behaviour:
    """Answer in this way only to requests of the load."""

    def behave(connection: socket.socket, asked: Asked) -> bool | None:
        return reply(connection, status, body, kind, **headers) if asked.loads else None

    return behave


def of_uploads(status: int, body: bytes = b"", kind: str = "text/plain", **headers: str) -> Behaviour:
    """Answer in this way to uploads, without reading them to their end."""

    def behave(connection: socket.socket, asked: Asked) -> bool | None:
        return reply(connection, status, body, kind, Connection="close", **headers) if asked.method == "POST" else None

    return behave


def first(count: int, behaviour: Behaviour) -> Behaviour:
    """Behave so for the first requests only."""
    return lambda connection, asked: behaviour(connection, asked) if asked.number < count else None


def cuts(after: int, method: str = "GET") -> Behaviour:
    """End the connection in the middle of a request of the load, after so many bytes."""

    def behave(connection: socket.socket, asked: Asked) -> bool | None:
        if not asked.loads or asked.method != method or asked.size <= after:
            return None
        if method == "GET":
            send(connection, after, told=str(asked.size))
            return False
        taken = 0
        while taken < after:
            taken += len(connection.recv(after - taken))
        return False

    return behave


def stalls(method: str) -> Behaviour:
    """Do not move on after the beginning of a request of the load."""

    def behave(connection: socket.socket, asked: Asked) -> bool | None:
        if not asked.loads or asked.method != method:
            return None
        if method == "GET":
            send(connection, 1000, told=str(asked.size))
        time.sleep(60)
        return False

    return behave


def tells_length(told: str, sent: int | None = None) -> Behaviour:
    """Send another number of bytes than the head tells."""

    def behave(connection: socket.socket, asked: Asked) -> bool | None:
        return send(connection, asked.size if sent is None else sent, told=told) if asked.loads else None

    return behave


def sends_more(connection: socket.socket, asked: Asked) -> bool | None:
    """Send more than the head tells."""
    return send(connection, asked.size + 5000, told=str(asked.size)) if asked.loads and asked.method == "GET" else None


def says(words: bytes) -> Behaviour:
    """Speak something else than HTTP."""

    def behave(connection: socket.socket, _asked: Asked) -> bool:
        connection.sendall(words)
        return False

    return behave


def never_answers(_connection: socket.socket, _asked: Asked) -> bool:
    """Take the request and wait."""
    time.sleep(60)
    return False


def closes_after_each(connection: socket.socket, asked: Asked) -> bool | None:
    """Close the connection after each download, as the head says."""
    if not asked.loads or asked.method == "POST":
        return None
    send(connection, asked.size, more="Connection: close\r\n")
    return False


def wants_its_cookie(connection: socket.socket, asked: Asked) -> bool | None:
    """Set a cookie, and refuse a load without it."""
    if not asked.loads:
        return reply(connection, 200, Set_Cookie="__cf_bm=abc.def; path=/; HttpOnly; Secure")
    return None if "__cf_bm=abc.def" in asked.headers.get("cookie", "") else reply(connection, 429)


def moved_to(path: str) -> Behaviour:
    """Redirect to a path of the same server."""

    def behave(connection: socket.socket, asked: Asked) -> bool | None:
        if asked.path.startswith(path):
            return None
        return reply(connection, 302, Location=f"http://{asked.headers['host']}{path}__down?bytes=0")

    return behave


def in_an_hour() -> str:
    """Return the date in an hour, as `Retry-After` may have it."""
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
