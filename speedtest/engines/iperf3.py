"""iperf3, which needs a server of your own. Written for 3.12; 3.10 is the oldest version with `--bind-dev`.

An attempt has three steps, four if `SPEEDTEST_UDP_MBPS` is set. A row's fields begin with the name of their step:

- `download`: four TCP streams from the server. The speed is what arrived here.
- `upload`: four TCP streams to the server. The speed is what arrived there, as the server reports it. `mean_rtt` is
  the latency under load. Only the sending side knows it, so a download has none.
- `idle`: 25 packets a second for two seconds. `mean_rtt` is the idle latency.
- `udp`: datagrams to the server for five seconds at `SPEEDTEST_UDP_MBPS`, for jitter and loss.

The two loaded steps make a result. If another step fails, its figures are null, and its fields say why. Where UDP is
dropped, the program would wait for half a minute, so those steps have a time limit.

`-i 0` leaves one interval in each answer and makes `mean_rtt` the smoothed value at the end of the step. A `mean_rtt`
of 0 was not measured. `bits_per_second` is bit/s, `mean_rtt` is microseconds, `timesecs` is the start of the step.
`data_bytes` is what the sending sides passed on: payload only, retransmitted segments counted once.

An `error` in an answer (unknown host) is a failure `exit`, whatever the exit code: it is 0 up to version 3.12 and 1 in
later versions. "Connection refused" is `refused`, as with every program. A server measures with one client at a time.
If it is busy with another one, that is `server-busy`, which says nothing of the line. So `SPEEDTEST_SERVER` may name
several ports and servers: they are asked in turn.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from speedtest.engines.engine import Engine, Known, Options, Place, Target, options
from speedtest.engines.network_interface import is_address
from speedtest.engines.output import (
    BITS_PER_MEGABIT,
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
from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished
from speedtest.values.hosts import version_of

STEPS = ("download", "upload", "idle", "udp")

_SECONDS = 10
_IDLE_SECONDS = 2
_UDP_SECONDS = 5
_NEEDED = 2
_EXTRA_SECONDS = 4
"""How much longer than planned a step may take that a result does not need."""
_SLOWEST_SECONDS = 15
"""How much longer than planned a server may take if there is another one to ask."""
_CONNECT_SECONDS = 10
_CONNECT_SECONDS_OF_MANY = 4
MOST_PLACES = 100
AND = "+"
"""Separates servers. No name and no address has one, and no shell takes it for something else."""
_LAST_SECOND = 253402300799  # of the year 9999; `datetime` has no later year
_VERSION = re.compile(r"^iperf (3[0-9A-Za-z.]*)", re.MULTILINE)
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?")
_LARGEST_PORT = 65535
_BUSY = "server is busy"


class _Sender(msgspec.Struct):
    mean_rtt: Amount = 0


class _Stream(msgspec.Struct):
    sender: _Sender


class _Connected(msgspec.Struct):
    remote_host: str = ""


class _Answer(msgspec.Struct):
    error: str | None = None


class _Fields(msgspec.Struct):
    """The fields that the common columns come from, by their flattened names with the step in front."""

    download_start_timestamp_timesecs: Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)]
    download_end_sum_received_bits_per_second: Amount
    upload_end_sum_received_bits_per_second: Amount
    upload_end_streams: list[_Stream] = []
    idle_end_streams: list[_Stream] = []
    udp_end_sum_jitter_ms: Amount | None = None
    udp_end_sum_lost_percent: Amount | None = None
    udp_end_sum_packets: Amount | None = None
    download_start_connected: list[_Connected] = []


class _Moved(msgspec.Struct):
    """The bytes of each step, as far as they are known."""

    download_end_sum_sent_bytes: Count | None = None
    upload_end_sum_sent_bytes: Count | None = None
    idle_end_sum_sent_bytes: Count | None = None
    udp_end_sum_bytes: Count | None = None


def _arguments(target: Target) -> list[list[str]]:
    wait = str((_CONNECT_SECONDS_OF_MANY if target.one_of_many else _CONNECT_SECONDS) * 1000)
    always = [*target.arguments, "--json", "--interval", "0", "--connect-timeout", wait]
    always += [*_server(target), *_interface(target)]
    has_streams = any(argument.startswith(("-P", "--parallel")) for argument in target.arguments)
    loaded = [*always, *([] if has_streams else ["--parallel", "4"]), "--time", str(target.seconds or _SECONDS)]
    always += ["--parallel", "1"] if has_streams else []
    idle = [*always, "--time", str(_IDLE_SECONDS), "--bitrate", "200K", "--length", "1K"]
    steps = [[*loaded, "--reverse"], loaded, idle]
    if target.udp_mbps:
        rate = str(round(target.udp_mbps * BITS_PER_MEGABIT))
        steps.append([*always, "--time", str(_UDP_SECONDS), "--udp", "--bitrate", rate, "--length", "1200"])
    return steps


def _seconds(target: Target) -> list[float]:
    loaded = (target.seconds or _SECONDS) + _SLOWEST_SECONDS if target.one_of_many else math.inf
    return [loaded, loaded, _IDLE_SECONDS + _EXTRA_SECONDS, _UDP_SECONDS + _EXTRA_SECONDS]


def _places(target: Target) -> list[Target]:
    """Return a target for each port of each server, in the order in which they are named."""
    found = list(dict.fromkeys(port for server in (target.server or "").split(AND) for port in _ports(server)))
    return [msgspec.structs.replace(target, server=server, one_of_many=len(found) > 1) for server in found]


def _ports(server: str) -> list[str]:
    found = _SERVER.fullmatch(server)
    if not found or not found[3]:
        return [server]
    return [f"{found[1]}:{port}" for port in range(int(found[2]), int(found[3]) + 1)]


def _server(target: Target) -> list[str]:
    found = _SERVER.fullmatch(target.server or "")
    if not found:
        return ["--client", target.server or ""]
    port = ["--port", found[2]] if found[2] else []
    return ["--client", found[1].strip("[]"), *port]


def _interface(target: Target) -> list[str]:
    version = version_of(target.interface) or target.ip_version
    kind = [f"-{version}"] if version else []
    if not target.interface:
        return kind
    return ["--bind" if is_address(target.interface) else "--bind-dev", target.interface, *kind]


def _are_servers(text: str) -> bool:
    return all(_is_server(server) for server in text.split(AND)) and len(_places(Target(server=text))) <= MOST_PLACES


def _is_server(text: str) -> bool:
    found = _SERVER.fullmatch(text)
    if not found:
        return is_address(text)
    first, last = int(found[2] or 1), int(found[3] or found[2] or 1)
    if not 0 < first <= last <= _LARGEST_PORT or last - first >= MOST_PLACES:
        return False
    return not found[1].startswith("[") or is_address(found[1].strip("[]"))


def _step_failed(finished: Finished) -> bool:
    return finished.exit_code != 0 or _error(finished) is not None


def _is_busy(finished: Finished) -> bool:
    return _BUSY in (_error(finished) or "")


def _error(finished: Finished) -> str | None:
    for document in documents(finished.stdout):
        try:
            return msgspec.json.decode(document, type=_Answer).error
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return None


def _read(steps: Sequence[Finished]) -> Measurement:
    flat: Flat = {}
    doubts: list[str] = []
    for number, (name, finished) in enumerate(zip(STEPS, steps, strict=False)):
        try:
            flat |= _step(name, finished)
        except Failure as failure:
            if number < _NEEDED:
                raise Failure(failure.kind, failure.words, texts(flat)) from failure
            flat |= _what_it_said(name, finished)
            doubts.append(failure.words)
    fields, misfits = check(flat, _Fields)
    doubts += misfits
    if fields.udp_end_sum_packets == 0:
        doubts.append("udp: no datagram arrived")
    moved = _moved(flat)
    try:
        seconds = sum(finished.seconds for finished in steps)
        return believed(_measurement(fields, moved, texts(flat)), flat, seconds, doubts)
    except Failure as failure:
        failure.data_bytes = moved
        raise


def _step(name: str, finished: Finished) -> Flat:
    """Return the fields of one step. Raises Failure if it failed."""
    words = _error(finished) or last_words(finished.stderr, finished.stdout)
    if finished.ended == "timeout":
        raise Failure("timeout", f"{name}: ended after {finished.seconds:.0f} s: no answer")
    if _step_failed(finished):
        raise Failure("server-busy" if _BUSY in words else "exit", f"{name}: {words}")
    if not finished.stdout.strip():
        raise Failure("no-output", f"{name}: {words or 'the program printed nothing'}")
    found = list(documents(finished.stdout))
    if not found:
        raise Failure("malformed", f"{name}: {complaint(finished.stdout)}")
    return {f"{name}_{field}": value for field, value in flatten(found[-1]).items()}


def _what_it_said(name: str, finished: Finished) -> Flat:
    """Return the fields of a step that failed, as far as it printed any."""
    for document in documents(finished.stdout):
        try:
            return {f"{name}_{field}": value for field, value in flatten(document).items()}
        except Failure:
            continue
    return {}


def _kept(steps: Sequence[Finished]) -> Known:
    flat: Flat = {}
    for name, finished in zip(STEPS, steps, strict=False):
        flat |= _what_it_said(name, finished)
    return Known(texts(flat), _moved(flat))


def _moved(flat: Flat) -> int | None:
    """Return the bytes of the steps that tell."""
    return total_bytes(msgspec.structs.astuple(check(flat, _Moved)[0]))


def _passes_on(failure: Failure) -> bool:
    """Return whether another server may answer: one that is busy, hangs or is not there says nothing of the others."""
    return failure.kind in ("server-busy", "timeout") or (failure.kind == "exit" and "download: " in failure.words)


def _measurement(fields: _Fields, moved: int | None, raw: dict[str, str | None]) -> Measurement:
    arrived = fields.udp_end_sum_packets != 0
    return Measurement(
        timestamp=datetime.fromtimestamp(fields.download_start_timestamp_timesecs, UTC),
        status="ok",
        engine=ENGINE.name,
        download_mbps=fields.download_end_sum_received_bits_per_second / BITS_PER_MEGABIT,
        upload_mbps=fields.upload_end_sum_received_bits_per_second / BITS_PER_MEGABIT,
        latency_ms=_latency_ms(fields.idle_end_streams),
        jitter_ms=fields.udp_end_sum_jitter_ms if arrived else None,
        packet_loss_percent=fields.udp_end_sum_lost_percent if arrived else None,
        upload_latency_ms=_latency_ms(fields.upload_end_streams),
        data_bytes=moved,
        ip_version=next((version_of(peer.remote_host) for peer in fields.download_start_connected), None),
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
    needed=_NEEDED,
    seconds=_seconds,
    step_failed=_step_failed,
    is_busy=_is_busy,
    read=_read,
    kept=_kept,
    places=_places,
    passes_on=_passes_on,
    options=Options(
        refused=options(
            "-J --json --json-stream -c --client -s --server -p --port -R --reverse --bidir -u --udp -i",
            "--interval -f --format -h --help -v --version --logfile -d --debug -B --bind --bind-dev -4",
            "--version4 -6 --version6 -t --time -n --bytes -k --blockcount -D --daemon -1 --one-off --sctp",
            "--connect-timeout --get-server-output",
        ),
        flags="46NZVRdJ",
        harmless=options("-T --title -I --pidfile -V --verbose"),
    ),
    place=Place(
        allowed="the host or host:port of your iperf3 server, host:port-port, or several joined by +",
        fits=_are_servers,
        needed=True,
    ),
)
