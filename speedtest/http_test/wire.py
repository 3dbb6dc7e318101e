"""One connection that speaks HTTP/1.1 as far as a speed test needs it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from speedtest.http_test.route import QUIET_SECONDS, Route
from speedtest.http_test.trouble import Trouble, trouble_of
from speedtest.version import VERSION

_LONGEST_HEAD = 32 * 1024
_LONGEST_LINE = 1024
_LONGEST_SIZE = 16
"""Digits of the length of a chunk."""
_BEGIN = 2048
"""The most bytes of a body that is read for its words."""
_BEGIN_SECONDS = 1.0
_CHUNK = 256 * 1024
_STATUS = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: |\r?\n|$)")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\r?")
_INTERIM = range(100, 200)
_WITHOUT_BODY = (204, 304)


class Cut(Exception):
    """The connection ended in the middle. `began` is whether an answer had begun."""

    def __init__(self, words: str, *, began: bool) -> None:
        """Take the words."""
        self.began = began
        super().__init__(words)


class Response(NamedTuple):
    """The head of an answer."""

    status: int
    headers: dict[str, str]
    length: int | None
    """The length of the body; None if only its end tells it."""
    chunked: bool
    closes: bool
    """Whether the server closes the connection after it."""


class Wire:
    """One connection. `received` counts the bytes of bodies as they arrive."""

    def __init__(self, route: Route) -> None:
        """Open the connection. Raises Trouble."""
        self.route = route
        self.received = 0
        self.socket = route.open()
        self._rest = b""
        self._buffer = memoryview(bytearray(_CHUNK))

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def renew(self) -> None:
        """Open a new connection in place of this one. Raises Trouble."""
        self.socket.close()
        self._rest = b""
        self.socket = self.route.open()

    def ask(self, method: str, path: str, length: int | None = None) -> None:
        """Send the head of a request. Raises Cut."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.route.authority}",
            f"User-Agent: speedsnake/{VERSION}",
            "Accept: */*",
            "Accept-Encoding: identity",
            "Cache-Control: no-store",
        ]
        if self.route.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.route.cookies.items()))
        if length is not None:
            lines += ["Content-Type: application/octet-stream", f"Content-Length: {length}"]
        try:
            self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        except TimeoutError:
            raise
        except OSError as error:
            raise Cut(str(error), began=False) from error

    def response(self) -> Response:
        """Read the head of the next answer. Raises Cut, Trouble, TimeoutError."""
        while True:
            head = self._head()
            found = self._parsed(head)
            if found.status not in _INTERIM:
                return found

    def check(self, asked: str, response: Response) -> None:
        """Raise Trouble if this is not an answer of a speed test."""
        name = f"{asked} of {self.route.authority}"
        begin = b""
        if response.status != 200 or "html" in response.headers.get("content-type", ""):  # noqa: PLR2004 (OK)
            begin = self._begin(response)
        if trouble := trouble_of(name, response.status, response.headers, begin):
            raise trouble

    def drain(self, asked: str, response: Response, expected: int | None = None) -> None:
        """Read the body to its end. Raises Cut; Trouble if it is not as long as `expected`."""
        if response.length is not None:
            if expected not in (None, response.length):
                raise _lie(asked, expected, response.length)
            self._exactly(response.length)
        elif response.chunked:
            before = self.received
            for size in self._chunks():
                if expected is not None and self.received - before + size > expected:
                    raise _lie(asked, expected, self.received - before + size)
                self._exactly(size)
            if expected not in (None, self.received - before):
                raise _lie(asked, expected, self.received - before)
        else:
            self._to_the_end(expected)

    def text(self, response: Response, most: int) -> bytes | None:
        """Return a body of at most so many bytes; None if it is longer or has no length. Raises Cut."""
        if response.length is None or response.length > most:
            return None
        while len(self._rest) < response.length:
            self._more(began=True)
        body, self._rest = self._rest[: response.length], self._rest[response.length :]
        return body

    def body(self, response: Response, most: int) -> bytes:
        """Return a body of at most so many bytes, however its length is told. Raises Cut, Trouble."""
        if response.length is None and not response.chunked:
            return self._rest_of_stream(most)
        body = b""
        for size in self._chunks() if response.length is None else (response.length,):
            if len(body) + size > most:
                raise Trouble("malformed", f"{self.route.authority} sent a body of more than {most} bytes")
            while len(self._rest) < size:
                self._more(began=True)
            body, self._rest = body + self._rest[:size], self._rest[size:]
        return body

    def _rest_of_stream(self, most: int) -> bytes:
        while size := self._receive(_CHUNK):
            self._rest += self._buffer[:size]
            if len(self._rest) > most:
                raise Trouble("malformed", f"{self.route.authority} sent a body of more than {most} bytes")
        return self._rest

    def _exactly(self, left: int) -> None:
        taken = self._rest[:left]
        self._rest = self._rest[len(taken) :]
        left -= len(taken)
        self.received += len(taken)
        while left:
            size = self._receive(min(left, _CHUNK))
            if not size:
                raise Cut(f"{left} bytes were missing", began=True)
            left -= size
            self.received += size

    def _to_the_end(self, expected: int | None) -> None:
        self.received += len(self._rest)
        count, self._rest = len(self._rest), b""
        while size := self._receive(_CHUNK):
            self.received += size
            count += size
            if expected is not None and count > expected:
                break
        if expected is not None and count < expected:
            raise Cut(f"{expected - count} bytes were missing", began=True)

    def _chunks(self) -> Iterator[int]:
        """Yield the size of each chunk of a body; the caller reads it before the next."""
        while True:
            line = self._line().partition(b";")[0].strip()
            try:
                is_size = len(line) <= _LONGEST_SIZE and not line.startswith((b"+", b"-"))
                size = int(line, 16) if is_size else -1
            except ValueError:
                size = -1
            if size < 0:
                raise Trouble("malformed", f"{self.route.authority} sent a chunk without a length: {line[:40]!r}")
            if not size:
                while self._line().strip():
                    pass
                return
            yield size
            self._line()

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            if len(self._rest) > _LONGEST_LINE:
                raise Trouble("malformed", f"{self.route.authority} sent a line without an end")
            self._more(began=True)
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _head(self) -> bytes:
        while (end := re.search(rb"\r?\n\r?\n", self._rest)) is None:
            if not _could_be_http(self._rest) or len(self._rest) > _LONGEST_HEAD:
                raise Trouble("malformed", f"{self.route.authority} does not speak HTTP: {self._rest[:40]!r}")
            self._more(began=bool(self._rest))
        head, self._rest = self._rest[: end.start()], self._rest[end.end() :]
        return head

    def _more(self, *, began: bool) -> None:
        size = self._receive(_CHUNK, began=began)
        if not size:
            raise Cut("the server closed the connection", began=began)
        self._rest += self._buffer[:size]

    def _receive(self, most: int, *, began: bool = True) -> int:
        """Receive into the buffer; return how many bytes, 0 at the end of the stream."""
        try:
            return self.socket.recv_into(self._buffer, most)
        except TimeoutError:
            raise
        except (OSError, ValueError) as error:  # SSLSocket raises ValueError once it is shut down
            raise Cut(str(error), began=began) from error

    def _parsed(self, head: bytes) -> Response:
        status = _STATUS.match(head)
        if not status:
            raise Trouble("malformed", f"{self.route.authority} does not speak HTTP: {head[:40]!r}")
        headers: dict[str, str] = {}
        lengths: set[str] = set()
        for line in head.decode("latin-1").split("\n")[1:]:
            found = _HEADER.fullmatch(line)
            if not found:
                continue
            name, value = found[1].lower(), found[2]
            headers[name] = value
            if name == "set-cookie":
                self.route.keep_cookie(value)
            elif name == "content-length":
                lengths.add(value)
        code = int(status[2])
        chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        closes = "close" in headers.get("connection", "").lower() or status[1] == b"0"
        length = 0 if code in _INTERIM or code in _WITHOUT_BODY else None if chunked else self._length(lengths)
        return Response(code, headers, length, chunked, closes or (length is None and not chunked))

    def _length(self, lengths: set[str]) -> int | None:
        if not lengths:
            return None
        (text, *others) = lengths
        if others or not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 (2^63)
            raise Trouble("malformed", f"{self.route.authority} sent an impossible length: {', '.join(lengths)[:60]}")
        return int(text)

    def _begin(self, response: Response) -> bytes:
        """Return how the body begins, as far as it arrives without a long wait. It is not taken from the stream."""
        wanted = _BEGIN if response.length is None else min(response.length, _BEGIN)
        self.socket.settimeout(_BEGIN_SECONDS)
        try:
            while len(self._rest) < wanted and not (response.chunked and self._rest.startswith(b"0\r\n")):
                self._more(began=True)
        except (Cut, TimeoutError):
            pass
        finally:
            self.socket.settimeout(QUIET_SECONDS)
        begin = self._rest[:wanted]
        return begin.partition(b"\n")[2].strip() if response.chunked else begin


def _could_be_http(begin: bytes) -> bool:
    return begin[:5] == b"HTTP/"[: len(begin[:5])]


def _lie(asked: str, expected: int | None, length: int) -> Trouble:
    return Trouble("malformed", f"{asked} was answered with {length} bytes in place of {expected}")
