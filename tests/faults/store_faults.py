"""What can go wrong at an object store and on the way to it, as a proxy before a real one shows it."""

import time

import msgspec
from msgspec.structs import replace
from object_store import Answer, Fault, Forward, ObjectServer, Proxy, Request, refused

TIMEOUT_SECONDS = 0.4
"""How long the client waits for an answer in this harness."""

_STATUS = {
    "429": (429, "TooManyRequests"),
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
    "no right": (403, "AccessDenied"),
    "wrong key": (403, "InvalidAccessKeyId"),
    "wrong secret": (403, "SignatureDoesNotMatch"),
    "expired": (400, "ExpiredToken"),
    "clock off": (403, "RequestTimeTooSkewed"),
    "bucket gone": (404, "NoSuchBucket"),
    "quota": (403, "QuotaExceeded"),
    "full": (507, "InsufficientStorage"),
    "no conditions": (501, "NotImplemented"),
    "bad digest": (400, "BadDigest"),
    "redirect": (301, "PermanentRedirect"),
}
OF_PUTS = ("500 after it was stored", "503 after it was stored", "same there", "another there", "stored damaged")
_OF_GETS = ("truncated", "other bytes")
_OF_BOTH = ("reset", "reset after", "time-out", "time-out after")
KINDS = (*_STATUS, *OF_PUTS, *_OF_GETS, *_OF_BOTH)
FIRST_FILE = 4
_PUTS = (1, 2, 4, 6, 8)


def fits(kind: str, request: int) -> bool:
    """Return whether this fault can happen to this request of a clean run."""
    if kind in OF_PUTS:
        return request in _PUTS and request >= FIRST_FILE
    return kind not in _OF_GETS or request not in _PUTS


class Left(msgspec.Struct):
    """The keys of what a fault has left at the store: damaged objects, and another machine's."""

    damaged: set[str] = set()
    foreign: set[str] = set()


class Store(msgspec.Struct):
    """The store of some cases: the server, the proxy before it, and another machine's file."""

    server: ObjectServer
    proxy: Proxy
    foreign: bytes

    def fault(self, kind: str, first: int, left: Left, *, for_good: bool) -> Fault:
        """Return a fault of the request `first`, or of all from there. What it leaves there is noted in `left`."""

        def answer(request: Request, forward: Forward) -> Answer:
            is_hit = request.number == first or (for_good and request.number > first)
            return self._hit(kind, request, forward, left) if is_hit else forward()

        return answer

    def _hit(self, kind: str, request: Request, forward: Forward, left: Left) -> Answer:
        if kind in _STATUS:
            return refused(*_STATUS[kind])
        if kind in OF_PUTS:
            return self._of_put(kind, request, forward, left)
        is_after = kind.endswith("after") or kind in _OF_GETS
        answer = forward() if is_after else Answer(500)
        if kind in _OF_GETS:
            is_cut = kind == "truncated"
            return replace(answer, cut=is_cut, body=answer.body if is_cut else _flipped(answer.body))
        if kind.startswith("time-out"):
            time.sleep(TIMEOUT_SECONDS * 2)
        return replace(answer, gone=True)

    def _of_put(self, kind: str, request: Request, forward: Forward, left: Left) -> Answer:
        if kind.endswith("after it was stored"):
            forward()
            return refused(int(kind[:3]), "InternalError")
        is_file = request.method == "PUT" and ".probe" not in request.key
        is_new = is_file and request.key not in self.server.keys(request.key.rpartition("/")[0])
        if is_new and kind == "same there":
            forward()
        elif is_new and kind == "another there" and not left.foreign:
            left.foreign.add(request.key)  # one machine delivers its rows once
            self.server.put(request.key, self.foreign)
        elif is_new and kind == "stored damaged":
            self.server.put(request.key, _flipped(request.body))
            left.damaged.add(request.key)
            return Answer(200, b"", {"ETag": '"0"'})
        return forward()


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else b"x"
