"""Rows for InfluxDB and stores that take its line protocol, such as VictoriaMetrics. Each row is one point.

With INFLUX_BUCKET rows go to `/api/v2/write`, else to `/write` with INFLUX_DATABASE. Sending a point again changes
nothing there: tags and time are the same. A program's time has whole seconds, so two tests of one second would be one
point: the nanoseconds, which no program measures, are a digest of the row.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from speedtest.data import schema
from speedtest.environment import Settings
from speedtest.publishing import address, line_protocol, posting
from speedtest.publishing.address import Address
from speedtest.publishing.line_protocol import FieldValue
from speedtest.publishing.posting import HttpReply, Unreachable
from speedtest.publishing.receiver import ReceiverAnswer
from speedtest.publishing.rows import PublishedRow

MEASUREMENT, OUTAGE = "speedtest", "speedtest_outage"
_SERVER = ("server_name", "server_host", "server_id")
_TAGS = {"speedtest_address", "engine"}
_FIELDS = [column.name for column in schema.COMMON if column.kind != "instant" and column.name not in _TAGS] + [
    *_SERVER,
    "isp",
]
_WRITTEN = re.compile(r"(/api/v2)?/write/?$|/$")
_PARTIAL = "partial write"
_NO_POINTS = "writing requires points"
"""InfluxDB 2 says that of a request without points, after it has looked at token, organisation and bucket."""


class Influx:
    """A store that takes InfluxDB's line protocol."""

    name = "influx"
    most_rows = 5000
    takes_history = True
    patience = timedelta(0)

    def __init__(self, settings: Settings, url: str) -> None:
        """Take the address and who may write there."""
        self._address = Address.of(url)
        self._ca_file = settings.publish_ca_file
        base = _WRITTEN.sub("", self._address.url)
        bucket, org, database = settings.influx_bucket, settings.influx_org, settings.influx_database
        if bucket:
            query = {"bucket": bucket} | ({"org": org} if org else {}) | {"precision": "ns"}
            self._url = f"{base}/api/v2/write?{urlencode(query)}"
        else:
            self._url = f"{base}/write?{urlencode({'db': database, 'precision': 'ns'})}"
        self._where = f"bucket {bucket}" if bucket else f"database {database}"
        self._names = "INFLUX_BUCKET and INFLUX_ORG" if bucket else "INFLUX_DATABASE"
        token = {"Authorization": f"Token {settings.influx_token}"} if settings.influx_token else {}
        self._headers = {"Content-Type": "text/plain; charset=utf-8"} | token
        self.place = f"{self._address.place}, {self._where}"
        self.key = address.key(self.name, self._url)

    def send(self, rows: Sequence[PublishedRow]) -> ReceiverAnswer:
        """Write rows."""
        return self._write("\n".join(line for row in rows if (line := _point(row))))

    def test(self) -> ReceiverAnswer:
        """Write nothing: the store says whether it may be written to."""
        answer = self._write("")
        return ReceiverAnswer("taken") if _NO_POINTS in (answer.words or "") else answer

    def _write(self, lines: str) -> ReceiverAnswer:
        try:
            reply = posting.send(self._address, lines.encode(), self._headers, ca_file=self._ca_file, url=self._url)
        except Unreachable as why:
            return ReceiverAnswer("later", str(why))
        if reply.is_good:
            return ReceiverAnswer("taken")
        return self._refusal(reply)

    def _refusal(self, reply: HttpReply) -> ReceiverAnswer:
        """Judge an answer that is no success. After a partial write the other points of the request are stored."""
        said = f"HTTP {reply.status}" + (f", {reply.words}" if reply.words else "")
        match reply.status:
            case 400 | 422 if _PARTIAL in reply.body:
                return ReceiverAnswer(
                    "taken", f"{said}: it will never take some of these rows, and has stored the others"
                )
            case 400 | 413 | 422:
                return ReceiverAnswer("bad-rows", said)
            case 401 | 403:
                return ReceiverAnswer("later", f"{said}: check INFLUX_TOKEN, or user and password in INFLUX_URL")
            case 404:
                return ReceiverAnswer(
                    "later", f"{said}: create the {self._where}, or check {self._names} and INFLUX_URL"
                )
            case status if 300 <= status < 400:  # noqa: PLR2004 (RFC 9110: 3xx)
                return ReceiverAnswer("later", f"{said}: it has moved; set INFLUX_URL to its new address")
            case _:
                return ReceiverAnswer("later", said, reply.retry_seconds)


def _point(row: PublishedRow) -> str | None:
    """Return a row as a line; None if its date is outside what the protocol can say."""
    values = row.values
    when = line_protocol.nanoseconds(row.timestamp) + int(row.id, 16) % 1000
    if abs(when) > line_protocol.LARGEST:
        return None
    status = values.get("status")
    server = next((str(values[name]) for name in _SERVER if values.get(name)), "")
    tags = {"location": row.location, "engine": str(values.get("engine") or ""), "server": server}
    fields: dict[str, FieldValue] = {"ok": status == "ok"} if status in ("ok", "failed") else {}
    fields |= {name: values[name] for name in _FIELDS if values.get(name) is not None}
    return line_protocol.point(OUTAGE if status == "outage" else MEASUREMENT, tags, fields or {"row": row.id}, when)
