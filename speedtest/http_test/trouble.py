"""Why a test over HTTP cannot measure, and how answers that are none of a speed test are told apart."""

import html
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

type TroubleKind = Literal["exit", "timeout", "malformed", "rate-limited", "server-busy", "refused"]
"""As in `speedtest.measurement`.

- `exit`: the connection did not come about or was cut.
- `timeout`: no answer, or nothing moved any more.
- `malformed`: the answer is none of a speed test. Mostly a proxy or a captive portal answered in the server's place.
- `rate-limited`: 429. `server-busy`: 503. `refused`: any other error that the server answered.
"""

_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(rb"<(script|style).*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_LONGEST_SAYING = 120
_REDIRECTIONS = range(300, 400)
_PROXY_NAMES = ("proxy-authenticate", "x-squid-error", "x-cache-lookup", "via")

TOO_OFTEN, TOO_LARGE, BUSY = HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 503
FORBIDDEN, PROXY_LOGIN, PORTAL_LOGIN = HTTPStatus.FORBIDDEN, 407, 511
OK = HTTPStatus.OK


class Trouble(Exception):
    """The test cannot go on: how, in what words, and for how many seconds the server wants to be left alone."""

    def __init__(self, kind: TroubleKind, words: str, retry_after: float | None = None) -> None:
        """Take the kind, the words and the seconds of `Retry-After`."""
        self.kind: TroubleKind = kind
        self.words = "".join(letter if letter.isprintable() else "?" for letter in words)
        self.retry_after = retry_after
        super().__init__(f"{kind}: {self.words}")


def trouble_of(asked: str, status: int, headers: Mapping[str, str], begin: bytes) -> Trouble | None:
    """Return the trouble with an answer; None if it is one of a speed test.

    `asked` says what was asked of whom, `begin` is how the body begins.
    """
    name = f"{status} {_phrase(status)}".strip()
    if status == TOO_OFTEN:
        seconds = retry_after(headers)
        wait = f"; retry after {seconds:.0f} s" if seconds is not None else ""
        return Trouble("rate-limited", f"{asked} was answered {name}: too many requests{wait}", seconds)
    if status in (PROXY_LOGIN, PORTAL_LOGIN) or status in _REDIRECTIONS:
        return Trouble("malformed", f"{asked} was answered {name}{_elsewhere(headers)}: {_who(status, headers)}")
    if is_page(headers) and begin and status < 400:  # noqa: PLR2004 (the errors of HTTP)
        return Trouble("malformed", f"{asked} was answered with a page{said(begin)}: {_who(status, headers)}")
    if status == BUSY:
        return Trouble("server-busy", f"{asked} was answered {name}{said(begin)}", retry_after(headers))
    if status != OK:
        advice = _ADVICE.get(status, "")
        return Trouble("refused", f"{asked} was answered {name}{said(begin)}{advice}{_proxy(headers)}")
    return None


_ADVICE: Mapping[int, str] = {
    TOO_LARGE: "; let the server accept uploads of 25 MB (nginx: client_max_body_size)",
    FORBIDDEN: "; the service refuses this machine or such large requests",
}


def is_page(headers: Mapping[str, str]) -> bool:
    """Return whether an answer is made for people."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")


def said(begin: bytes) -> str:
    """Return the title of a page or the first words of a text, quoted; empty if there are none."""
    title = _TITLE.search(begin)
    plain = title[1] if title else _TAGS.sub(b" ", begin)
    words = " ".join(html.unescape(plain.decode("utf-8", "replace")).split())
    words = "".join(letter for letter in words if letter.isprintable())
    return f" ({words[:_LONGEST_SAYING]!r})" if words else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After`, which is a number or a date; None if there is none that can be read."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    if not text:
        return None
    from datetime import UTC, datetime  # noqa: PLC0415 (rarely needed)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 (the same)

    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _who(status: int, headers: Mapping[str, str]) -> str:
    if status == PROXY_LOGIN or any(name in headers for name in _PROXY_NAMES):
        return "a proxy answers in the server's place"
    if status == PORTAL_LOGIN or status in _REDIRECTIONS:
        return "a captive portal seems to answer in the server's place; log in to this network"
    return "a proxy or a captive portal answers in the server's place, or this is no speed-test server"


def _proxy(headers: Mapping[str, str]) -> str:
    return "; a proxy answered" if "x-squid-error" in headers or "proxy-status" in headers else ""


def _elsewhere(headers: Mapping[str, str]) -> str:
    """Return where a redirection leads, without the query and a password: a captive portal's holds who asked."""
    try:
        parts = urlsplit(headers.get("location", ""))
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f" to {parts.scheme}://{host}{parts.path}"[:_LONGEST_SAYING] if host else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
