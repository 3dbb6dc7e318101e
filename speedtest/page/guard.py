"""Who may see the page: the password, the limit on wrong passwords, and the host names that the page answers to.

A stranger's web site can give its own name the address of this machine, and so read the page through a browser (DNS
rebinding). Without a password the page therefore answers only to addresses, to names that are not in public DNS, and to
the names in PAGE_ALLOWED_HOSTS.
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

from speedtest.values import hosts

OPEN_TO_ALL = ("/healthz",)
MOST_WRONG = 10
WITHIN_SECONDS = 60.0
_MOST_ADDRESSES = 4096
_LOCAL_ENDINGS = (".localhost", ".local", ".lan", ".internal", ".home.arpa")
_REALM = {"WWW-Authenticate": 'Basic realm="SpeedSnake", charset="UTF-8"'}


class Guesses:
    """The latest `MOST_WRONG` wrong passwords of each address, and only the latest `_MOST_ADDRESSES` addresses."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any wrong password."""
        self._clock = clock
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of addresses with wrong passwords."""
        return len(self._wrong)

    def wait(self, address: str) -> float:
        """Return how many seconds an address must wait, 0 if it may try now."""
        wrong = self._wrong.get(address, [])
        return max(0.0, wrong[0] + WITHIN_SECONDS - self._clock()) if len(wrong) >= MOST_WRONG else 0.0

    def add(self, address: str) -> None:
        """Count a wrong password of an address."""
        self._wrong[address] = [*self._wrong.pop(address, []), self._clock()][-MOST_WRONG:]
        if len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)


class Guard:
    """Passes a request on if it may see the page, and refuses it otherwise."""

    def __init__(self, app: ASGIApp, password: str | None, allowed_hosts: tuple[str, ...] = ()) -> None:
        """Ask for this password, with any user name. None: answer only to local names and to `allowed_hosts`."""
        self._app, self._allowed = app, allowed_hosts
        self._digest = None if password is None else _digest(password.encode())
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refused = self._refusal(scope) if scope["type"] == "http" and scope["path"] not in OPEN_TO_ALL else None
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._digest is None:
            host = headers.get("host", "")
            return None if is_local(host) or hosts.is_among(_name(host), self._allowed) else _misdirected()
        address = network(scope["client"][0] if scope.get("client") else "")
        if wait := self._guesses.wait(address):
            words = f"too many wrong passwords from {address}: try again in {wait:.0f} s\n"
            return _said(HTTPStatus.TOO_MANY_REQUESTS, words, {"Retry-After": f"{wait + 1:.0f}"})
        given = headers.get("authorization")
        if given is not None and hmac.compare_digest(_digest(_password(given)), self._digest):
            return None
        if given is not None:
            self._guesses.add(address)
        return _said(HTTPStatus.UNAUTHORIZED, "this page needs a password: send it with any user name\n", _REALM)


def is_local(host: str) -> bool:
    """Return whether a Host header has an address, or a name that cannot be in public DNS."""
    name = _name(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_LOCAL_ENDINGS)
    return True


def _name(host: str) -> str:
    """Return the name or the address in a Host header, without its port, as names are compared."""
    return host.rpartition("]")[0].removeprefix("[") or hosts.plain(host.partition(":")[0])


def network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 6 and known.ipv4_mapped:  # noqa: PLR2004 (IPv6)
        return str(known.ipv4_mapped)
    return address if known.version == 4 else str(ipaddress.ip_network(f"{known}/64", strict=False))  # noqa: PLR2004


def _password(authorization: str) -> bytes:
    """Return the password in an HTTP Basic header, or a password that is never right if there is none."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        _, colon, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        colon, password = b"", b""
    return password if scheme.lower() == "basic" and colon else b"\n"


def _digest(password: bytes) -> bytes:
    """Return a digest, so that all compared values have the same length."""
    return hashlib.sha256(password).digest()


def _misdirected() -> Response:
    words = (
        "this page has no password, so it answers only to addresses and local names (against DNS rebinding): "
        "open it by its address, name this host in PAGE_ALLOWED_HOSTS, or set PAGE_PASSWORD\n"
    )
    return _said(HTTPStatus.MISDIRECTED_REQUEST, words, {})


def _said(status: HTTPStatus, words: str, headers: dict[str, str]) -> Response:
    return PlainTextResponse(words, status, headers)
