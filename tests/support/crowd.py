"""A crowd before the page: slow connections that are held, and honest clients beside them."""

import concurrent.futures
import contextlib
import http.client
import resource
import socket
import threading
import time
from collections.abc import Iterator, Sequence

from daemon import PATIENCE

SLOW = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """Let this process open its side of thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(port: int, said: bytes = b"") -> socket.socket:
    """Connect, and say something."""
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    if said:
        connection.sendall(said)
    return connection


def again(port: int, held: socket.socket | None, said: bytes) -> socket.socket | None:
    """Say one more byte, or connect if there is no connection. Return the connection, None if it has been cut."""
    try:
        if held is None:
            return connect(port, said)
        if said:
            held.sendall(b"x")
    except OSError:
        if held:
            held.close()
        return None
    return held


@contextlib.contextmanager
def holding(port: int, number: int, said: bytes) -> Iterator[None]:
    """Keep this many slow connections: each says a byte a second, and connects again when it is cut."""
    ended = threading.Event()

    def hold(mine: int) -> None:
        held: list[socket.socket | None] = [None] * mine
        while not ended.wait(1):
            held = [again(port, each, said) for each in held]
        for each in filter(None, held):
            each.close()

    threads = [threading.Thread(target=hold, args=[number // 4]) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def status(port: int, path: str) -> int:
    """Ask on a new connection, with a client that costs this process little. Return the status, 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        return answer.status


def honest(port: int, seconds: float, clients: int = 50) -> tuple[list[float], int]:
    """Let honest clients ask for metrics once a second, each time on a new connection.

    Return how long each answer took, shortest first, and how many were no answer or an error.
    """
    until = time.monotonic() + seconds

    def ask(_: int) -> list[tuple[float, bool]]:
        told: list[tuple[float, bool]] = []
        while time.monotonic() < until:
            began = time.monotonic()
            good = status(port, "/metrics") == http.client.OK
            told.append((time.monotonic() - began, good))
            time.sleep(max(0, 1 - told[-1][0]))
        return told

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        told = [each for found in pool.map(ask, range(clients)) for each in found]
    return sorted(seconds for seconds, _ in told), sum(not good for _, good in told)


def p99(took: Sequence[float]) -> float:
    """Return the time in which 99 of 100 answers had arrived. `took` must be in order."""
    return took[len(took) * 99 // 100]
