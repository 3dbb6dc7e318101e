"""`speedsnake serve-test` answers speed tests, within bounds, and only on loopback unless it is told otherwise."""

import http.client
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme
from attempts import SECOND, attempt
from command import speedsnake
from daemon import PATIENCE, start, until, variables


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[str]:
    """Run the command during the block; yield where it listens."""
    process = start(folder, "serve_test", "--port", "0", *arguments, environment=variables(folder))
    try:
        told = folder / "stdout"
        until(lambda: told.exists() and told.read_text().endswith("/\n"), "address")
        yield told.read_text().split()[-1]
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(url.split("/")[2], timeout=PATIENCE)


def status(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
    with closing(connect(url)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        with connection.getresponse() as response:
            return response.status


@pytest.mark.slow
def test_the_engine_measures_against_it_with_and_without_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trusted = {"SPEEDTEST_CA_FILE": str(tmp_path / "ca.pem")} | SECOND
    for arguments, tls in (((), None), (("--certificate", str(tmp_path / "server.pem")), "TLSv1.3")):
        with serving(tmp_path / str(tls), *arguments) as url:
            row = attempt(tmp_path / "http", "http", lambda target: target, None, SPEEDTEST_SERVER=url, **trusted)
        assert (row.status, row.error, row.raw["tls"]) == ("ok", None, tls)
        assert url.startswith("https://127.0.0.1:" if tls else "http://127.0.0.1:")


def test_what_is_too_large_or_no_request_of_a_speed_test_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        assert status(url, "GET", "/__down?bytes=1000") == 200
        assert status(url, "GET", "/__down") == 200
        assert status(url, "POST", "/__up", b"x" * 100_000) == 200
        assert status(url, "GET", "/__down?bytes=100000001") == 403
        assert status(url, "GET", "/__down?bytes=-1") == 400
        assert status(url, "GET", "/__down?bytes=" + "9" * 40) == 400
        assert status(url, "POST", "/__up", b"", Content_Length="100000001") == 413
        assert status(url, "POST", "/__up", b"", Content_Length="many") == 411
        assert status(url, "POST", "/__up", b"0\r\n\r\n", Transfer_Encoding="chunked") == 411
        assert status(url, "GET", "/etc/passwd") == 404
        assert status(url, "POST", "/__down", b"x") == 404
        assert status(url, "DELETE", "/__down") == 501


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_no_url_is_answered_too(tmp_path: Path, method: str) -> None:
    with serving(tmp_path) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2][:-1]))) as wire:
        wire.sendall(f"{method} http://[:: HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        assert wire.recv(1000).startswith(b"HTTP/1.1 404 ")


def test_a_body_has_the_length_that_was_asked_for_and_does_not_compress(tmp_path: Path) -> None:
    with serving(tmp_path) as url, closing(connect(url)) as connection:
        for size in (0, 1, 1_000_000):
            connection.request("GET", f"/__down?bytes={size}")
            body = connection.getresponse().read()
            assert len(body) == size
    assert len(set(body[:10_000])) == 256


def test_one_connection_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    with serving(tmp_path, "--connections", "1") as url, closing(connect(url)) as first:
        first.request("GET", "/__down?bytes=0")
        assert first.getresponse().read() == b""
        with closing(connect(url)) as second:
            second.request("GET", "/__down?bytes=0")
            with second.getresponse() as refused:
                assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        row = attempt(tmp_path / "http", "http", lambda target: target, None, SPEEDTEST_SERVER=url)
        assert (row.status, row.error_kind) == ("failed", "server-busy")


def test_mistakes_end_it_with_the_usual_codes(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = speedsnake(tmp_path, "serve-test", "--port", str(taken.getsockname()[1]))
        assert (ended.returncode, "choose another --port" in ended.stderr) == (75, True)
    ended = speedsnake(tmp_path, "serve-test", "--host", "192.0.2.77")
    assert (ended.returncode, "must be an address of this machine" in ended.stderr) == (78, True)
    ended = speedsnake(tmp_path, "serve-test", "--certificate", str(tmp_path / "none.pem"))
    assert (ended.returncode, "a chain and its key" in ended.stderr) == (78, True)
    assert speedsnake(tmp_path, "serve-test", "--port", "65536").returncode == 64


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists its sockets in /proc")
def test_it_listens_on_loopback_only_unless_told_otherwise(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        port = int(url.split(":")[2].strip("/"))
        listening = Path("/proc/net/tcp").read_text(encoding="ascii")
        assert f"0100007F:{port:04X} 00000000:0000 0A" in listening
        assert f"00000000:{port:04X} 00000000:0000 0A" not in listening
