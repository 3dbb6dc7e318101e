"""A stand-in for the speedtest.net service on loopback. The real speedtest-cli measures real bytes against it.

`speedtest-cli --secure` gets its configuration and servers from www.speedtest.net by https, and all else from the
server that it chooses, by http. So the stand-in is two things: the proxy to www.speedtest.net (it answers CONNECT and
speaks TLS, with a certificate of an authority made for this test), and the server itself.
Three variables that the program reads anyway point it there: `Service.environment`.
"""

import re
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self, override
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import trustme

from standins.service_faults import DROP, FAULTS, HANG, NONE, Fault

__all__ = ["CLIENT", "FAR", "FAULTS", "NEAR", "Fault", "Service"]

HOST = "www.speedtest.net"
CLIENT = {
    "ip": "203.0.113.7",
    "lat": "46.9480",
    "lon": "7.4474",
    "isp": 'Été & Söhne, "Fibre" Inc.',
    "isprating": "3.7",
    "rating": "0",
    "ispdlavg": "0",
    "ispulavg": "0",
    "loggedin": "0",
    "country": "CH",
}
NEAR = {
    "lat": "46.95",
    "lon": "7.45",
    "name": "Bern, Länggasse",
    "country": "Switzerland",
    "cc": "CH",
    "sponsor": 'Ćevapi "Netz", AG 🛰',
    "id": "4711",
}
FAR = NEAR | {"lat": "47.37", "lon": "8.54", "name": "Zürich", "sponsor": "Example Far", "id": "4712"}
LISTED = ["near"] * 5 + ["far"]
"""speedtest-cli times the five closest servers, so it chooses the far one only if asked to."""

SETTINGS = {
    "server-config": {"threadcount": "2", "ignoreids": ""},
    "download": {"testlength": "2", "threadsperurl": "1"},
    "upload": {"testlength": "2", "ratio": "3", "maxchunkcount": "5", "threads": "2"},
}
"""The longest times of a test in seconds. On loopback its few bytes take less.

Ratio 3 leaves out the smaller uploads: speedtest-cli announces 65,536 bytes, sends seven too few, and then waits.
"""

IMAGE_DIVISOR = 8
"""An image of n x n pixels has n * n / this bytes. All ten together have 6.5 MB, the real ones 100 MB."""

ROUTES = {
    "config": r"/speedtest-config\.php",
    "servers": r"/speedtest-servers(-static)?\.php",
    "latency": r"/(near|far)/latency\.txt",
    "download": r"/(near|far)/random(?P<pixels>\d+)x\d+\.jpg",
    "upload": r"/(near|far)/upload\.php",
}
CHUNK = bytes(range(256)) * 256


class Size(NamedTuple):
    """The size of a test, which ends when its time is up or all bytes have arrived."""

    settings: Mapping[str, Mapping[str, str]] = MappingProxyType(SETTINGS)
    image_divisor: int = IMAGE_DIVISOR


USUAL = Size()


class Service:
    """The service, which runs during its `with` block, with one of the `FAULTS` or none, at an address of this machine.

    `received` and `sent` are the bytes of uploads and images so far, `requests` the requested endpoints in order.
    """

    def __init__(self, fault: str | None = None, host: str = "127.0.0.1", size: Size = USUAL) -> None:
        self.host = host
        self.size = size
        self.fault: Fault = FAULTS[fault] if fault else NONE
        self.requests: list[str] = []
        self.received = 0
        self.sent = 0
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="standin-service-")
        self._server = Server(self)
        self._closed = socket.socket()
        self._closed.bind((host, 0))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        authority = trustme.CA()
        (authority if self.fault.endpoint != "certificate" else trustme.CA()).issue_cert(HOST).configure_cert(
            self._server.tls
        )
        self._certificates = Path(self._folder.name) / "authority.pem"
        authority.cert_pem.write_to_path(str(self._certificates))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.close()
        self._thread.join()
        self._closed.close()
        self._folder.cleanup()
        if self._server.errors and error is None:
            raise ExceptionGroup("the stand-in for the service failed", self._server.errors)

    @property
    def port(self) -> int:
        """The port of both the proxy and the server."""
        return self._server.server_port

    @property
    def environment(self) -> dict[str, str]:
        """The variables that send everything from speedtest-cli to the stand-in, so that nothing leaves the machine."""
        port = self._closed_port if self.fault.endpoint == "network" else self.port
        proxy = f"http://{self.host}:{port}"
        return {
            "http_proxy": proxy,
            "https_proxy": proxy,
            "no_proxy": self.host,
            "SSL_CERT_FILE": str(self._certificates),
        }

    @property
    def _closed_port(self) -> int:
        return int(self._closed.getsockname()[1])

    def note(self, endpoint: str, *, received: int = 0, sent: int = 0) -> None:
        """Count the bytes of one request."""
        with self._lock:
            self.requests.append(endpoint)
            self.received += received
            self.sent += sent

    def config(self) -> bytes:
        """Return the answer of speedtest-config.php."""
        root = ET.Element("settings")
        for name, values in {"client": CLIENT, **self.size.settings}.items():
            ET.SubElement(root, name, dict(values))
        return ET.tostring(root, encoding="utf-8")

    def servers(self) -> bytes:
        """Return the answer of speedtest-servers.php."""
        root = ET.Element("settings")
        servers = ET.SubElement(root, "servers")
        port = self._closed_port if self.fault.endpoint == "server" else self.port
        for name in LISTED:
            place = {"host": f"{self.host}:{port}", "url": f"http://{self.host}:{port}/{name}/upload.php"}
            ET.SubElement(servers, "server", place | (NEAR if name == "near" else FAR))
        return ET.tostring(root, encoding="utf-8")


