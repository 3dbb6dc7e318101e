"""Move data one way over several connections, and count what has arrived.

A download counts the bytes of bodies that have arrived here. An upload counts the bytes that the far end has
acknowledged, which the kernel tells (Linux). Elsewhere it counts what the server confirmed with an answer, spread
evenly over the time of each request. Never does it count what was only handed to the system.

A connection that ends is replaced, and what it moved stays counted. If connections are cut again and again, if the
server refuses, or if nothing moves any more, there is no speed: that is Trouble.
"""

import contextlib
import os
import threading
import time
from typing import Literal, NamedTuple, override

from speedtest.http_test import tcp_info
from speedtest.http_test.dialects import LARGEST, Dialect
from speedtest.http_test.route import Route, cut
from speedtest.http_test.trouble import Trouble
from speedtest.http_test.wire import Cut, Wire

CONNECTIONS = 6
MOST_CUTS = 12
"""More connections cut than this, of one direction, are no accident."""
REQUEST_SECONDS = 4.0
"""How long a request should take in the middle; its size follows the speed."""
CONFIRMED_REQUEST_SECONDS = 0.5
"""The same where only confirmed requests count: the shorter they are, the finer the count."""
FINISH_SECONDS = 3.0
"""How long a request that is under way at the end may take to be confirmed."""

_FIRST_DOWN, _FIRST_UP = 1_000_000, 64_000
_LEAST = 64_000
_MOST_GROWTH = 8
_PIECE = 256 * 1024

type Counted = Literal["received", "acknowledged", "confirmed", "reported"]
"""What counts: bytes received here, acknowledged by the far end's kernel, in requests that were answered, or received
there as the server reports."""


class Stretch(NamedTuple):
    """A request that was answered: when it began and ended, on the monotonic clock, and its bytes."""

    began: float
    ended: float
    size: int


class Load:
    """Connections that all move data the same way, from `start` to `stop`."""

    direction: Literal["download", "upload"]
    counted: Counted
    over = False

    def __init__(self, route: Route, dialect: Dialect, connections: int = CONNECTIONS) -> None:
        """Take the server and how many connections to open."""
        self.route = route
        self.dialect = dialect
        self.trouble: Trouble | None = None
        """Why the load came to an end by itself."""
        self.requests = 0
        self.cuts = 0
        self.refreshed = 0
        """How many connections were replaced because the server closed them between two requests."""
        self._connections = connections
        self._carried = 0
        self._wires: set[Wire] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Open the connections and move data.

        Each makes requests of another length, so that they do not all wait for their next answers at once.
        """
        for number in range(self._connections):
            seconds = self._request_seconds() * (0.5 + (number + 1) / self._connections)
            self._threads.append(threading.Thread(target=self._run, args=(seconds,), daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """Cut all connections and wait for their ends. What they moved until now stays counted."""
        self._stopping.set()
        with self._lock:
            for wire in self._wires:
                cut(wire.socket)
        for thread in self._threads:
            thread.join()

    def moved(self) -> int:
        """Return the bytes that have been moved so far, over all connections, also those that have ended."""
        with self._lock:
            return self._carried + sum(map(self._moved_by, self._wires))

    def spans(self) -> list[Stretch]:
        """Return the requests that were answered, where only these count."""
        return []

    def _moved_by(self, wire: Wire) -> int:
        return wire.received

    def _first(self) -> int:
        return _FIRST_DOWN

    def _exchange(self, wire: Wire, size: int) -> tuple[int, bool]:
        """Make one request of about `size` bytes; return how many it was, and whether the server closes."""
        raise NotImplementedError

    def _run(self, request_seconds: float) -> None:
        try:
            while not self._stopping.is_set():
                self._use_one_connection(request_seconds)
        except Trouble as trouble:
            if not self._stopping.is_set():
                self.trouble = self.trouble or trouble

    def _use_one_connection(self, request_seconds: float) -> None:
        wire = Wire(self.route)
        with self._lock:
            self._wires.add(wire)
        size, first = self._first(), True
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                moved, closes = self._exchange(wire, size)
                self.requests += 1
                first = False
                wanted = moved / max(time.monotonic() - began, 0.001) * request_seconds
                size = int(min(max(wanted, _LEAST), moved * _MOST_GROWTH, LARGEST))
                if closes:
                    self.refreshed += 1
                    return
        except Cut as why:
            self._note(why, fresh=first)
        except TimeoutError as error:
            if not self._stopping.is_set():
                raise Trouble("timeout", f"the {self.direction} stalled: one connection waited in vain") from error
        finally:
            self._retire(wire)

    def _note(self, why: Cut, *, fresh: bool) -> None:
        """Count a cut. A connection that ends between two requests is the server's right, and none."""
        if self._stopping.is_set():
            return
        if not why.began and not fresh:
            self.refreshed += 1
            return
        with self._lock:
            self.cuts += 1
            cuts = self.cuts
        if cuts > MOST_CUTS:
            words = f"the {self.direction} was cut {cuts} times ({why}): the server or something on the way ends it"
            raise Trouble("exit", words)

    def _retire(self, wire: Wire) -> None:
        with self._lock:
            self._carried += self._moved_by(wire)
            self._wires.discard(wire)
        wire.close()

    def _request_seconds(self) -> float:
        return REQUEST_SECONDS


