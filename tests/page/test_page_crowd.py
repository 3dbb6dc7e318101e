"""The page under more connections than it can hold: slow ones, idle ones, and more than it may open files."""

import contextlib
import json
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import crowd
import httpx
import pytest
from crowd import SLOW, holding, honest, many_files
from daemon import PATIENCE
from pages import Page, days_until_now, lake, serving

from speedtest.page.connections import REQUEST_SECONDS

LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}))
runpy.run_module("speedtest.handlers.page", run_name="__main__")
"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with serving(lake(tmp_path, days_until_now(1))) as page:
        yield page


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    with many_files():
        yield


def connect(page: Page, said: bytes = b"") -> socket.socket:
    return crowd.connect(port(page), said)


def port(page: Page) -> int:
    return page.client.base_url.port or 0


@pytest.mark.slow
@pytest.mark.alone
def test_a_request_that_does_not_arrive_is_ended_however_busy_its_client_looks(page: Page) -> None:
    began = time.monotonic()
    slow, silent = connect(page, SLOW), connect(page)
    body = connect(page, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    said = {"slow": b"", "silent": b"", "body": b""}
    for name, each in (("slow", slow), ("silent", silent), ("body", body)):
        each.settimeout(0.2)
        while not is_ended(each, name, said) and time.monotonic() - began < REQUEST_SECONDS + 5:
            pass
        each.close()
    assert said["slow"].startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < REQUEST_SECONDS + 5
    assert said["silent"] == b""
    assert said["body"].startswith(b"HTTP/1.1 200 ")


def is_ended(connection: socket.socket, name: str, said: dict[str, bytes]) -> bool:
    """Say one more byte, unless it is the silent one; keep the answer; return whether the other side has ended."""
    try:
        if name != "silent":
            connection.sendall(b"x")
        said[name] += (got := connection.recv(1000))
    except TimeoutError:
        return False
    except OSError:
        return True
    return not got


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("said", [b"", SLOW, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_idle_connections_shut_nobody_out(page: Page, said: bytes) -> None:
    held = [connect(page, said) for _ in range(700)]
    with contextlib.ExitStack() as stack:
        for each in held:
            stack.enter_context(each)
        assert [httpx.get(f"{page.address}{path}").status_code for path in ("/healthz", "/metrics", "/")] == [200] * 3


@pytest.mark.slow
@pytest.mark.alone
def test_a_thousand_at_once_are_all_answered(page: Page) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    held = [connect(page, request) for _ in range(1000)]
    answers = [each.makefile("rb").read() for each in held]
    for each in held:
        each.close()
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 1000


@pytest.mark.slow
@pytest.mark.alone
def test_a_thousand_slow_connections_delay_nobody(page: Page, record_property: Callable[[str, object], None]) -> None:
    with holding(port(page), 1000, SLOW):
        took, errors = honest(port(page), 60)
    p99 = crowd.p99(took)
    record_property("p99", p99)
    print(f"{len(took)} answers, median {statistics.median(took):.3f} s, p99 {p99:.3f} s, longest {took[-1]:.3f} s")  # noqa: T201 (the figure)
    assert errors == 0
    assert len(took) > 50 * 30
    assert p99 <= 1
    assert len(page.stderr.splitlines()) < 20


@pytest.mark.slow
@pytest.mark.alone
def test_more_connections_than_files_fill_no_log(tmp_path: Path) -> None:
    with serving(lake(tmp_path, days_until_now(1)), "-c", LIMITED.format(1024)) as page:
        with holding(port(page), 1200, b""):
            took, errors = honest(port(page), 10, clients=5)
        assert errors == 0
        assert took[-1] <= 2
        assert len(page.stderr) < 10_000


@pytest.mark.slow
@pytest.mark.alone
def test_without_a_file_to_open_it_says_so_a_few_times_and_recovers(tmp_path: Path) -> None:
    with serving(lake(tmp_path, days_until_now(1)), "-c", LIMITED.format(1024)) as page:
        assert page.get("/healthz").status_code == 200
        resource.prlimit(page.process.pid, resource.RLIMIT_NOFILE, (8, 1024))
        held = [connect(page) for _ in range(20)]
        time.sleep(3)
        resource.prlimit(page.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        assert httpx.get(f"{page.address}/healthz", timeout=PATIENCE).status_code == 200
        for each in held:
            each.close()
        events = [json.loads(line)["event"] for line in page.stderr.splitlines()]
        assert 1 <= events.count("page_crowded") <= 5


def test_requests_that_are_none_are_not_logged_each(page: Page) -> None:
    for _ in range(50):
        with connect(page, b"\x00\r\n\r\n") as each:
            assert each.makefile("rb").read().startswith(b"HTTP/1.1 400 ")
    assert len(page.stderr.splitlines()) < 12
