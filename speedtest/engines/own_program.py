"""What the engines of our own have in common: their programs print the same fields, and fail in the same words.

The fields are those of `speedtest.http_test.program` and `speedtest.ndt7_test.program`: one JSON object, speeds in
Mbit/s, times in ms. `data_bytes` is all that moved, also before the measured part. A failure has `error` and `kind`,
and keeps what was measured before.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from speedtest.engines.engine import Progress, Target
from speedtest.engines.network_interface import address_of
from speedtest.engines.output import (
    Amount,
    Count,
    Flat,
    check,
    complaint,
    documents,
    flatten,
    last_words,
    texts,
    total_bytes,
)
from speedtest.engines.plausible import believed
from speedtest.measurement import ErrorKind, Failure, Measurement
from speedtest.process import Finished


class _Fields(msgspec.Struct):
    """The fields that the common columns come from, by their flattened names."""

    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    download_mbps: Amount
    upload_mbps: Amount
    idle_median_ms: Amount | None = None
    idle_shortest_ms: Amount | None = None
    idle_jitter_ms: Amount | None = None
    download_loaded_median_ms: Amount | None = None
    upload_loaded_median_ms: Amount | None = None
    download_moved_bytes: Count | None = None
    upload_moved_bytes: Count | None = None
    ip_version: Literal[4, 6] | None = None


class _Moved(msgspec.Struct):
    """The bytes of each direction, as far as they are known."""

    download_moved_bytes: Count | None = None
    upload_moved_bytes: Count | None = None


class _Wrong(msgspec.Struct):
    """What a failed test says."""

    error: str
    kind: ErrorKind = "exit"


class _Event(msgspec.Struct):
    """A line of `--live`."""

    progress: Literal["start", "latency", "download", "upload"]
    part: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    mbps: Amount | None = None
    now_mbps: Amount | None = None
    latency_ms: Amount | None = None


def arguments(module: str, target: Target) -> list[list[str]]:
    """Return the arguments of Python that start a program of ours. -P keeps the folder it runs in out of its path."""
    arguments = ["-P", "-m", module, *target.arguments]
    if target.server:
        arguments += ["--server", target.server]
    if target.seconds:
        arguments += ["--seconds", str(target.seconds)]
    if target.interface:
        arguments += ["--source", address_of(target.interface, target.ip_version or 4)]
    elif target.ip_version:
        arguments += ["--ip-version", str(target.ip_version)]
    if target.live:
        arguments.append("--live")
    return [arguments]


def progress(line: bytes) -> Progress | None:
    """Return the progress that a line of `--live` reports."""
    try:
        event = msgspec.json.decode(line, type=_Event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return Progress(event.progress, event.part, event.mbps, event.latency_ms, event.now_mbps)


def reader(engine: str) -> Callable[[Sequence[Finished]], Measurement]:
    """Return the reader of what the program of an engine prints."""

    def read(steps: Sequence[Finished]) -> Measurement:
        return _read(engine, steps)

    return read


def _read(engine: str, steps: Sequence[Finished]) -> Measurement:
    finished = steps[-1]
    found = list(documents(finished.stdout))
    if not found:
        words = last_words(finished.stderr, finished.stdout)
        if finished.exit_code:
            raise Failure("exit", words)
        if not finished.stdout.strip():
            raise Failure("no-output", words or "the program printed nothing")
        raise Failure("malformed", complaint(finished.stdout))
    flat = flatten(found[-1])
    if "error" in flat or finished.exit_code:
        raise _failure(found[-1], flat, finished)
    fields, doubts = check(flat, _Fields)
    measurement = _measurement(engine, fields, texts(flat, kept_as_common="timestamp"), _moved(flat))
    return believed(measurement, flat, finished.seconds, doubts)


def _failure(document: bytes, flat: Flat, finished: Finished) -> Failure:
    """Return the failure that a failed test tells, with what it had measured before."""
    kept = texts({name: value for name, value in flat.items() if name not in ("error", "kind")})
    try:
        wrong = msgspec.json.decode(document, type=_Wrong)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Failure("exit", last_words(finished.stderr, finished.stdout), kept, data_bytes=_moved(flat))
    return Failure(wrong.kind, wrong.error, kept, data_bytes=_moved(flat))


def _measurement(engine: str, fields: _Fields, raw: dict[str, str | None], moved: int | None) -> Measurement:
    return Measurement(
        timestamp=fields.timestamp,
        status="ok",
        engine=engine,
        download_mbps=fields.download_mbps,
        upload_mbps=fields.upload_mbps,
        latency_ms=fields.idle_shortest_ms if fields.idle_median_ms is None else fields.idle_median_ms,
        jitter_ms=fields.idle_jitter_ms,
        download_latency_ms=fields.download_loaded_median_ms,
        upload_latency_ms=fields.upload_loaded_median_ms,
        data_bytes=moved,
        ip_version=fields.ip_version,
        raw=raw,
    )


def _moved(flat: Flat) -> int | None:
    """Return the bytes of the directions that tell."""
    return total_bytes(msgspec.structs.astuple(check(flat, _Moved)[0]))
