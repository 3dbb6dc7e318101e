"""The connections of the page: how many there may be, how long each may take, and which is cut if there are too many.

uvicorn has no time limit for headers, and at its limit, for which idle connections count, it refuses every request.
Here a connection waits in the kernel's queue until there is room for it. Room is made by cutting the one that has
waited for its client for the longest time. A connection whose request is being answered is never cut.
"""

import asyncio
import errno
import resource
import socket
import time
from collections import OrderedDict
from typing import Literal, override

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from speedtest.logging import Events

MOST_CONNECTIONS = 512
REQUEST_SECONDS = 10.0
"""A whole request, with its body, must arrive within this time."""
IDLE_SECONDS = 15.0
"""A connection may wait this long for its next request."""
READ_SECONDS = 60.0
"""An answer must be read within this time."""
_SPARED_SECONDS = 0.2
"""A connection as young as this is not cut: its request may be on the way."""
_LOOKED_SECONDS, _FULL_SECONDS, _TOLD_SECONDS = 0.5, 0.02, 60.0
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

events = Events(__name__)

type State = Literal["reading", "answering", "idle"]


def most_connections() -> int:
    """Return how many connections there may be: at most half of the files that this process may open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if limit == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, limit // 2))


class Connections:
    """All connections by state, the one that is in it for the longest time first."""

    def __init__(self, most: int) -> None:
        """Allow this many."""
        self._most = most
        self._states: dict[State, OrderedDict[Connection, float]] = {
            "reading": OrderedDict(),
            "answering": OrderedDict(),
            "idle": OrderedDict(),
        }
        self.cut = 0
        """How many have been cut so far."""

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(map(len, self._states.values()))

    def move(self, connection: "Connection", state: State) -> None:
        """Note the state of a connection, and since when if it is another one than before."""
        if connection not in self._states[state]:
            self.remove(connection)
            self._states[state][connection] = time.monotonic()

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that has ended."""
        for members in self._states.values():
            members.pop(connection, None)

    def make_room(self) -> bool:
        """Return whether there is room for another. If not, cut one of those that wait for their client."""
        if len(self) < self._most:
            return True
        waiting = max(self._states["reading"], self._states["idle"], key=len)
        connection, since = next(iter(waiting.items()), (None, 0.0))
        if connection and time.monotonic() - since >= _SPARED_SECONDS:
            self.cut += 1
            self.remove(connection)
            connection.transport.abort()
        return len(self) < self._most

    def end_slow(self) -> None:
        """End every connection that has taken too long."""
        now = time.monotonic()
        for connection, since in list(self._states["reading"].items()):
            if now - since >= REQUEST_SECONDS:
                self.cut += 1
                connection.refuse_slow()
        for connection, since in list(self._states["idle"].items()):
            if now - since >= (READ_SECONDS if connection.transport.get_write_buffer_size() else IDLE_SECONDS):
                connection.transport.abort()


class Connection(H11Protocol):
    """One connection: uvicorn's, which says what it waits for."""

    def __init__(self, connections: Connections, config: uvicorn.Config, state: ServerState) -> None:
        """Take part in `connections`."""
        super().__init__(config, state, {})
        self._all = connections
        self._said_something = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._all.move(self, "reading")

    @override
    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self._said_something = True
            super().data_received(data)
            self._note()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._all.remove(self)

    def refuse_slow(self) -> None:
        """End a connection whose request did not arrive in time. A client that said nothing is told nothing."""
        if self.transport.is_closing():
            self.transport.abort()
            return
        if self._said_something and self.cycle is None:
            self.transport.write(_TOO_SLOW)
        self.transport.close()

    def _note(self) -> None:
        is_partial = bool(self.conn.trailing_data[0]) or self.conn.their_state is h11.SEND_BODY
        if self.cycle and not self.cycle.response_complete:
            self._all.move(self, "answering")
        elif is_partial or self.cycle is None:
            self._all.move(self, "reading")
        else:
            self._all.move(self, "idle")


class Server(uvicorn.Server):
    """uvicorn's server, which accepts a connection only when there is room for it."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        """Serve what connects to the listener."""
        super().__init__(config)
        self._listener = listener
        self._connections = Connections(most_connections())
        self._work: list[asyncio.Task[None]] = []

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        self._listener.settimeout(0)
        self._work = [asyncio.create_task(self._accept()), asyncio.create_task(self._look())]

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._work:
            task.cancel()
        self._listener.close()
        await super().shutdown(sockets)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._connections.make_room():
                await asyncio.sleep(_FULL_SECONDS)
                continue
            try:
                accepted, _ = await loop.sock_accept(self._listener)
                await loop.connect_accepted_socket(self._connection, accepted)
            except OSError as error:
                await self._refused(error)
            await asyncio.sleep(0)  # lets those that are connected be read, so that they are not the ones to be cut

    def _connection(self) -> Connection:
        return Connection(self._connections, self.config, self.server_state)

    async def _refused(self, error: OSError) -> None:
        """Wait until there may be room again, if that is why a connection could not be accepted."""
        if error.errno in _FULL:
            events.warning("page_crowded", "no connection could be accepted: %s; raise the limit", error.strerror)
            await asyncio.sleep(1)

    async def _look(self) -> None:
        """End slow connections, and say once a minute how many were cut."""
        told, when = 0, 0.0
        while True:
            await asyncio.sleep(_LOOKED_SECONDS)
            self._connections.end_slow()
            if self._connections.cut > told and time.monotonic() - when >= _TOLD_SECONDS:
                number = self._connections.cut - told
                events.warning("page_crowded", "%d slow or idle connections were cut", number, connections=number)
                told, when = self._connections.cut, time.monotonic()


def run(listener: socket.socket, config: uvicorn.Config) -> None:
    """Answer requests until the process is stopped."""
    Server(config, listener).run()