class Download(Load):
    """Data from the server."""

    direction = "download"
    counted: Counted = "received"

    @override
    def _exchange(self, wire: Wire, size: int) -> tuple[int, bool]:
        path, exactly = self.dialect.down(size)
        asked = f"GET {path.partition('&')[0]}"
        wire.ask("GET", path)
        response = wire.response()
        wire.check(asked, response)
        wire.drain(asked, response, exactly)
        return exactly, response.closes


class Upload(Load):
    """Data to the server."""

    direction = "upload"

    def __init__(self, route: Route, dialect: Dialect, connections: int = CONNECTIONS, *, confirmed: bool) -> None:
        """Count what the server confirmed if `confirmed`, else what the far end acknowledged."""
        super().__init__(route, dialect, connections)
        self.counted: Counted = "confirmed" if confirmed else "acknowledged"
        self.retransmitted = 0
        self._spans: list[Stretch] = []
        self._data = memoryview(os.urandom(_PIECE))

    @override
    def stop(self) -> None:
        """Also let requests under way be confirmed, where only those count."""
        if self.counted == "confirmed":
            self._stopping.set()
            end = time.monotonic() + FINISH_SECONDS
            for thread in self._threads:
                thread.join(max(end - time.monotonic(), 0))
        super().stop()
        if not self.requests and not self.trouble:
            self.trouble = Trouble("malformed", f"{self.route.authority} confirmed no upload")

    @override
    def spans(self) -> list[Stretch]:
        return list(self._spans) if self.counted == "confirmed" else []

    @override
    def _moved_by(self, wire: Wire) -> int:
        if self.counted == "confirmed":
            return 0
        try:
            return tcp_info.acknowledged(wire.socket)[0]
        except OSError:
            return 0

    @override
    def _retire(self, wire: Wire) -> None:
        if self.counted == "acknowledged":
            with contextlib.suppress(OSError):
                self.retransmitted += tcp_info.acknowledged(wire.socket)[1]
        super()._retire(wire)

    @override
    def _first(self) -> int:
        return _FIRST_UP

    @override
    def _exchange(self, wire: Wire, size: int) -> tuple[int, bool]:
        path = self.dialect.up()
        asked = f"POST {path.partition('?')[0]} with {size} bytes"
        began = time.monotonic()
        wire.ask("POST", path, size)
        broken = self._send(wire, size)
        try:
            response = wire.response()
        except Cut as why:
            raise broken or why from None
        wire.check(asked, response)
        if broken:
            raise broken
        wire.drain(asked, response)
        if self.counted == "confirmed":
            with self._lock:
                self._spans.append(Stretch(began, time.monotonic(), size))
                self._carried += size
        return size, response.closes

    def _send(self, wire: Wire, left: int) -> Cut | None:
        """Send so many bytes. If the connection breaks, return that: the server may have answered before."""
        send, data = wire.socket.send, self._data
        while left:
            try:
                left -= send(data[:left] if left < _PIECE else data)
            except TimeoutError:
                raise
            except (OSError, ValueError) as error:
                return Cut(str(error), began=True)
        return None

    @override
    def _request_seconds(self) -> float:
        return CONFIRMED_REQUEST_SECONDS if self.counted == "confirmed" else REQUEST_SECONDS
