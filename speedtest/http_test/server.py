"""A small server for speed tests over HTTP, for a line between two sites.

It answers `GET /__down?bytes=N` with N bytes that do not compress, and `POST /__up` once it has read the body; anything
else with 404. `Server-Timing` tells how many ms a request took here: that is no time of the line. Everything is
bounded: connections, the size of a request, and how long one may take.
"""

import contextlib
import os
import socket
import ssl
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import override
from urllib.parse import parse_qs, urlsplit

from speedtest.version import VERSION

MOST_CONNECTIONS = 32
"""A test needs seven: six for the load, one for the latency."""
MOST_BYTES = 100_000_000
"""The largest request. A larger download is refused with 403, a larger upload with 413, as by the public service."""
MOST_SECONDS = 60.0
"""A request that takes longer is cut."""
QUIET_SECONDS = 15.0
"""A connection whose other end is silent for so long is closed."""
BUSY_SECONDS = 5
"""When to come back, for a client that finds all connections taken."""

_PIECE = 256 * 1024
_BUSY = (
    f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {BUSY_SECONDS}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
).encode()


class SpeedServer(ThreadingHTTPServer):
    """Serves until `shutdown`. One thread for each connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, host: str, port: int, *, connections: int = MOST_CONNECTIONS, tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen at this address; port 0 is any free one. Speak TLS if `tls` is given. Raises OSError."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.scheme = "https" if tls else "http"
        self._tls = tls
        self._free = threading.BoundedSemaphore(connections)
        self.data = memoryview(os.urandom(_PIECE))
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"{self.scheme}://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}/"

    @override
    def server_bind(self) -> None:
        """Listen without asking a name server who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @override
    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Serve a connection in a thread of its own, or refuse it if there are too many."""
        if not isinstance(request, socket.socket):
            return
        if not self._free.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.settimeout(1)
                if not self._tls:
                    request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    @override
    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            if isinstance(request, socket.socket):
                self._serve(request, client_address)
        finally:
            self._free.release()

    def _serve(self, request: socket.socket, client_address: object) -> None:
        with contextlib.suppress(OSError):  # a client that hangs up, or speaks no TLS, is no event
            request.settimeout(QUIET_SECONDS)
            if self._tls:
                request = self._tls.wrap_socket(request, server_side=True)
            self.finish_request(request, client_address)
        self.shutdown_request(request)


def tls_of(certificate: Path) -> ssl.SSLContext:
    """Return the server's side of TLS for a file with a chain and its key, in PEM. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"speedsnake/{VERSION}"
    sys_version = ""
    timeout = QUIET_SECONDS
    disable_nagle_algorithm = True
    rbufsize = _PIECE

    _began = 0.0

    @override
    def parse_request(self) -> bool:
        """Note when a request has arrived, to tell how long it took here."""
        self._began = time.perf_counter()
        return super().parse_request()

    def do_GET(self) -> None:
        """Send the bytes asked for."""
        path, query = self._asked()
        text = parse_qs(query).get("bytes", ["0"])[-1]
        if path != "/__down":
            self._answer(HTTPStatus.NOT_FOUND)
        elif not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 (2^63)
            self._answer(HTTPStatus.BAD_REQUEST)
        elif int(text) > MOST_BYTES:
            self._answer(HTTPStatus.FORBIDDEN)
        else:
            self._answer(HTTPStatus.OK, int(text))
            self._send(int(text))

    def do_POST(self) -> None:
        """Read the body to its end, then answer."""
        text = self.headers.get("Content-Length", "")
        if self._asked()[0] != "/__up":
            self._refuse(HTTPStatus.NOT_FOUND)
        elif not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 (2^63)
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
        elif int(text) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._take(int(text)):
            self._answer(HTTPStatus.OK)

    def _asked(self) -> tuple[str, str]:
        """Return the path and the query; both are empty if the client sent what is no URL."""
        try:
            asked = urlsplit(self.path)
        except ValueError:
            return "", ""
        return asked.path, asked.query

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer without reading the body; what follows on the connection is no request, so it ends."""
        self.close_connection = True
        self._answer(status)

    def _answer(self, status: HTTPStatus, length: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Server-Timing", f"cfRequestDuration;dur={(time.perf_counter() - self._began) * 1000:.3f}")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, left: int) -> None:
        data = self.server.data if isinstance(self.server, SpeedServer) else memoryview(b"")
        end = time.monotonic() + MOST_SECONDS
        while left:
            if time.monotonic() > end:
                self.close_connection = True
                return
            left -= self.connection.send(data[:left] if left < _PIECE else data)

    def _take(self, left: int) -> bool:
        """Read a body; return whether all of it came in time."""
        end = time.monotonic() + MOST_SECONDS
        while left:
            size = len(self.rfile.read1(min(left, _PIECE)))
            if not size or time.monotonic() > end:
                self.close_connection = True
                return False
            left -= size
        return True

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: a test makes hundreds of requests."""
