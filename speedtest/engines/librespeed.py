"""librespeed-cli, the free client of LibreSpeed servers, also of your own. Written for 1.0.11 and 1.0.9.

It prints an array with one object; older versions print the object alone. `download` and `upload` are Mbit/s, whatever
`--help` says. `ping` and `jitter` are milliseconds. `timestamp` is the end of the test. The program counts what it
passes to the system as sent, so an upload that the server refuses still has a speed.

`ping` is the mean of times that were each cut to whole milliseconds. So it is half a millisecond low, and 0 is a
measured latency below one millisecond. It is measured over HTTP, never ICMP: ICMP needs rights that a container does
not have, and the program would switch between the two without notice.

If no server answered, it prints `null` and exits 0: that is `no-output`. Only with `--debug` it says why, on standard
error. A speed of 0, also with exit code 0, is `rejected`. A row has its `download` and `upload` as `raw_download` and
`raw_upload`, because the columns `download` and `upload` are bit/s.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from speedtest.engines.engine import Engine, Options, Place, Target, options
from speedtest.engines.network_interface import is_address
from speedtest.engines.output import Amount, Count, both, check, complaint, documents, flatten, last_words, texts
from speedtest.engines.plausible import believed
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished
from speedtest.values.hosts import version_of

_VERSION = re.compile(r"^librespeed-cli v?([0-9][0-9A-Za-z.]*)", re.MULTILINE)
_IN_MEGABITS = ("download", "upload")


class _Fields(msgspec.Struct):
    """The fields that the common columns come from."""

    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    download: Amount
    upload: Amount
    ping: Amount | None = None
    jitter: Amount | None = None
    bytes_sent: Count | None = None
    bytes_received: Count | None = None


def _arguments(target: Target) -> list[list[str]]:
    arguments = [*target.arguments, "--json", "--debug", "--no-icmp", "--telemetry-level", "disabled"]
    if target.server:
        arguments += ["--server-json" if _is_url(target.server) else "--local-json", target.server]
    if target.server_id:
        arguments += ["--server", target.server_id]
    elif target.excluded_id:
        arguments += ["--exclude", target.excluded_id]
    if version := version_of(target.interface) or target.ip_version:
        arguments.append(f"--ipv{version}")
    if target.interface:
        arguments += ["--source" if is_address(target.interface) else "--interface", target.interface]
    if target.seconds:
        arguments += ["--duration", str(target.seconds)]
    return [arguments]


def _is_url(server: str) -> bool:
    return server.startswith(("http://", "https://"))


def _read(steps: Sequence[Finished]) -> Measurement:
    finished = steps[-1]
    words = last_words(finished.stderr, finished.stdout)
    if finished.exit_code:
        raise Failure("exit", words)
    printed = finished.stdout.strip()
    if printed in (b"", b"null", b"[]"):
        said = last_words(finished.stderr)
        raise Failure("no-output", f"the program printed no result: no server answered{': ' if said else ''}{said}")
    found = list(documents(printed[1:-1] if printed.startswith(b"[") and printed.endswith(b"]") else printed))
    if not found:
        raise Failure("malformed", complaint(finished.stdout))
    result = flatten(found[-1])
    fields, doubts = check(result, _Fields)
    result = {f"raw_{name}" if name in _IN_MEGABITS else name: value for name, value in result.items()}
    measurement = _measurement(fields, texts(result, kept_as_common="timestamp"))
    return believed(measurement, result, finished.seconds, doubts)


def _measurement(fields: _Fields, raw: dict[str, str | None]) -> Measurement:
    return Measurement(
        timestamp=fields.timestamp,
        status="ok",
        engine=ENGINE.name,
        download_mbps=fields.download,
        upload_mbps=fields.upload,
        latency_ms=fields.ping,
        jitter_ms=fields.jitter,
        data_bytes=both(fields.bytes_sent, fields.bytes_received),
        raw=raw,
    )


ENGINE = Engine(
    name="librespeed",
    auto=4,
    fallback=True,
    programs=("librespeed-cli",),
    version=_VERSION,
    arguments=_arguments,
    read=_read,
    options=Options(
        refused=options(
            "--json --csv --csv-delimiter --csv-header --simple --list --version -h --help --no-download",
            "--no-upload --bytes --mebibytes --server --exclude --server-json --local-json --source",
            "--interface --duration -4 --ipv4 -6 --ipv6 --ca-cert --telemetry-level",
        ),
        harmless=options("--no-pre-allocate --distance --timeout --skip-cert-verify --debug"),
    ),
    numbers="librespeed",
    vanished=lambda error: "specified server(s) not found" in error,
    place=Place(
        allowed="the URL (http://… or https://…) or the file name of a list of servers in JSON",
        fits=lambda text: not text.startswith("-") and (_is_url(text) or "://" not in text),
    ),
)
