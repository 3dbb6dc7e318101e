"""Rules for every request: only GET and HEAD, and headers that forbid what the page does not need.

A request line may name the whole address, `GET http://nas.local/metrics HTTP/1.1` (RFC 9112, section 3.2.2): its host
then counts in the place of the Host header.
"""

from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD")
_WITHOUT_FRAMES = {"X-Frame-Options": "DENY"}
_SCHEMES = ("http://", "https://")


def headers(frame_ancestors: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the headers of every answer. Pages of these origins may show ours in a frame; `self` is our own.

    An answer may set its own `Cache-Control`. `X-Frame-Options` knows no list of origins, so it is left out if any may.
    """
    framed_by = " ".join("'self'" if origin == "self" else origin for origin in frame_ancestors) or "'none'"
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
            f"frame-ancestors {framed_by}; base-uri 'none'"
        ),
        **({} if frame_ancestors else _WITHOUT_FRAMES),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cache-Control": "no-store",
    }


class SecurityHeaders:
    """Reads the whole request line, refuses all but GET and HEAD, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp, frame_ancestors: tuple[str, ...] = ()) -> None:
        """Wrap an application. Pages of these origins may show it in a frame."""
        self._app, self._headers = app, headers(frame_ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answered.setdefault(name, value)
            await send(message)

        if scope["type"] != "http" or scope["method"] in METHODS:
            await self._app(_relative(scope), receive, with_headers)
            return
        words = f"{scope['method']} is not allowed: this page only reads; use {' or '.join(METHODS)}\n"
        refused = PlainTextResponse(words, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(METHODS)})
        await refused(scope, receive, with_headers)


def _relative(scope: Scope) -> Scope:
    """Return a request by its path, if its line names the whole address."""
    if scope["type"] != "http" or not scope["path"].lower().startswith(_SCHEMES):
        return scope
    authority, slash, path = scope["path"].partition("://")[2].partition("/")
    named = [(b"host", authority.rpartition("@")[2].encode("latin-1", "replace"))]
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    path = slash + path or "/"
    return {**scope, "path": path, "raw_path": quote(path).encode(), "headers": named + others}
