"""Measure a line by ndt7, one stream each way, and print one JSON object.

    python -m speedtest.ndt7_test [--server URL | --locate URL] [--seconds N] [--ip-version 4|6] [--source ADDRESS]
                                  [--live]

Without `--server`, M-Lab's nearest server is asked for. M-Lab publishes each test with the address of this machine.

Exit code 0: the object is a result. Exit code 1: it has `error` (why in words) and `kind`, perhaps
`retry_after_seconds`, and what was measured before. Exit code 64: wrong arguments.

The fields are those of `speedtest.http_test.program`, with these differences: `idle.shortest_ms` is the shortest round
trip of TCP before the load. `download.loaded` are round trips that the server tells, `upload.loaded` those that this
system's kernel sees. `download.retransmitted_percent` is what the server sent again. `whole_mbps` is the mean over the
whole time, as M-Lab publishes it; `mbps` leaves out the start.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from speedtest.http_test import printed, tcp_info
from speedtest.http_test.phase import WARM_UP_SECONDS, WARM_UP_TRIPS, measure
from speedtest.http_test.printed import Fields
from speedtest.http_test.program import Parser, whole
from speedtest.http_test.trouble import Trouble
from speedtest.http_test.wire import Cut
from speedtest.ndt7_test import locate
from speedtest.ndt7_test.channel import Channel, number
from speedtest.ndt7_test.locate import Target7
from speedtest.ndt7_test.stream import BesideStream, Stream, UploadStream
from speedtest.values.samples import pack
from speedtest.version import VERSION

WHOLE_SECONDS = 9.5
"""The server ends a direction after ten seconds."""
LEAST_SECONDS = 2.0
"""If the server ends it so early that less than this is left behind the start, there is no speed."""
MOST_SECONDS = 300

type Step = Literal["start", "latency", "download", "upload"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Measure, print and exit."""
    parser = Parser(prog="python -m speedtest.ndt7_test", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"speedsnake-ndt7 {VERSION}")
    parser.add_argument("--server", type=_server, metavar="URL", help="a server of your own, such as wss://host/")
    parser.add_argument("--locate", type=_url, default=locate.LOCATE, metavar="URL", help="the service that names one")
    parser.add_argument("--seconds", type=whole(MOST_SECONDS), help="the most for each direction")
    parser.add_argument("--ip-version", type=int, choices=(4, 6))
    parser.add_argument("--source", metavar="ADDRESS", help="the address of this machine to measure from")
    parser.add_argument("--live", action="store_true", help="print progress")
    asked = parser.parse_args(arguments)
    found: Fields = {"timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"}
    began = time.monotonic()
    try:
        _Test(asked, found).run()
    except (Trouble, Cut, TimeoutError, OSError) as error:
        printed.show(found | printed.of_error(error))
        sys.exit(1)
    found["cost"] = printed.cost(time.monotonic() - began)
    printed.show(found)
    sys.exit(0)


def _server(text: str) -> Target7:
    try:
        return locate.own(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _url(text: str) -> str:
    if urlsplit(text).scheme not in ("http", "https"):
        raise argparse.ArgumentTypeError(f"{text} is no URL that begins with http:// or https://")
    return text


class _Test:
    """One test. It adds to the fields as it goes, so that what it has found is known if it fails."""

    def __init__(self, asked: argparse.Namespace, found: Fields) -> None:
        self._asked = asked
        self._found = found

    def run(self) -> None:
        self._tell("start", 0.0)
        server, down = self._first()
        self._found["server"] = {"host": server.host} | (
            {name: text for name, text in (("name", server.name), ("location", server.place)) if text}
        )
        self._found["ip_version"] = down.route.ip_version
        self._found["tls"] = down.route.tls
        trips = tcp_info.round_trips(down.socket)
        trip_ms = trips[1] if trips else 0.0
        self._direction(Stream(down, "download"), trip_ms)
        trip_ms = trip_ms or (number((down.told.get("TCPInfo") or {}).get("MinRTT")) or 0.0) / 1000
        self._found["idle"] = {"shortest_ms": round(trip_ms, 3) if trip_ms else None}
        self._direction(UploadStream(self._open(server.up)), trip_ms)
        self._found["confidence"] = max(
            (self._found[name]["confidence"] for name in ("download", "upload")), key=("high", "medium", "low").index
        )

    def _first(self) -> tuple[Target7, Channel]:
        """Return the first server that takes the test, and the channel to it. The others are spare."""
        asked = self._asked
        where = {"ip_version": asked.ip_version, "source": asked.source}
        servers = [asked.server] if asked.server else locate.nearest(asked.locate, **where)
        for server in servers[:-1]:
            try:
                return server, self._open(server.down)
            except (Trouble, Cut, TimeoutError):
                continue
        return servers[-1], self._open(servers[-1].down)

    def _open(self, url: str) -> Channel:
        return Channel(url, ip_version=self._asked.ip_version, source=self._asked.source)

    def _direction(self, stream: Stream, trip_ms: float) -> None:
        def tell(part: float, mbps: float, now: float) -> None:
            self._tell(stream.direction, part, mbps=mbps, now_mbps=now)

        most = WHOLE_SECONDS - WARM_UP_SECONDS - WARM_UP_TRIPS * trip_ms / 1000
        began = time.monotonic()
        try:
            measured = measure(
                stream, BesideStream(stream), min(self._asked.seconds or most, max(most, LEAST_SECONDS)), trip_ms, tell
            )
        except Trouble:
            self._found[stream.direction] = {"moved_bytes": stream.moved()}
            raise
        fields = printed.of(measured) | self._of_server(stream)
        self._found[stream.direction] = fields
        if stream.over and measured.seconds < min(LEAST_SECONDS, self._asked.seconds or LEAST_SECONDS) - 0.5:
            self._found[stream.direction] = {"moved_bytes": measured.moved}
            after = time.monotonic() - began
            raise Trouble("exit", f"the server ended the {stream.direction} after {after:.1f} s, too early for a speed")
        self._found.setdefault("samples", {})[stream.direction] = pack(measured.samples)

    @staticmethod
    def _of_server(stream: Stream) -> Fields:
        """Return what only the server of a download knows: what it sent again, and the mean over the whole time."""
        told = stream.channel.told
        fields: Fields = {}
        info, app = told.get("TCPInfo") or {}, told.get("AppInfo")
        sent, again = number(info.get("BytesSent")), number(info.get("BytesRetrans"))
        if stream.direction == "download" and sent and again is not None and again <= sent:
            fields["retransmitted_percent"] = round(100 * again / sent, 3)
        if isinstance(app, dict):
            count, took = number(app.get("NumBytes")), number(app.get("ElapsedTime"))
            if count and took:
                fields["whole_mbps"] = round(count * 8 / took, 4)
        return fields

    def _tell(self, step: Step, part: float, **figures: float) -> None:
        if self._asked.live:
            rounded = {name: round(figure, 3) for name, figure in figures.items()}
            printed.show({"progress": step, "part": round(part, 3)} | rounded)
