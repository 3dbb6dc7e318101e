"""Each row as JSON by POST, signed as https://www.standardwebhooks.com describes.

The body is `{"type": "speedtest.row", "timestamp": …, "data": {…}}`; `data` has the columns of the lake (README) that
have a value. Headers: `webhook-id` is the same whenever a row is sent again; `webhook-timestamp` is the time of the
request in Unix seconds; `webhook-signature` is `v1,` and the base64 of HMAC-SHA-256 over `ID.TIMESTAMP.BODY`, if
WEBHOOK_SECRET is set. A secret `whsec_…` is base64 after that prefix; any other is taken as it is.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from speedtest.environment import Settings
from speedtest.publishing import address, posting
from speedtest.publishing.address import Address
from speedtest.publishing.posting import Unreachable
from speedtest.publishing.receiver import ReceiverAnswer
from speedtest.publishing.rows import PublishedRow

PREFIX = "whsec_"
ROW, TEST = "speedtest.row", "speedtest.test"
_OF_THE_RECEIVER = frozenset({401, 403, 404, 405, 407, 408, 410, 425, 429, 502, 503, 504})
"""Statuses that say nothing of the row."""


class Webhook:
    """An address that gets each row by POST."""

    name = "webhook"
    most_rows = 1
    takes_history = False
    patience = timedelta(days=1)

    def __init__(self, settings: Settings, url: str) -> None:
        """Take the address and the secret."""
        self._address = Address.of(url)
        self._secret = key_of(settings.webhook_secret)
        self._ca_file = settings.publish_ca_file
        self.place = self._address.place
        self.key = address.key(self.name, self._address.url)

    def send(self, rows: Sequence[PublishedRow]) -> ReceiverAnswer:
        """Send a row."""
        (row,) = rows
        return self._post(f"row_{row.id}", msgspec.json.encode(body_of(row)))

    def test(self) -> ReceiverAnswer:
        """Send a message of the type `speedtest.test`, which has no row."""
        body: dict[str, object] = {"type": TEST, "timestamp": _now(), "data": dict[str, object]()}
        return self._post(f"test_{time.time_ns()}", msgspec.json.encode(body))

    def _post(self, name: str, body: bytes) -> ReceiverAnswer:
        seconds = int(time.time())
        headers = {"Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": str(seconds)}
        if self._secret is not None:
            headers["webhook-signature"] = signature(self._secret, name, seconds, body)
        try:
            reply = posting.send(self._address, body, headers, ca_file=self._ca_file)
        except Unreachable as why:
            return ReceiverAnswer("later", str(why))
        if reply.is_good:
            return ReceiverAnswer("taken")
        said = f"HTTP {reply.status}" + (f", {reply.words}" if reply.words else "")
        if 300 <= reply.status < 400:  # noqa: PLR2004 (RFC 9110: 3xx)
            return ReceiverAnswer("later", f"{said}: it has moved; set WEBHOOK_URL to its new address")
        if reply.status in (401, 403, 404, 405, 410):
            return ReceiverAnswer("later", f"{said}: check WEBHOOK_URL and WEBHOOK_SECRET")
        return ReceiverAnswer("later" if reply.status in _OF_THE_RECEIVER else "bad-rows", said, reply.retry_seconds)


def body_of(row: PublishedRow) -> dict[str, object]:
    """Return what is sent of a row."""
    return {"type": ROW, "timestamp": row.timestamp, "data": row.values}


def key_of(secret: str | None) -> bytes | None:
    """Return the bytes that sign; None without a secret."""
    if secret is None:
        return None
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def signature(secret: bytes, name: str, seconds: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`."""
    signed = hmac.new(secret, f"{name}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
