"""An ndt7 server on loopback, with the service that names it, which can misbehave."""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self

import trustme
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

SUBPROTOCOL = "net.measurementlab.ndt.v7"
DATA = bytes(range(256)) * 256
TEXT_SECONDS = 0.25

type Fault = Literal["none", "closes", "cuts", "stalls", "lies", "text", "another protocol", "masks"]
type Refusal = Callable[[Request], Response | None]


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    """Return an answer that is no WebSocket. Names of headers have _ for -."""
    given = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Length": str(len(body))}
    return Response(status, HTTPStatus(status).phrase, Headers(given | {"Connection": "close"}), body)


class Ndt7Server:
    """The server, which runs during its `with` block. `asked` are the paths so far."""

    def __init__(  # noqa: PLR0913 (what a test may choose, by name)
        self,
        fault: Fault = "none",
        *,
        of: Literal["download", "upload", "both"] = "both",
        seconds: float = 10.0,
        refusal: Refusal | None = None,
        certificate: trustme.LeafCert | None = None,
        host: str = "127.0.0.1",
        located: Callable[["Ndt7Server"], Response] | None = None,
    ) -> None:
        self.asked: list[Request] = []
        self.sent = self.received = 0
        self.ends: list[int | None] = []
        self._fault, self._of, self._seconds, self._refusal, self._located = fault, of, seconds, refusal, located
        self._host = host
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
        self._tls = context is not None
        self._server: Server = serve(
            self._serve,
            host,
            0,
            ssl=context,
            subprotocols=None if fault == "another protocol" else [SUBPROTOCOL],  # type: ignore[list-item] # pyrefly: ignore
            process_request=self._look,
            compression=None,
            max_size=1 << 24,
            close_timeout=1,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()

    @property
    def authority(self) -> str:
        host = "localhost" if self._tls and self._host == "127.0.0.1" else self._host
        return f"{host}:{self._server.socket.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://{self.authority}/"

    @property
    def locate(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.authority}/v2/nearest/ndt/ndt7"

    def named(self, *others: str) -> dict[str, Any]:
        """Return what the service answers that names this server, after `others`."""
        return {
            "results": [
                {
                    "machine": f"mlab1-{authority.partition(':')[0]}.example.org",
                    "location": {"city": "Bern", "country": "CH"},
                    "urls": {
                        f"wss:///ndt/v7/{way}": f"wss://{authority}/ndt/v7/{way}?access_token=SECRET"
                        for way in ("download", "upload")
                    },
                }
                for authority in (*others, self.authority)
            ]
        }

    def _look(self, _connection: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request)
        if request.path.startswith("/v2/nearest/"):
            return self._located(self) if self._located else answer(200, json.dumps(self.named()).encode())
        return self._refusal(request) if self._refusal else None

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request
        way = "download" if "/download" in connection.request.path else "upload"
        fault = self._fault if self._of in (way, "both") else "none"
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            (self._download if way == "download" else self._upload)(connection, fault)
        self.ends.append(connection.protocol.close_code)

    def _download(self, connection: ServerConnection, fault: Fault) -> None:
        began = told = time.monotonic()
        sent = 0
        while (now := time.monotonic()) - began < self._seconds:
            if fault != "none" and sent > 1_000_000:
                self._misbehave(connection, fault)
            connection.send(DATA)
            sent += len(DATA)
            self.sent += len(DATA)
            if now - told >= TEXT_SECONDS:
                told = now
                connection.send(self._measurement(sent, now - began))
        connection.close()

    def _upload(self, connection: ServerConnection, fault: Fault) -> None:
        began = told = time.monotonic()
        received = 0
        while (now := time.monotonic()) - began < self._seconds:
            if fault != "none" and received > 1_000_000:
                self._misbehave(connection, fault)
            received += len(connection.recv(timeout=5))
            self.received = max(self.received, received)
            if now - told >= TEXT_SECONDS:
                told = now
                connection.send(self._measurement(received, now - began))
        connection.close()

    @staticmethod
    def _measurement(count: int, seconds: float) -> str:
        return json.dumps(
            {
                "AppInfo": {"NumBytes": count, "ElapsedTime": int(seconds * 1e6)},
                "ConnectionInfo": {"Client": "203.0.113.77:1234", "Server": "203.0.113.78:443", "UUID": "x"},
                "Origin": "server",
                "TCPInfo": {
                    "RTT": 12_500,
                    "MinRTT": 9_800,
                    "BytesSent": count,
                    "BytesRetrans": count // 50,
                    "BytesReceived": count,
                },
            }
        )

    def _misbehave(self, connection: ServerConnection, fault: Fault) -> None:
        if fault == "closes":
            connection.close(1011, "overloaded")
        elif fault == "cuts":
            connection.socket.close()
        elif fault == "stalls":
            time.sleep(6)
        elif fault == "text":
            connection.send("{" * 5000)
        elif fault == "lies":
            huge = {"NumBytes": 10**30, "ElapsedTime": -1}
            connection.send(
                json.dumps({"AppInfo": huge, "TCPInfo": {"RTT": "fast", "BytesSent": 1, "BytesRetrans": 2}})
            )
            connection.send(json.dumps({"AppInfo": 7, "TCPInfo": [1]}))
            connection.send("null")
        elif fault == "masks":
            connection.socket.sendall(b"\xf2\x85rubbish")
