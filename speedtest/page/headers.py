"""Rules for every request: only GET and HEAD, and headers that forbid what the page does not need."""

from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""An answer may set its own `Cache-Control`."""


class SecurityHeaders:
    """Refuses all but GET and HEAD, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http" or scope["method"] in METHODS:
            await self._app(scope, receive, with_headers)
            return
        words = f"{scope['method']} is not allowed: this page only reads; use {' or '.join(METHODS)}\n"
        refused = PlainTextResponse(words, HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(METHODS)})
        await refused(scope, receive, with_headers)
