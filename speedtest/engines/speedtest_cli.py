"""speedtest-cli 2.1.3, the Python program (PyPI, Debian), which Debian also installs under the name `speedtest`.

It prints one JSON object; `download` and `upload` are bit/s, `ping` is milliseconds, `timestamp` is the start of the
test; it measures neither jitter nor loss. It exits 0 with false figures when no server answered (`ping` 1800000.0) or
no download came (`download` 0.0): those are rejected here. Real failures exit 1 with text on standard error.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec

from speedtest.engines.output import (
    BITS_PER_MEGABIT,
    Amount,
    Engine,
    believed,
    check,
    complaint,
    convert,
    documents,
    flatten,
    last_words,
    texts,
)
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished

_VERSION = re.compile(r"^speedtest-cli ([0-9][0-9A-Za-z.]*)", re.MULTILINE)

type _Bytes = Annotated[int, msgspec.Meta(ge=-(2**62), lt=2**62)]


class _Fields(msgspec.Struct):
    """The fields that the common columns come from."""

    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    download: Amount
    upload: Amount
    ping: Amount
    bytes_sent: _Bytes
    bytes_received: _Bytes


def _version(printed: str) -> str | None:
    found = _VERSION.search(printed)
    return found[1] if found else None


def _arguments(server_id: str | None) -> list[str]:
    arguments = ["--secure", "--json"]
    return [*arguments, "--server", server_id] if server_id else arguments


def _read(finished: Finished) -> Measurement:
    words = last_words(finished.stderr, finished.stdout)
    if finished.exit_code:
        raise Failure("rate-limited" if "HTTP Error 429" in words else "exit", words)
    if not finished.stdout.strip():
        raise Failure("no-output", words or "the program printed nothing")
    found = list(documents(finished.stdout))
    if not found:
        raise Failure("malformed", complaint(finished.stdout))
    result = flatten(found[-1])
    measurement = _measurement(check(result, _Fields), texts(result, kept_as_common="timestamp"))
    return believed(measurement, result)


def _measurement(fields: _Fields, raw: dict[str, str | None]) -> Measurement:
    return Measurement(
        timestamp=fields.timestamp,
        status="ok",
        engine=ENGINE.name,
        download_mbps=fields.download / BITS_PER_MEGABIT,
        upload_mbps=fields.upload / BITS_PER_MEGABIT,
        latency_ms=fields.ping,
        data_bytes=fields.bytes_sent + fields.bytes_received,
        raw=raw,
    )


def _derive(row: Mapping[str, str]) -> Measurement | None:
    fields = convert(row, _Fields)
    return believed(_measurement(fields, {}), {}) if fields else None


ENGINE = Engine(
    name="speedtest-cli",
    programs=("speedtest-cli", "speedtest"),
    version=_version,
    arguments=_arguments,
    read=_read,
    derive=_derive,
)
