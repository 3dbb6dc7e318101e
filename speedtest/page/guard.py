"""Who may see the page: the password, how often it may be guessed, and the name that the page is called by.

Without a password a page of this machine must not be readable through a name that somebody else's server gave it (DNS
rebinding), so it answers to addresses and to names that no public name server can hold.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_TO_ALL = ("/healthz",)
MOST_WRONG = 10
WITHIN_SECONDS = 60.0
_MOST_ADDRESSES = 4096
_LOCAL_ENDINGS = (".localhost", ".local", ".lan", ".internal", ".home.arpa")
_REALM = {"WWW-Authenticate": 'Basic realm="SpeedSnake", charset="UTF-8"'}


class Guesses:
    """Wrong passwords by address, the latest of a minute; of the addresses too only so many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has guessed yet."""
        self._clock = clock
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def __len__(self) -> int:
        """Return of how many addresses wrong ones are known."""
        return len(self._wrong)

    def wait(self, address: str) -> float:
        """Return how many seconds an address has to wait, 0 for one that may try."""
        wrong = self._wrong.get(address, [])
        return max(0.0, wrong[0] + WITHIN_SECONDS - self._clock()) if len(wrong) >= MOST_WRONG else 0.0

    def add(self, address: str) -> None:
        """Count a wrong one."""
        self._wrong[address] = [*self._wrong.pop(address, []), self._clock()][-MOST_WRONG:]
        if len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)


class Guard:
    """Lets requests pass to the page that may see it, and answers the others."""

    def __init__(self, app: ASGIApp, password: str | None) -> None:
        """Ask for this password, whatever the user's name; for none if there is none."""
        self._app = app
        self._digest = None if password is None else _digest(password.encode())
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refused = self._refusal(scope) if scope["type"] == "http" and scope["path"] not in OPEN_TO_ALL else None
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._digest is None:
            return None if is_local(headers.get("host", "")) else _misdirected()
        address = network(scope["client"][0] if scope.get("client") else "")
        if wait := self._guesses.wait(address):
            words = f"too many wrong passwords came from {address}: try again in {wait:.0f} s\n"
            return _said(HTTPStatus.TOO_MANY_REQUESTS, words, {"Retry-After": f"{wait + 1:.0f}"})
        given = headers.get("authorization")
        if given is not None and hmac.compare_digest(_digest(_password(given)), self._digest):
            return None
        if given is not None:
            self._guesses.add(address)
        return _said(HTTPStatus.UNAUTHORIZED, "this page asks for its password, with any user name\n", _REALM)


def is_local(host: str) -> bool:
    """Say whether a Host header names an address, or a name that nobody in the internet can hold."""
    name = host.rpartition("]")[0].removeprefix("[") or host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_LOCAL_ENDINGS)
    return True


def network(address: str) -> str:
    """Return what stands for one caller: an IPv4 address, or the /64 that an IPv6 address lies in."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 6 and known.ipv4_mapped:  # noqa: PLR2004 (IPv6)
        return str(known.ipv4_mapped)
    return address if known.version == 4 else str(ipaddress.ip_network(f"{known}/64", strict=False))  # noqa: PLR2004


def _password(authorization: str) -> bytes:
    """Return the password in a header of HTTP Basic, an impossible one for what is none."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        _, colon, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        colon, password = b"", b""
    return password if scheme.lower() == "basic" and colon else b"\n"


def _digest(password: bytes) -> bytes:
    """Return what is compared, of one length for all."""
    return hashlib.sha256(password).digest()


def _misdirected() -> Response:
    words = (
        "this page has no password, so it answers only to an address or a name of the local network (DNS rebinding): "
        "call it by its address, or set PAGE_PASSWORD\n"
    )
    return _said(HTTPStatus.MISDIRECTED_REQUEST, words, {})


def _said(status: HTTPStatus, words: str, headers: dict[str, str]) -> Response:
    return PlainTextResponse(words, status, headers)
