"""Find M-Lab's servers: Locate API v2, `GET /v2/nearest/ndt/ndt7`, or name one of our own.

The answer has up to four servers, the best first, each with URLs that hold an access token. A token is used once and
never printed. 204 means that M-Lab has no capacity now.
"""

import json
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from speedtest.http_test.route import Route
from speedtest.http_test.trouble import Trouble
from speedtest.http_test.wire import Cut, Wire
from speedtest.version import VERSION

LOCATE = "https://locate.measurementlab.net/v2/nearest/ndt/ndt7"
"""The public service. It is asked without a server of one's own."""
MOST_SERVERS = 3
_DOWN, _UP = "/ndt/v7/download", "/ndt/v7/upload"
_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_LONGEST_ANSWER = 64 * 1024
_LONGEST_NAME = 80
_NO_CAPACITY = 204


class Target7(NamedTuple):
    """One server: the URLs for both directions, and what the service says of it."""

    down: str
    up: str
    host: str
    name: str | None = None
    place: str | None = None


def own(url: str) -> Target7:
    """Return a server of one's own, from the URL that its ndt-server answers at. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.query:
        raise ValueError(f"{url} is no URL that begins with ws://, wss://, http:// or https://")
    base = f"{_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.removesuffix('/').removesuffix('/ndt/v7')}"
    return Target7(base + _DOWN, base + _UP, parts.hostname)


def nearest(url: str, *, ip_version: int | None, source: str | None) -> list[Target7]:
    """Ask the service for servers, the best first. Raises Trouble, Cut, TimeoutError."""
    route = Route(url, ip_version=ip_version, source=source)
    wire = Wire(route)
    try:
        path = f"{urlsplit(url).path}?{urlencode({'client_name': 'speedsnake', 'client_version': VERSION})}"
        wire.ask("GET", path)
        response = wire.response()
        if response.status == _NO_CAPACITY:
            raise Trouble("server-busy", f"{route.authority} has no server with capacity now (204)")
        wire.check("GET /v2/nearest/ndt/ndt7", response)
        found = _servers(wire.body(response, _LONGEST_ANSWER))
    except Cut as error:
        raise Trouble("exit", f"{route.authority} cut the connection: {error}") from error
    finally:
        wire.close()
    if not found:
        raise Trouble("malformed", f"{route.authority} named no server for ndt7")
    return found[:MOST_SERVERS]


def _servers(answer: bytes) -> list[Target7]:
    """Return the servers of an answer. One that lacks what is needed is left out."""
    try:
        results: Any = json.loads(answer)["results"]
        return [found for result in results if (found := _server(result))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Trouble("malformed", f"the list of servers cannot be read: {type(error).__name__}") from error


def _server(result: Any) -> Target7 | None:  # noqa: ANN401 (anything that JSON may hold)
    urls: dict[str, str] = result["urls"]
    down, up = (_https(urls.get(f"wss://{path}", "")) for path in (_DOWN, _UP))
    if not down or not up:
        return None
    city, country = (_name((result.get("location") or {}).get(part)) for part in ("city", "country"))
    place = ", ".join(name for name in (city, country) if name)
    return Target7(down, up, urlsplit(down).hostname or "", _name(result.get("machine")), place or None)


def _https(url: str) -> str | None:
    parts = urlsplit(url)
    is_plain = url.isascii() and url.isprintable() and " " not in url
    return "https" + url[len("wss") :] if parts.scheme == "wss" and parts.hostname and is_plain else None


def _name(text: object) -> str | None:
    return "".join(filter(str.isprintable, text))[:_LONGEST_NAME] if isinstance(text, str) else None
