"""speedtest-cli 2.1.3, the Python program (PyPI, Debian). Debian also installs it as `speedtest`.

It prints one JSON object: `download` and `upload` are bit/s, `ping` is milliseconds, `timestamp` is the start of the
test. It measures neither jitter nor loss. It exits 0 with false figures when no server answered (`ping` 1800000.0) or
nothing was downloaded (`download` 0.0): those are rejected here. Real failures exit 1 with text on standard error.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from speedtest.engines.engine import Engine, Options, Target, options
from speedtest.engines.network_interface import address_of
from speedtest.engines.output import (
    BITS_PER_MEGABIT,
    Amount,
    Count,
    both,
    check,
    complaint,
    convert,
    documents,
    flatten,
    last_words,
    texts,
)
from speedtest.engines.plausible import believed
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished

_VERSION = re.compile(r"^speedtest-cli ([0-9][0-9A-Za-z.]*)", re.MULTILINE)


class _Fields(msgspec.Struct):
    """The fields that the common columns come from."""

    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    download: Amount
    upload: Amount
    ping: Amount | None = None
    bytes_sent: Count | None = None
    bytes_received: Count | None = None


def _arguments(target: Target) -> list[list[str]]:
    arguments = [*target.arguments, "--secure", "--json"]
    if target.server_id:
        arguments += ["--server", target.server_id]
    if target.excluded_id:
        arguments += ["--exclude", target.excluded_id]
    if target.interface or target.ip_version:
        arguments += ["--source", address_of(target.interface, target.ip_version or 4)]
    return [arguments]


def _read(steps: Sequence[Finished]) -> Measurement:
    finished = steps[-1]
    words = last_words(finished.stderr, finished.stdout)
    if finished.exit_code:
        raise Failure("rate-limited" if "HTTP Error 429" in words else "exit", words)
    if not finished.stdout.strip():
        raise Failure("no-output", words or "the program printed nothing")
    found = list(documents(finished.stdout))
    if not found:
        raise Failure("malformed", complaint(finished.stdout))
    result = flatten(found[-1])
    fields, doubts = check(result, _Fields)
    measurement = _measurement(fields, texts(result, kept_as_common="timestamp"))
    return believed(measurement, result, finished.seconds, doubts)


def _measurement(fields: _Fields, raw: dict[str, str | None]) -> Measurement:
    return Measurement(
        timestamp=fields.timestamp,
        status="ok",
        engine=ENGINE.name,
        download_mbps=fields.download / BITS_PER_MEGABIT,
        upload_mbps=fields.upload / BITS_PER_MEGABIT,
        latency_ms=fields.ping,
        data_bytes=both(fields.bytes_sent, fields.bytes_received),
        raw=raw,
    )


def _derive(row: Mapping[str, str]) -> Measurement | None:
    found = convert(row, _Fields)
    return believed(_measurement(found[0], {}), {}) if found else None


ENGINE = Engine(
    name="speedtest-cli",
    auto=2,
    programs=("speedtest-cli", "speedtest"),
    version=_VERSION,
    arguments=_arguments,
    read=_read,
    derive=_derive,
    options=Options(
        refused=options(
            "--json --csv --csv-delimiter --csv-header --simple --list --version -h --help --no-download",
            "--no-upload --server --exclude --source",
        ),
        harmless=options("--secure --timeout --bytes"),
    ),
    numbers="speedtest.net",
    vanished=lambda error: "No matched servers" in error,
)
