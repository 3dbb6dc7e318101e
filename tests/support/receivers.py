"""Real receivers of numbers on loopback: mosquitto, InfluxDB 1.x, VictoriaMetrics, and an HTTP receiver of our own."""

import base64
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, override

import pytest
from daemon import until


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def program(*names: str) -> str:
    """Return the path of an installed program; skip the test where there is none."""
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin"):
            return found
    pytest.skip(f"needs {names[0]} (apt-get install mosquitto influxdb victoria-metrics)")


@contextmanager
def running(arguments: list[str], is_ready: Callable[[], object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block."""
    with log.open("ab") as out, subprocess.Popen(arguments, stdout=out, stderr=out, cwd=log.parent) as server:
        try:
            until(lambda: server.poll() is not None or is_ready(), f"{arguments[0]} ready")
            assert server.poll() is None, log.read_text(errors="replace")[-2000:]
            yield server
        finally:
            server.kill()


def get(url: str) -> str:
    """Return what an address says; nothing if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (loopback)
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


def listens(port: int) -> bool:
    """Return whether something listens at a port."""
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


class Request(NamedTuple):
    """A request that an HTTP receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class Hook:
    """An HTTP receiver: it keeps what it is sent, and answers with `status`."""

    def __init__(self, port: int = 0) -> None:
        self.got: list[Request] = []
        self.refused: list[Request] = []
        self.status: int | Callable[[Request], int] = 204
        self.headers: dict[str, str] = {}
        self.words = ""
        """What it answers."""
        self.delay = 0.0
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"] or 0)
                body = self.rfile.read(length)
                if len(body) < length:  # the sender was killed: this is no request
                    self.close_connection = True
                    return
                request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                time.sleep(hook.delay)
                status = hook.status(request) if callable(hook.status) else hook.status
                (hook.got if status < 300 else hook.refused).append(request)
                self.send_response(status)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(hook.words)))
                self.end_headers()
                self.wfile.write(hook.words.encode())

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def hook() -> Iterator[Hook]:
    """Run an HTTP receiver until the end of the block."""
    found = Hook()
    try:
        yield found
    finally:
        found.close()


class InfluxServer:
    """A running InfluxDB 1.x with the database `speedsnake`."""

    def __init__(self, port: int, user: tuple[str, str] | None) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._headers: dict[str, str] = {}
        if user:
            self.ask(f"create user {user[0]} with password '{user[1]}' with all privileges")
            self._headers = {"Authorization": f"Basic {base64.b64encode(':'.join(user).encode()).decode()}"}
        self.ask("create database speedsnake")

    def ask(self, question: str) -> list[dict[str, Any]]:
        """Return the rows that answer a question, instants in nanoseconds."""
        body = urllib.parse.urlencode({"db": "speedsnake", "q": question, "epoch": "ns"}).encode()
        request = urllib.request.Request(f"{self.url}/query", body, self._headers)  # noqa: S310 (loopback)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (the same)
            found = json.loads(answer.read())
        assert not any("error" in result for result in found["results"]), found
        return [
            dict(zip(series["columns"], values, strict=True)) | series.get("tags", {})
            for result in found["results"]
            for series in result.get("series", [])
            for values in series["values"]
        ]


@contextmanager
def influxdb(folder: Path, *, user: tuple[str, str] | None = None) -> Iterator[InfluxServer]:
    """Run a real InfluxDB 1.x in a folder. With a user and a password nobody else may enter."""
    port, rpc = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "influxdb.conf"
    settings.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n'
        f'[meta]\ndir = "{folder}/meta"\n[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
        f"[monitor]\nstore-enabled = false\n"
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\nauth-enabled = {str(bool(user)).lower()}\n'
    )
    command = [program("influxd"), "run", "-config", str(settings)]
    with running(command, lambda: listens(port), folder / "influxdb.log"):
        yield InfluxServer(port, user)


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """Run a real VictoriaMetrics in a folder; yield its address."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        program("victoria-metrics"),
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(command, lambda: get(f"{url}/health") == "OK", folder / "victoria.log"):
        yield url


def exported(url: str, selector: str) -> list[dict[str, Any]]:
    """Return the series that VictoriaMetrics holds, with every sample."""
    get(f"{url}/internal/force_flush")
    text = get(f"{url}/api/v1/export?{urllib.parse.urlencode({'match[]': selector})}")
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def mosquitto(folder: Path, *lines: str, port: int = 0) -> Iterator[int]:
    """Run a real mosquitto; yield its port. `lines` are added to its settings, in which `{port}` is the port."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "mosquitto.conf"
    wanted = lines or ("listener {port} 127.0.0.1", "allow_anonymous true")
    settings.write_text("\n".join(line.replace("{port}", str(port)) for line in wanted) + "\nuser root\n")
    command = [program("mosquitto"), "-c", str(settings)]
    with running(command, lambda: listens(port), folder / "mosquitto.log"):
        yield port


def retained(port: int, *options: str, seconds: int = 1) -> dict[str, str]:
    """Return all retained messages of a broker by topic, as `mosquitto_sub` prints them."""
    ended = subprocess.run(
        [
            *(program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port), "-t", "#", "-v", "-W", str(seconds)),
            *("--retained-only", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return dict(line.split(" ", 1) for line in ended.stdout.splitlines() if " " in line)
