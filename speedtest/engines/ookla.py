"""Ookla's CLI, 1.0.0 to 1.2.0: the program `speedtest` that calls itself "Speedtest by Ookla".

It prints one line of JSON with `type` = `result` on standard output and exits 0. `bandwidth` is bytes per second,
latencies are milliseconds, `packetLoss` is percent and missing if the server does not report it, `timestamp` is the
end of the test. All other output is no result. A good result can come with log records on standard error. An
`{"error": …}` without a type comes on standard output with exit code 2. Exit code 173 means rate-limited.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from speedtest.engines.engine import Engine, Listing, Options, Progress, Target, options
from speedtest.engines.network_interface import address_of, is_address
from speedtest.engines.output import (
    BITS_PER_MEGABIT,
    Amount,
    Count,
    Flat,
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
from speedtest.values.hosts import version_of

_RATE_LIMITED = 173
_VERSION = re.compile(r"Speedtest by Ookla ([0-9][0-9.]*)")
_ACCEPT = ("--accept-license", "--accept-gdpr")
_ALWAYS = (*_ACCEPT, "--progress=no", "--format=json")
_LIVE = (*_ACCEPT, "--progress=yes", "--format=jsonl")
_LOG_LINE = re.compile(rb"^(?:\[[^\]\n]*\] )?\[error\] (.*)$", re.MULTILINE)


class _Fields(msgspec.Struct):
    """The fields that the common columns come from, under their flattened names."""

    type: Literal["result"]
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    download_bandwidth: Amount
    upload_bandwidth: Amount
    download_bytes: Count | None = None
    upload_bytes: Count | None = None
    ping_latency: Amount | None = None
    ping_jitter: Amount | None = None
    packetLoss: Amount | None = None  # noqa: N815 (the program's own spelling)
    download_latency_iqm: Amount | None = None
    upload_latency_iqm: Amount | None = None
    server_ip: str | None = None


class _Message(msgspec.Struct):
    """A line of JSON that is not a result: a log record (`message`) or an error object (`error`)."""

    error: str | None = None
    level: str | None = None
    message: str | None = None


class _Server(msgspec.Struct):
    id: int | str


class _List(msgspec.Struct):
    """What `--servers` prints: `{"type":"serverList","servers":[{"id":…,"host":…},…]}`, the nearest first."""

    servers: list[_Server]


class _Stage(msgspec.Struct, frozen=True):
    progress: Amount = 0
    bandwidth: Amount | None = None
    latency: Amount | dict[str, object] | None = None


class _Event(msgspec.Struct):
    """A line of `--format=jsonl` before the result. `progress` is the completed part of a stage, from 0 to 1."""

    type: Literal["testStart", "ping", "download", "upload"]
    ping: _Stage = _Stage()
    download: _Stage = _Stage()
    upload: _Stage = _Stage()


def _arguments(target: Target) -> list[list[str]]:
    chosen = [f"--server-id={target.server_id}"] if target.server_id else []
    trusted = [f"--ca-certificate={target.ca_file}"] if target.ca_file else []
    return [[*target.arguments, *(_LIVE if target.live else _ALWAYS), *trusted, *_interface(target), *chosen]]


def _interface(target: Target) -> list[str]:
    if target.ip_version or (target.interface and is_address(target.interface)):
        return [f"--ip={address_of(target.interface, target.ip_version or 4)}"]
    return [f"--interface={target.interface}"] if target.interface else []


def _listed(finished: Finished) -> list[str]:
    for document in documents(finished.stdout):
        try:
            return [str(server.id) for server in msgspec.json.decode(document, type=_List).servers]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return []


def _progress(line: bytes) -> Progress | None:
    try:
        event = msgspec.json.decode(line, type=_Event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if event.type == "testStart":
        return Progress("start")
    stage: _Stage = getattr(event, event.type)
    part = min(max(stage.progress, 0.0), 1.0)
    if event.type == "ping":
        return Progress("latency", part, latency_ms=stage.latency if isinstance(stage.latency, float) else None)
    return Progress(event.type, part, None if stage.bandwidth is None else stage.bandwidth * 8 / BITS_PER_MEGABIT)


def _read(steps: Sequence[Finished]) -> Measurement:
    finished = steps[-1]
    if finished.exit_code == _RATE_LIMITED or (finished.exit_code and b"Limit reached:" in finished.stderr):
        raise Failure("rate-limited", last_words(finished.stderr, finished.stdout))
    if finished.exit_code:
        raise Failure("exit", _error(finished))
    result = _result(finished)
    fields, doubts = check(result, _Fields)
    measurement = _measurement(fields, texts(result, kept_as_common="timestamp"))
    return believed(measurement, result, finished.seconds, doubts)


def _result(finished: Finished) -> Flat:
    """Return the last object of type `result` on standard output. Raises Failure if there is none."""
    not_kept: Failure | None = None
    for document in reversed(list(documents(finished.stdout))):
        try:
            flat = flatten(document)
        except Failure as failure:
            not_kept = not_kept or failure
            continue
        if bytes(flat.get("type", b"")) == b'"result"':
            return flat
    if not_kept:
        raise not_kept
    if not finished.stdout.strip():
        raise Failure("no-output", _error(finished) or "the program printed nothing")
    raise Failure("malformed", _logged(finished) or complaint(finished.stdout))


def _measurement(fields: _Fields, raw: dict[str, str | None]) -> Measurement:
    return Measurement(
        timestamp=fields.timestamp,
        status="ok",
        engine=ENGINE.name,
        download_mbps=fields.download_bandwidth * 8 / BITS_PER_MEGABIT,
        upload_mbps=fields.upload_bandwidth * 8 / BITS_PER_MEGABIT,
        latency_ms=fields.ping_latency,
        jitter_ms=fields.ping_jitter,
        packet_loss_percent=fields.packetLoss,
        download_latency_ms=fields.download_latency_iqm,
        upload_latency_ms=fields.upload_latency_iqm,
        data_bytes=both(fields.download_bytes, fields.upload_bytes),
        ip_version=version_of(fields.server_ip),
        raw=raw,
    )


def _error(finished: Finished) -> str:
    return _logged(finished) or last_words(finished.stderr, finished.stdout)


def _logged(finished: Finished) -> str | None:
    """Return the last error on standard output, else the last one on standard error; None if there is none.

    The last error is often general ("could not retrieve configuration"), so the earlier ones follow, each once.
    """
    for stream in (finished.stdout, finished.stderr):
        found = [match[1].decode("utf-8", "replace") for match in _LOG_LINE.finditer(stream)]
        for document in documents(stream):
            message = _message(document)
            if message:
                found.append(message)
        if found:
            last = found[-1].strip()
            earlier = dict.fromkeys(text.strip() for text in found if text.strip() != last)
            return f"{last} (earlier: {'; '.join(earlier)})" if earlier else last
    return None


def _message(document: bytes) -> str | None:
    try:
        line = msgspec.json.decode(document, type=_Message)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return line.error or (line.message if line.level == "error" else None)


def _derive(row: Mapping[str, str]) -> Measurement | None:
    found = convert(row, _Fields)
    return believed(_measurement(found[0], {}), {}) if found else None


ENGINE = Engine(
    name="ookla",
    auto=1,
    programs=("speedtest",),
    version=_VERSION,
    arguments=_arguments,
    read=_read,
    progress=_progress,
    derive=_derive,
    numbers="speedtest.net",
    vanished=lambda error: "NoServersException" in error,
    options=Options(
        refused=options(
            "-f --format -p --progress --progress-update-interval -h --help -V --version -L --servers -s",
            "--server-id -I --interface -i --ip --output-header --ca-certificate --accept-license",
            "--accept-gdpr",
        ),
        flags="aAbBv",
        harmless=options("-v -a -A -b -B -u --unit -P --precision --selection-details"),
    ),
    listing=Listing(arguments=lambda target: [*_ALWAYS, *_interface(target), "--servers"], read=_listed),
)