class Server(ThreadingHTTPServer):
    """The listener. Closing it ends all connections and their threads."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, service: Service) -> None:
        self.service = service
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.closing = threading.Event()
        self.errors: list[Exception] = []
        super().__init__((service.host, 0), Handler)

    def close(self) -> None:
        """Stop accepting, wake threads that hang, and wait for all connections to end."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Keep our own errors for the test. Ignore clients that hang up or distrust our certificate."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError)):
            self.errors.append(error)


class Handler(BaseHTTPRequestHandler):
    """One connection: a request, or CONNECT and a request by TLS."""

    timeout = 15

    @property
    def service(self) -> Service:
        """The service of this connection."""
        return self.listener.service

    @property
    def listener(self) -> Server:
        """The listener that accepted this connection."""
        if not isinstance(self.server, Server):
            raise TypeError(f"{self.server} is not the stand-in's")
        return self.server

    def do_CONNECT(self) -> None:
        """Open the tunnel to www.speedtest.net, which ends here."""
        if self.path != f"{HOST}:443":
            self.send_error(403)
            return
        self.send_response(200)
        self.end_headers()
        with self.listener.tls.wrap_socket(self.connection, server_side=True) as tunnel:
            Handler(tunnel, self.client_address, self.server)

    def do_GET(self) -> None:
        """Answer a request of speedtest-cli, or fail as the fault says."""
        path = urlsplit(self.path).path
        endpoint, match = next(
            ((name, match) for name, pattern in ROUTES.items() if (match := re.fullmatch(pattern, path))), ("", None)
        )
        fault = self.service.fault
        if match is None:
            self.send_error(404)
        elif endpoint == fault.endpoint:
            self.service.note(endpoint)
            self.fail(fault)
        else:
            getattr(self, f"send_{endpoint}")(match)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def fail(self, fault: Fault) -> None:
        """Do what the fault says."""
        if fault.status == HANG:
            self.listener.closing.wait()
        elif fault.status != DROP:
            self.send(fault.body, fault.status)

    def send(self, body: bytes, status: int = 200) -> None:
        """Send a complete answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_config(self, _: re.Match[str]) -> None:
        """Send the settings of a test."""
        self.service.note("config")
        self.send(self.service.config())

    def send_servers(self, _: re.Match[str]) -> None:
        """Send the list of servers."""
        self.service.note("servers")
        self.send(self.service.servers())

    def send_latency(self, _: re.Match[str]) -> None:
        """Send the answer that speedtest-cli times."""
        self.service.note("latency")
        self.send(b"test=test\n")

    def send_download(self, match: re.Match[str]) -> None:
        """Send the bytes of an image of this size."""
        size = int(match["pixels"]) ** 2 // self.service.size.image_divisor
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        sent = 0
        try:
            while sent < size:
                sent += self.wfile.write(CHUNK[: size - sent])
        finally:
            self.service.note("download", sent=sent)

    def send_upload(self, _: re.Match[str]) -> None:
        """Read the whole upload, and send its size."""
        size = int(self.headers["Content-Length"])
        received = 0
        try:
            while received < size and (chunk := self.rfile.read1(min(len(CHUNK), size - received))):
                received += len(chunk)
        finally:
            self.service.note("upload", received=received)
        self.send(f"size={received}".encode())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: `Service.requests` has the requests."""
