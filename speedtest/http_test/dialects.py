"""The requests that servers of speed tests understand, and how to find out which of them a server speaks."""

import secrets
from typing import NamedTuple, Protocol

from speedtest.http_test.route import Route
from speedtest.http_test.trouble import Trouble
from speedtest.http_test.wire import Wire

MEBIBYTE = 1 << 20
LARGEST = 25_000_000
"""The most bytes of one request. Cloudflare refuses 10^8 with 403."""

_REDIRECTIONS = (301, 302, 303, 307, 308)
_MOST_REDIRECTIONS = 3
_NOT_THERE = (404, 405, 410, 501)


class Dialect(Protocol):
    """The paths of the requests."""

    @property
    def name(self) -> str:
        """Which dialect it is."""
        ...

    def down(self, size: int) -> tuple[str, int]:
        """Return the path that about `size` bytes are downloaded from, and how many exactly."""
        ...

    def up(self) -> str:
        """Return the path that any number of bytes can be posted to."""
        ...

    def ping(self) -> str:
        """Return the path of the smallest answer."""
        ...


class Cloudflare(NamedTuple):
    """`GET /__down?bytes=N` and `POST /__up`."""

    base: str
    name: str = "cloudflare"

    def down(self, size: int) -> tuple[str, int]:
        """Ask for exactly so many bytes."""
        return f"{self.base}__down?bytes={size}", size

    def up(self) -> str:
        """Post to the other path."""
        return f"{self.base}__up"

    def ping(self) -> str:
        """Ask for no bytes."""
        return f"{self.base}__down?bytes=0"


class LibreSpeed(NamedTuple):
    """`garbage.php`, whose unit is MiB, and `empty.php`. A random number keeps caches out."""

    base: str
    name: str = "librespeed"

    def down(self, size: int) -> tuple[str, int]:
        """Ask for whole MiB, at least one."""
        count = max(1, min(size, LARGEST) // MEBIBYTE)
        return f"{self.base}garbage.php?ckSize={count}&r={_chance()}", count * MEBIBYTE

    def up(self) -> str:
        """Post to the empty page."""
        return f"{self.base}empty.php?r={_chance()}"

    def ping(self) -> str:
        """Ask for the empty page."""
        return f"{self.base}empty.php?r={_chance()}"


class Found(NamedTuple):
    """A server that speaks one of the dialects, and a warm connection to it."""

    route: Route
    dialect: Dialect
    wire: Wire


def find(route: Route) -> Found:
    """Ask a server which dialect it speaks. Follows redirections on the same host. Raises Trouble, Cut."""
    wire = Wire(route)
    for _ in range(_MOST_REDIRECTIONS + 1):
        for dialect in _candidates(route.base):
            wire.ask("GET", dialect.ping())
            asked = f"GET {dialect.ping().partition('?')[0]}"
            response = wire.response()
            if response.status in _REDIRECTIONS and (further := _further(route, response.headers.get("location", ""))):
                wire.close()
                route, wire = further, Wire(further)
                break
            if response.status not in _NOT_THERE:
                wire.check(asked, response)
                wire.drain(asked, response, expected=0)
                if response.closes:
                    wire.renew()
                return Found(route, dialect, wire)
            if response.closes or wire.text(response, MEBIBYTE) is None:
                wire.renew()
        else:
            wire.close()
            raise Trouble(
                "malformed",
                f"{route.url} is no speed-test server: it knows neither __down nor empty.php; "
                "SPEEDTEST_SERVER must be the URL of the folder that these are in",
            )
    raise Trouble("malformed", f"{route.url} redirects in a circle")


def _candidates(base: str) -> list[Dialect]:
    return [Cloudflare(base), LibreSpeed(base), LibreSpeed(f"{base}backend/")]


def _further(route: Route, location: str) -> Route | None:
    """Return the way to where a redirection leads on the same host, such as from http to https; else None."""
    try:
        further = route.elsewhere(location.partition("?")[0])
    except ValueError:
        return None
    moved = (further.scheme, further.port, further.base) != (route.scheme, route.port, route.base)
    return further if moved and further.host == route.host else None


def _chance() -> str:
    return secrets.token_hex(4)
