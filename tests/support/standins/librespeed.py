"""A LibreSpeed server for the real librespeed-cli, on loopback or at another address."""

import json
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, override
from urllib.parse import parse_qs, urlsplit

import trustme

type Fault = Literal["none", "down", "no download", "no upload"]

NAME = 'Loopback "Lab", Zürich'
SERVER_ID = 7
CLIENT = {"ip": "203.0.113.7", "country": "CH", "org": "AS64496 Example, Inc."}
MEBIBYTE = bytes(range(256)) * 4096


class Backend:
    """The server, which runs during its `with` block.

    `sent` and `received` are the bytes of the tests so far, `clients` the addresses of their clients.
    """

    def __init__(
        self, host: str = "127.0.0.1", fault: Fault = "none", certificate: trustme.LeafCert | None = None
    ) -> None:
        self.fault = fault
        self.sent = 0
        self.received = 0
        self.clients: set[str] = set()
        self.lock = threading.Lock()
        self._server = _Server(self, host)
        self._scheme = "https" if certificate else "http"
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(tls)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._server.errors and error is None:
            raise ExceptionGroup("the stand-in for LibreSpeed failed", self._server.errors)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"{self._scheme}://{host!s}:{port}/"

    def write_list(self, path: Path) -> Path:
        """Write the list of servers for librespeed-cli, and return its path."""
        urls = {"dlURL": "garbage", "ulURL": "empty", "pingURL": "empty", "getIpURL": "getIP"}
        path.write_text(json.dumps([{"id": SERVER_ID, "name": NAME, "server": self.url} | urls]), encoding="utf-8")
        return path


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, backend: Backend, host: str) -> None:
        self.backend = backend
        self.errors: list[Exception] = []
        super().__init__((host, 0), _Handler)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Keep our own errors for the test. Ignore clients that hang up: that ends each speed test."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError)):
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 15

    @property
    def backend(self) -> Backend:
        if not isinstance(self.server, _Server):
            raise TypeError(f"{self.server} is not the stand-in's")
        return self.server.backend

    def do_GET(self) -> None:
        self.backend.clients.add(self.client_address[0])
        asked = urlsplit(self.path)
        match asked.path, self.backend.fault:
            case "/empty", "down":
                self._answer(503)
            case "/empty", _:
                self._answer(200)
            case "/getIP", _:
                self._answer(200, json.dumps({"processedString": "", "rawIspInfo": CLIENT}).encode())
            case "/garbage", "no download":
                self._answer(500)
            case "/garbage", _:
                self._garbage(int(parse_qs(asked.query).get("ckSize", ["4"])[0]))
            case _:
                self._answer(404)

    def do_POST(self) -> None:
        try:
            for size in self._chunks():
                with self.backend.lock:
                    self.backend.received += size
        except ValueError:  # the test's time is up, and the client hung up
            self.close_connection = True
            return
        self._answer(500 if self.backend.fault == "no upload" else 200)

    def _chunks(self) -> Iterator[int]:
        """Read a body of known length or of chunks, and yield the sizes read. Raises ValueError if it breaks off."""
        if "Content-Length" in self.headers:
            yield from self._bytes(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield from self._bytes(size)
            self.rfile.readline()
        self.rfile.readline()

    def _bytes(self, left: int) -> Iterator[int]:
        while left and (chunk := self.rfile.read1(min(left, 1 << 18))):
            left -= len(chunk)
            yield len(chunk)

    def _garbage(self, mebibytes: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(mebibytes * len(MEBIBYTE)))
        self.end_headers()
        sent = 0
        try:
            for _ in range(mebibytes):
                sent += self.wfile.write(MEBIBYTE)
        finally:
            with self.backend.lock:
                self.backend.sent += sent

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""
