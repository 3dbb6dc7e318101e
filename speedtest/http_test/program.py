"""Measure a line over HTTP and print one JSON object: latency idle and under load, download, upload.

    python -m speedtest.http_test [--server URL] [--seconds N] [--ip-version 4|6] [--source ADDRESS]
                                  [--connections N] [--live]

Exit code 0: the object is a result. Exit code 1: it has `error` (why in words) and `kind` (see `trouble`), perhaps
`retry_after_seconds`, and what was measured before. Exit code 64: wrong arguments.

Units are those of the field names: `mbps` is 10^6 bit/s, `ms`, `seconds`, `bytes`, `percent`. `timestamp` is the start
of the test. `download.moved_bytes` and `upload.moved_bytes` are all bytes, those of the warm-up too. `idle`,
`download.loaded` and `upload.loaded` are round trips (see `latency`). `samples` are the speeds of each 100 ms of both
directions (see `speedtest.values.samples`). The address of this machine is neither printed nor kept.

With `--live` a line of JSON comes before it for each step: `progress` (latency, download, upload), `part` from 0 to 1,
and `mbps`, `now_mbps` or `latency_ms`.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NoReturn, override

from speedtest.http_test import dialects, printed, tcp_info, trace
from speedtest.http_test.dialects import Found
from speedtest.http_test.latency import Probe
from speedtest.http_test.load import CONNECTIONS, Download, Load, Upload
from speedtest.http_test.phase import SECONDS, measure
from speedtest.http_test.printed import Fields
from speedtest.http_test.route import Route
from speedtest.http_test.trouble import Trouble
from speedtest.http_test.wire import Cut
from speedtest.values.samples import pack
from speedtest.version import VERSION

PUBLIC_SERVER = "https://speed.cloudflare.com/"
"""The service that is asked without `--server`. It is free, not documented, and has changed before."""
MOST_CONNECTIONS = 32
MOST_SECONDS = 300
LONGEST_WAIT_SECONDS = 5.0
"""A server that asks for so short a pause gets it, and is asked again; a longer one is a failure."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Measure, print and exit."""
    asked = _options(arguments)
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


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m speedtest.http_test", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"speedsnake-http {VERSION}")
    parser.add_argument("--server", type=_url, default=PUBLIC_SERVER, metavar="URL")
    parser.add_argument("--seconds", type=whole(MOST_SECONDS), default=SECONDS, help="the most for each direction")
    parser.add_argument("--connections", type=whole(MOST_CONNECTIONS), default=CONNECTIONS)
    parser.add_argument("--ip-version", type=int, choices=(4, 6))
    parser.add_argument("--source", metavar="ADDRESS", help="the address of this machine to measure from")
    parser.add_argument("--count", choices=("acknowledged", "confirmed"), help="what of an upload counts")
    parser.add_argument("--live", action="store_true", help="print progress")
    return parser.parse_args(arguments)


class Parser(argparse.ArgumentParser):
    """Reads arguments. A mistake ends the program with 64 and a line."""

    @override
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{message}\n")
        sys.exit(os.EX_USAGE)


def whole(most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from 1 to `most`."""

    def read(text: str) -> int:
        number = int(text)
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from 1 to {most}")
        return number

    return read


def _url(text: str) -> str:
    try:
        Route(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


class _Test:
    """One test. It adds to the fields as it goes, so that what it has found is known if it fails."""

    def __init__(self, asked: argparse.Namespace, found: Fields) -> None:
        self._asked = asked
        self._found = found

    def run(self) -> None:
        server = self._server()
        self._found["server"] = {"host": server.route.host, "url": server.route.url}
        self._found["ip_version"] = server.route.ip_version
        self._found["dialect"] = server.dialect.name
        self._found["tls"] = server.route.tls
        if server.dialect.name == "cloudflare" and (place := trace.place(server.wire)):
            self._found["server"]["name"] = place
        probe = Probe(server.wire, server.dialect)
        try:
            trip_ms = self._latency(probe)
            self._direction(Download(server.route, server.dialect, self._asked.connections), probe, trip_ms)
            self._direction(self._upload(server), probe, trip_ms)
        finally:
            probe.close()
        self._found["confidence"] = max(
            (self._found[name]["confidence"] for name in ("download", "upload")), key=("high", "medium", "low").index
        )

    def _server(self) -> Found:
        """Find the server. If it asks for a short pause first, wait once."""
        route = Route(self._asked.server, ip_version=self._asked.ip_version, source=self._asked.source)
        self._tell("start", 0.0)
        try:
            return dialects.find(route)
        except Trouble as trouble:
            if trouble.retry_after is None or trouble.retry_after > LONGEST_WAIT_SECONDS:
                raise
            time.sleep(trouble.retry_after)
        return dialects.find(route)

    def _latency(self, probe: Probe) -> float:
        idle = probe.idle(lambda part, ms: self._tell("latency", part, latency_ms=ms))
        self._found["idle"] = printed.of_trips(idle)
        return idle.median

    def _upload(self, server: Found) -> Upload:
        confirmed = self._asked.count == "confirmed" or not tcp_info.counts()
        return Upload(server.route, server.dialect, self._asked.connections, confirmed=confirmed)

    def _direction(self, load: Load, probe: Probe, trip_ms: float) -> None:
        def tell(part: float, mbps: float, now: float) -> None:
            self._tell(load.direction, part, mbps=mbps, now_mbps=now)

        try:
            measured = measure(load, probe, self._asked.seconds, trip_ms, tell)
        except Trouble:
            self._found[load.direction] = {"moved_bytes": load.moved()} | _of_load(load)
            raise
        self._found[load.direction] = printed.of(measured) | _of_load(load)
        self._found.setdefault("samples", {})[load.direction] = pack(measured.samples)

    def _tell(self, step: str, part: float, **figures: float) -> None:
        if self._asked.live:
            printed.show(
                {"progress": step, "part": round(part, 3)} | {name: round(f, 3) for name, f in figures.items()}
            )


def _of_load(load: Load) -> Fields:
    fields: Fields = {"requests": load.requests, "cuts": load.cuts, "refreshed": load.refreshed}
    return fields | ({"retransmitted_bytes": load.retransmitted} if isinstance(load, Upload) else {})
