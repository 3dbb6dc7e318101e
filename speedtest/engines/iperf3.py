"""iperf3, which needs a server of your own. Written for 3.12; 3.10 is the oldest version with `--bind-dev`.

An attempt has three steps, four if `SPEEDTEST_UDP_MBPS` is set. A row's fields begin with the name of their step:

- `download`: four TCP streams from the server. The speed is what arrived here.
- `upload`: four TCP streams to the server. The speed is what arrived there, as the server reports it. `mean_rtt` is
  the latency under load. Only the sending side knows it, so a download has none.
- `idle`: 25 packets a second for two seconds. `mean_rtt` is the idle latency.
- `udp`: datagrams to the server for five seconds at `SPEEDTEST_UDP_MBPS`, for jitter and loss.

`-i 0` leaves one interval in each answer and makes `mean_rtt` the smoothed value at the end of the step. A `mean_rtt`
of 0 was not measured. `bits_per_second` is bit/s, `mean_rtt` is microseconds, `timesecs` is the start of the step.
`data_bytes` is what the sending sides passed on: payload only, retransmitted segments counted once.

An `error` in an answer (connection refused, unknown host, server busy with another client) is a failure `exit`,
whatever the exit code: it is 0 up to version 3.12 and 1 in later versions.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from speedtest.engines.engine import Engine, Place, Target
from speedtest.engines.interface import is_address
from speedtest.engines.output import (
    BITS_PER_MEGABIT,
    Amount,
    Count,
    Flat,
    believed,
    check,
    complaint,
    documents,
    flatten,
    last_words,
    texts,
)
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished

STEPS = ("download", "upload", "idle", "udp")

_SECONDS = 10
_IDLE_SECONDS = 2
_UDP_SECONDS = 5
_LAST_SECOND = 253402300799  # of the year 9999; `datetime` has no later year
_VERSION = re.compile(r"^iperf (3[0-9A-Za-z.]*)", re.MULTILINE)
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::([0-9]{1,5}))?")


class _Sender(msgspec.Struct):
    mean_rtt: Amount = 0


class _Stream(msgspec.Struct):
    sender: _Sender


class _Answer(msgspec.Struct):
    error: str | None = None


class _Fields(msgspec.Struct):
    """The fields that the common columns come from, by their flattened names with the step in front."""

    download_start_timestamp_timesecs: Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)]
    download_end_sum_received_bits_per_second: Amount
    download_end_sum_sent_bytes: Count
    upload_end_sum_received_bits_per_second: Amount
    upload_end_sum_sent_bytes: Count
    upload_end_streams: list[_Stream]
    idle_end_sum_sent_bytes: Count
    idle_end_streams: list[_Stream]
    udp_end_sum_bytes: Count = 0
    udp_end_sum_jitter_ms: Amount | None = None
    udp_end_sum_lost_percent: Amount | None = None


def _arguments(target: Target) -> list[list[str]]:
    always = ["--json", "--interval", "0", "--connect-timeout", "10000", *_server(target), *_interface(target)]
    loaded = [*always, "--parallel", "4", "--time", str(target.seconds or _SECONDS)]
    idle = [*always, "--time", str(_IDLE_SECONDS), "--bitrate", "200K", "--length", "1K"]
    steps = [[*loaded, "--reverse"], loaded, idle]
    if target.udp_mbps:
        rate = str(round(target.udp_mbps * BITS_PER_MEGABIT))
        steps.append([*always, "--time", str(_UDP_SECONDS), "--udp", "--bitrate", rate, "--length", "1200"])
    return steps


def _server(target: Target) -> list[str]:
    found = _SERVER.fullmatch(target.server or "")
    if not found:
        return ["--client", target.server or ""]
    port = ["--port", found[2]] if found[2] else []
    return ["--client", found[1].strip("[]"), *port]


def _interface(target: Target) -> list[str]:
    if not target.interface:
        return []
    return ["--bind" if is_address(target.interface) else "--bind-dev", target.interface]


def _is_server(text: str) -> bool:
    found = _SERVER.fullmatch(text)
    if not found:
        return is_address(text)
    return not found[1].startswith("[") or is_address(found[1].strip("[]"))


def _step_failed(finished: Finished) -> bool:
    return finished.exit_code != 0 or _error(finished) is not None


def _error(finished: Finished) -> str | None:
    for document in documents(finished.stdout):
        try:
            return msgspec.json.decode(document, type=_Answer).error
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return None


def _read(steps: Sequence[Finished]) -> Measurement:
    flat: Flat = {}
    for name, finished in zip(STEPS, steps, strict=False):
        _add(flat, name, finished)
    fields = check(flat, _Fields)
    return believed(_measurement(fields, texts(flat)), flat)


def _add(flat: Flat, name: str, finished: Finished) -> None:
    """Add the fields of one step. Raises Failure, with the fields of earlier steps, if this step failed."""
    words = _error(finished) or last_words(finished.stderr, finished.stdout)
    if _step_failed(finished):
        raise Failure("exit", f"{name}: {words}", texts(flat))
    if not finished.stdout.strip():
        raise Failure("no-output", f"{name}: {words or 'the program printed nothing'}", texts(flat))
    found = list(documents(finished.stdout))
    if not found:
        raise Failure("malformed", f"{name}: {complaint(finished.stdout)}", texts(flat))
    flat |= {f"{name}_{field}": value for field, value in flatten(found[-1]).items()}


def _measurement(fields: _Fields, raw: dict[str, str | None]) -> Measurement:
    sent = (
        fields.download_end_sum_sent_bytes,
        fields.upload_end_sum_sent_bytes,
        fields.idle_end_sum_sent_bytes,
        fields.udp_end_sum_bytes,
    )
    return Measurement(
        timestamp=datetime.fromtimestamp(fields.download_start_timestamp_timesecs, UTC),
        status="ok",
        engine=ENGINE.name,
        download_mbps=fields.download_end_sum_received_bits_per_second / BITS_PER_MEGABIT,
        upload_mbps=fields.upload_end_sum_received_bits_per_second / BITS_PER_MEGABIT,
        latency_ms=_latency_ms(fields.idle_end_streams),
        jitter_ms=fields.udp_end_sum_jitter_ms,
        packet_loss_percent=fields.udp_end_sum_lost_percent,
        upload_latency_ms=_latency_ms(fields.upload_end_streams),
        data_bytes=sum(sent),
        raw=raw,
    )


def _latency_ms(streams: Sequence[_Stream]) -> float | None:
    """Return the mean round-trip time of the streams that measured one; None if none did."""
    microseconds = [stream.sender.mean_rtt for stream in streams if stream.sender.mean_rtt]
    return sum(microseconds) / len(microseconds) / 1000 if microseconds else None


ENGINE = Engine(
    name="iperf3",
    programs=("iperf3",),
    version=_VERSION,
    arguments=_arguments,
    step_failed=_step_failed,
    read=_read,
    place=Place(allowed="the host or host:port of your iperf3 server", fits=_is_server, needed=True),
)
