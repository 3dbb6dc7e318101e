"""Send one request by HTTP and return what the receiver answered. Redirects are not followed: they are answers too."""

import base64
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, override

import msgspec

from speedtest.publishing.address import Address
from speedtest.version import VERSION

SECONDS = 10.0
"""How long a receiver may be silent."""
MOST_WORDS = 200
_LONGEST_ANSWER = 64 * 1024


class Unreachable(Exception):
    """No answer came; the text says why."""


class HttpReply(msgspec.Struct, frozen=True):
    """An answer."""

    status: int
    words: str
    """The beginning of what it said, on one line."""
    body: str
    retry_seconds: float | None = None
    """From Retry-After."""

    @property
    def is_good(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300  # noqa: PLR2004 (RFC 9110: 2xx)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Lets a redirect be an error: a POST that is sent on may lose its body, or tell a secret to a stranger."""

    @override
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing."""


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Return whom TLS trusts: the system's authorities, and those of a file. Raises OSError if it cannot be read."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def send(
    address: Address, body: bytes | None, headers: Mapping[str, str], *, ca_file: Path | None, url: str | None = None
) -> HttpReply:
    """POST a body, or GET if there is none, and return the answer. `url` replaces the address's. Raises Unreachable."""
    request = urllib.request.Request(url or address.url, data=body, headers={**_headers(address), **headers})  # noqa: S310 (values.receivers allows http and https only)
    try:
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=trusted(ca_file)))
        with opener.open(request, timeout=SECONDS) as answer:
            return _reply(answer.status, answer.headers.get("Retry-After"), answer.read(_LONGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            return _reply(error.code, error.headers.get("Retry-After"), _rest(error))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(why(error)) from error


def _rest(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(_LONGEST_ANSWER)
    except (OSError, http.client.HTTPException):  # the status says enough
        return b""


def why(error: Exception) -> str:
    """Return why there is no answer, without the address, which may be a secret."""
    reason = getattr(error, "reason", None)
    found = reason if isinstance(reason, OSError) else error
    if isinstance(found, TimeoutError):
        return f"it did not answer within {SECONDS:g} s"
    if isinstance(found, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {found.verify_message}; PUBLISH_CA_FILE can name its authority"
    if isinstance(found, OSError):
        return found.strerror or str(found) or type(found).__name__
    return type(found).__name__


def _headers(address: Address) -> dict[str, str]:
    headers = {"User-Agent": f"SpeedSnake/{VERSION}"}
    if address.user is not None:
        pair = f"{address.user}:{address.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return headers


def _reply(status: int, retry_after: str | None, body: bytes) -> HttpReply:
    text = body.decode(errors="replace")
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MOST_WORDS]
    return HttpReply(status, words, text, _seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Read Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    if retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        return (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
