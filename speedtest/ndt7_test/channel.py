"""A WebSocket to an ndt7 server: the handshake, the messages, and the end. The library does what RFC 6455 says.

The socket is ours, so that what has arrived can be counted before a message is whole, and so that the kernel can be
asked what the far end has acknowledged.
"""

import contextlib
import json
import select
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from speedtest.http_test.route import QUIET_SECONDS, Route
from speedtest.http_test.trouble import OK, Trouble, trouble_of
from speedtest.http_test.wire import Cut
from speedtest.version import VERSION

SUBPROTOCOL = Subprotocol("net.measurementlab.ndt.v7")
LARGEST_MESSAGE = 1 << 24
"""The largest message that the protocol allows."""
NORMAL_ENDS = (1000, 1001, 1005)
"""Codes of a goodbye in good order: done, going away, none given (RFC 6455, section 7.4)."""
CLOSE_SECONDS = 1.0
_CHUNK = 256 * 1024
_LONGEST_TEXT = 64 * 1024
_TOO_LARGE = 2**60
_WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Channel:
    """One WebSocket. `received` counts the bytes that have arrived on it, with the heads of frames."""

    def __init__(self, url: str, *, ip_version: int | None, source: str | None) -> None:
        """Connect and shake hands. Raises Trouble, Cut, TimeoutError."""
        parts = urlsplit(url)
        self.route = Route(url, ip_version=ip_version, source=source)
        self.received = 0
        self.told: dict[str, Any] = {}
        """The last measurement that the server has told."""
        self.trips: list[tuple[float, float]] = []
        """When the server told a round trip, on the monotonic clock, and how many ms it was."""
        self.over = False
        """Whether the server has ended the test in good order."""
        self._asked = f"GET {parts.path}"
        self.socket = self.route.open()
        websocket = "wss" if parts.scheme == "https" else "ws"
        self._protocol = ClientProtocol(
            parse_uri(websocket + url[len(parts.scheme) :]), subprotocols=[SUBPROTOCOL], max_size=LARGEST_MESSAGE
        )
        try:
            self._shake_hands()
        except BaseException:
            self.socket.close()
            raise
        self.socket.settimeout(0.0)

    def read(self, seconds: float) -> bool:
        """Read what has arrived, waiting at most so many seconds; False at the end. Raises Trouble, Cut."""
        if not self._wait(seconds, to_write=False):
            return True
        try:
            data = self.socket.recv(_CHUNK)
        except _WAITS:
            return True
        except (OSError, ValueError) as error:
            raise Cut(str(error), began=True) from error
        self.received += len(data)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._take_events()
        self._flush()
        return bool(data) and self._protocol.state is not State.CLOSED

    def write(self, data: memoryview, seconds: float) -> int:
        """Send as much as the system takes, waiting at most so many seconds; return how many bytes. Raises Cut."""
        try:
            return self.socket.send(data)
        except _WAITS:
            self._wait(seconds, to_write=True)
            return 0
        except (OSError, ValueError) as error:
            raise Cut(str(error), began=True) from error

    def end(self) -> None:
        """Say goodbye, and give the server a moment to end the connection first."""
        with contextlib.suppress(Cut, Trouble, OSError):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._flush()
            end = time.monotonic() + CLOSE_SECONDS
            while time.monotonic() < end and self.read(end - time.monotonic()):
                pass
        self.socket.close()

    def _shake_hands(self) -> None:
        self.socket.settimeout(QUIET_SECONDS)
        request = self._protocol.connect()
        request.headers["User-Agent"] = f"speedsnake/{VERSION}"
        self._protocol.send_request(request)
        for data in self._protocol.data_to_send():
            self.socket.sendall(data)
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            try:
                data = self.socket.recv(_CHUNK)
            except TimeoutError:
                raise
            except OSError as error:
                raise Cut(str(error), began=False) from error
            if not data:
                self._protocol.receive_eof()
                break
            self._protocol.receive_data(data)
        if self._protocol.handshake_exc is not None or self._protocol.state is not State.OPEN:
            raise self._refusal(self._protocol.handshake_exc)
        if self._protocol.subprotocol != SUBPROTOCOL:
            raise Trouble("malformed", f"{self.route.authority} answers, but does not speak ndt7")
        self._take_events()

    def _refusal(self, error: Exception | None) -> Exception:
        """Return the trouble with an answer that opens no WebSocket."""
        asked = f"{self._asked} of {self.route.authority}"
        if isinstance(error, InvalidStatus):
            answer: Response = error.response
            headers = {name.lower(): value for name, value in answer.headers.raw_items()}
            found = trouble_of(asked, answer.status_code, headers, bytes(answer.body or b"")[:2048])
            if found and answer.status_code != OK:
                return found
        if error is None or isinstance(error, EOFError):
            return Cut("the server closed the connection", began=False)
        if isinstance(error, InvalidHandshake | ProtocolError | ValueError):
            return Trouble("malformed", f"{asked} opened no WebSocket: {error}")
        return Cut(str(error), began=False)

    def _take_events(self) -> None:
        for event in self._protocol.events_received():
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.TEXT and len(event.data) <= _LONGEST_TEXT:
                self._take(event)
            elif event.opcode is Opcode.CLOSE:
                self._take_goodbye()
        if error := self._protocol.parser_exc:
            if isinstance(error, EOFError):
                raise Cut("the server closed the connection in the middle", began=True)
            raise Trouble("malformed", f"{self.route.authority} sent what is no WebSocket: {error}")
        if self._protocol.state is State.CLOSED and not self.over:
            raise Cut("the server closed the connection in the middle", began=True)

    def _take(self, text: Frame) -> None:
        """Keep a measurement of the server. Anything else is ignored, as the protocol says."""
        try:
            told = json.loads(bytes(text.data))
            info = told.get("TCPInfo") or {}
        except (ValueError, AttributeError, RecursionError):
            return
        if isinstance(info, dict):
            self.told = told
            if (trip := number(info.get("RTT"))) and trip > 0:
                self.trips.append((time.monotonic(), trip / 1000))

    def _take_goodbye(self) -> None:
        goodbye = self._protocol.close_rcvd
        if goodbye and goodbye.code not in NORMAL_ENDS:
            why = f"{goodbye.code} {''.join(filter(str.isprintable, goodbye.reason))}".strip()
            raise Cut(f"the server ended the test in the middle ({why})", began=True)
        self.over = True

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            left = memoryview(data)
            end = time.monotonic() + CLOSE_SECONDS
            while left and time.monotonic() < end:
                left = left[self.write(left, end - time.monotonic()) :]

    def _wait(self, seconds: float, *, to_write: bool) -> bool:
        if isinstance(self.socket, ssl.SSLSocket) and not to_write and self.socket.pending():
            return True
        waiting = select.poll()
        waiting.register(self.socket, select.POLLIN | (select.POLLOUT if to_write else 0))
        return bool(waiting.poll(max(seconds, 0.0) * 1000))


def number(value: object) -> float | None:
    """Return a number that JSON may hold as a float; None if it is none, or too large to be true."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < _TOO_LARGE else None


def prepared(size: int, data: bytes) -> memoryview:
    """Return one binary message of this size, ready to send again and again.

    Its mask stays the same. RFC 6455 wants a new one for each frame, against scripts in a browser that choose what a
    proxy sees; here nobody chooses, and M-Lab's own client prepares its messages too.
    """
    return memoryview(Frame(Opcode.BINARY, data[:size]).serialize(mask=True))


def cut_short(connection: socket.socket) -> None:
    """End a connection at once."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
