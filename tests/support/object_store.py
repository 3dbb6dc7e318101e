"""A real object store on loopback, SeaweedFS, and a proxy before it that fails on purpose."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, override

import msgspec

WEED = Path(sys.executable).with_name("weed")
PATIENCE = 60.0
BUCKET = "lake"
ADMIN, UPLOADER = ("ADMIN", "secret-of-admin"), ("UPLOADER", "secret-of-uploader")
_IDENTITIES = {
    "identities": [
        {
            "name": "admin",
            "credentials": [{"accessKey": ADMIN[0], "secretKey": ADMIN[1]}],
            "actions": ["Admin", "Read", "Write", "List"],
        },
        {
            "name": "uploader",
            "credentials": [{"accessKey": UPLOADER[0], "secretKey": UPLOADER[1]}],
            "actions": [f"Read:{BUCKET}", f"Write:{BUCKET}"],
        },
    ]
}


class ObjectServer(msgspec.Struct, frozen=True):
    """A running SeaweedFS: its S3 API, and its filer, which needs no signature."""

    s3: int
    filer: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.s3}"

    def variables(
        self, folder: str = "uploads", endpoint: str | None = None, keys: tuple[str, str] = UPLOADER
    ) -> dict[str, str]:
        """Return the variables that deliver there."""
        return {
            "DELIVER_TO": f"s3://{BUCKET}/{folder}",
            "DELIVER_ENDPOINT": endpoint or self.endpoint,
            "DELIVER_ACCESS_KEY": keys[0],
            "DELIVER_SECRET_KEY": keys[1],
        }

    def put(self, key: str, data: bytes) -> None:
        self._ask("PUT", key, data)

    def delete(self, key: str) -> None:
        self._ask("DELETE", key)

    def get(self, key: str) -> bytes:
        return self._ask("GET", key)

    def keys(self, folder: str = "") -> list[str]:
        """Return the keys of all objects below a folder."""
        return sorted(self._keys(folder.strip("/")))

    def _keys(self, folder: str) -> Iterator[str]:
        try:
            found = json.loads(self._ask("GET", f"{folder}/?limit=10000", accept="application/json"))
        except urllib.error.HTTPError:
            return
        for entry in found.get("Entries") or []:
            path = entry["FullPath"].removeprefix(f"/buckets/{BUCKET}/")
            if entry.get("Mode", 0) & (1 << 31):
                yield from self._keys(path)
            else:
                yield path

    def _ask(self, method: str, key: str, data: bytes | None = None, accept: str = "*/*") -> bytes:
        url = f"http://127.0.0.1:{self.filer}/buckets/{BUCKET}/{key}"
        kind = {"Accept": accept} | ({"Content-Type": "application/octet-stream"} if data is not None else {})
        request = urllib.request.Request(url, data, kind, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 (loopback)
            return answer.read()


@contextmanager
def seaweed(folder: Path) -> Iterator[ObjectServer]:
    """Run a SeaweedFS whose data is in this folder, with the bucket `lake` and two users."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "s3.json").write_text(json.dumps(_IDENTITIES))
    (folder / "data").mkdir()
    for last_try in (False, False, True):  # another process may take a port before it does
        master, volume, filer, s3 = (_free_port() for _ in range(4))
        arguments = [
            *(f"-ip{name}=127.0.0.1" for name in ("", ".bind")),
            *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"),
            "-s3.port.lance=0",
            *(f"-dir={folder / 'data'}", f"-s3.config={folder / 's3.json'}", "-filer", "-s3", "-s3.port.iceberg=0"),
            *("-volume.max=20", "-master.volumeSizeLimitMB=64", "-master.telemetry=false", "-volume.index=memory"),
        ]
        with (folder / "weed.log").open("ab") as log:
            server = subprocess.Popen(
                [WEED, "server", *arguments], stdout=log, stderr=log, cwd=folder, env={"HOME": str(folder)}
            )
        found = ObjectServer(s3, filer)
        if _is_ready(found, server):
            break
        server.kill()
        server.wait()
        assert not last_try, (folder / "weed.log").read_text()[-4000:]
    try:
        yield found
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder / "data", ignore_errors=True)


def _is_ready(found: ObjectServer, server: subprocess.Popen[bytes]) -> bool:
    """Wait until it serves both APIs and has its bucket; return False if it ended."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            found.put(".ready", b"1")
            found.delete(".ready")
            with socket.create_connection(("127.0.0.1", found.s3), 1):
                return True
        time.sleep(0.1)
    return False


def _free_port() -> int:
    """Return a free port whose neighbour 10,000 higher, which SeaweedFS takes for gRPC, is free too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = int(server.getsockname()[1])
        port = port if port < 55_000 else port - 30_000
        with contextlib.suppress(OSError):
            for each in (port, port + 10_000):
                socket.create_server(("127.0.0.1", each)).close()
            return port


class Request(msgspec.Struct):
    """A request that goes through the proxy, and the number it has there, from 1."""

    number: int
    method: str
    key: str
    """Below the bucket."""
    body: bytes
    headers: dict[str, str]


class Answer(msgspec.Struct):
    """What the proxy answers. `cut` leaves out the second half of the body; `gone` closes without an answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}
    cut: bool = False
    gone: bool = False


type Forward = Callable[[], Answer]
type Fault = Callable[[Request, Forward], Answer]
"""Answers a request. It may forward it first, or afterwards, or not at all."""


def refused(status: int, code: str) -> Answer:
    """Return an error as S3 words it."""
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>on purpose</Message></Error>'
    return Answer(status, text.encode(), {"Content-Type": "application/xml"})


class Proxy:
    """An HTTP proxy before an object server. `fault` decides what becomes of each request."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.fault: Fault | None = None
        self.requests: list[Request] = []
        """Those since the last reset."""
        self._idle = threading.Condition()
        self._running = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.serve(self)

            do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 (the same)

            @override
            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def reset(self, fault: Fault | None = None) -> None:
        """Count requests from 1 again, with another fault. Waits for those whose client has gone meanwhile."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._running, PATIENCE), "a request does not end"
            self.fault = fault
            self.requests.clear()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        key = handler.path.partition("?")[0].removeprefix(f"/{BUCKET}/")
        with self._idle:
            self._running += 1
            number = len(self.requests) + 1
            request = Request(number, handler.command, key.replace("%3D", "="), body, dict(handler.headers.items()))
            self.requests.append(request)
            fault = self.fault

        def forward() -> Answer:
            return self._forward(handler.path, request)

        try:
            answer = fault(request, forward) if fault else forward()
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()
        with contextlib.suppress(OSError):  # the other side has gone
            self._answer(handler, answer)

    def _forward(self, path: str, request: Request) -> Answer:
        upstream = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            upstream.request(request.method, path, request.body or None, request.headers)
            answer = upstream.getresponse()
            return Answer(answer.status, answer.read(), dict(answer.getheaders()))
        finally:
            upstream.close()

    def _answer(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if answer.gone:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)
        handler.wfile.flush()
        if answer.cut:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_before(port: int) -> Iterator[Proxy]:
    """Run a proxy before the object server on this port."""
    proxy = Proxy(port)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()


def needs_seaweed() -> str | None:
    """Return why no SeaweedFS can run here; None if one can."""
    return None if os.access(WEED, os.X_OK) else "SeaweedFS is not installed (uv sync --group development)"
