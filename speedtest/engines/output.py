"""What engines share: find the JSON in what a program printed, check it against types, flatten it as it came."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Annotated, Literal

import msgspec

from speedtest.measurement import COMMON_COLUMNS, Failure, Measurement
from speedtest.process import Finished

MOST_TEXT = 1_000_000
"""Bytes that a result's names and values may take in a row's file, which may have 1 MiB; known programs need 2,000."""

MOST_LISTS = 1_000
"""Lists in one field; how many nested ones a JSON parser takes differs from one Python to the next."""

_DEEPEST = 6
_COMMON = frozenset(COMMON_COLUMNS)

LATENCY_LIMIT_MS = 600_000
"""A latency from here on is a program's way to say that nothing answered (speedtest-cli: 1800000.0)."""

BITS_PER_MEGABIT = 1_000_000

type Flat = dict[str, msgspec.Raw]
"""A program's fields under their flattened names, each value as it was printed."""

type Amount = Annotated[float, msgspec.Meta(ge=-(2.0**62), lt=2.0**62)]
"""A measured quantity: a number of which a column of whole numbers holds the sum of two."""


type Count = Annotated[int, msgspec.Meta(ge=-(2**62), lt=2**62)]
"""A number of bytes."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a test shall measure, as far as somebody said; each program takes of it what it can."""

    server_id: str | None = None
    """The number of a server in the program's own list."""
    excluded_id: str | None = None
    """The number of a server that the program shall not choose."""
    server: str | None = None
    """What `SPEEDTEST_SERVER` says for this program: a host, or a list of servers."""
    interface: str | None = None
    """The name or the address of the network interface to measure over."""
    seconds: int | None = None
    """How long to measure each direction, where the program can be told."""
    udp_mbps: float | None = None
    """The rate at which to send datagrams, for jitter and loss, where a program measures them only if asked."""
    live: bool = False
    """Whether somebody watches: a program that can tell how far it is shall do so while it runs."""


class Progress(msgspec.Struct, frozen=True):
    """How far a running test is."""

    step: Literal["start", "latency", "download", "upload"]
    part: float = 0.0
    """Of this step, from 0 to 1."""
    mbps: float | None = None
    """Mbit/s so far."""
    latency_ms: float | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What `SPEEDTEST_SERVER` may say for a program."""

    allowed: str
    """What a text must be, in words."""
    fits: Callable[[str], bool]
    needed: bool = False
    """Whether the program has no server of its own to choose."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How a program that cannot leave a server out lists those from which to pick another one."""

    arguments: Callable[[Target], list[str]]
    read: Callable[[Finished], list[str]]
    """The numbers of the servers, the nearest first; none if it did not list any."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One speed-test program: what it is called, how it is started and how its answer is read."""

    name: str
    """An item of `SPEEDTEST_ENGINE`, and the value of the column `engine`."""
    auto: int | None = None
    """Its place in the order in which `auto` looks for programs; None: it measures only where it is asked for."""
    programs: tuple[str, ...]
    """Names under which it may be on PATH, the likeliest first."""
    version: Callable[[str], str | None]
    """Its version, from what `--version` printed; None if another program answered."""
    arguments: Callable[[Target], list[list[str]]]
    """What it is started with: a list for each step of a test. Steps run one after the other, within one time limit."""
    step_failed: Callable[[Finished], bool] = lambda finished: finished.exit_code != 0
    """Say whether a step that ended by itself failed, so that no further one is started."""
    read: Callable[[Sequence[Finished]], Measurement]
    """The result in what its steps printed: all of them, or those up to the first that failed.

    Raises Failure, for anything that is not a result that can be true.
    """
    progress: Callable[[bytes], Progress | None] | None = None
    """What a line says that it prints while it runs and somebody watches; None for a line that belongs to the result.

    No such function: the program cannot tell.
    """
    derive: Callable[[Mapping[str, str]], Measurement | None] = lambda _row: None
    """The same from the flattened fields alone, as the original program kept them; None if they are not its own."""
    numbers: str | None = None
    """Whose list of servers its numbers are from: `SPEEDTEST_SERVER_ID` counts for every engine of the same list."""
    vanished: Callable[[str], bool] = lambda _error: False
    """Say whether a failed attempt's words mean that the server asked for by number is not there any more."""
    listing: Listing | None = None
    """How to find another server where `excluded_id` is not among its arguments."""
    place: Place | None = None
    """What `SPEEDTEST_SERVER` may be; None if the program takes none."""


def documents(stream: bytes) -> Iterator[bytes]:
    """Yield each JSON object in a stream: the whole of it if it is one, else each line that is one."""
    whole = stream.strip()
    if _is_object(whole):
        yield whole
        return
    for line in whole.splitlines():
        if _is_object(line.strip()):
            yield line.strip()


def complaint(stream: bytes) -> str:
    """Say why the last line of a stream is no JSON object, and how it begins."""
    line = stream.strip().rpartition(b"\n")[2]
    excerpt = line[:200].decode("utf-8", "replace")
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return f"{error}: {excerpt}"
    return f"no result among what it printed: {excerpt}"


def last_words(*streams: bytes) -> str:
    """Return the last stretch of text of the first stream that has any: what is said when no error can be found."""
    for stream in streams:
        lines = [line.rstrip() for line in stream.decode("utf-8", "replace").splitlines() if line.strip()]
        if lines:
            return "\n".join(lines[-5:])
    return ""


def flatten(document: bytes) -> Flat:
    """Join nested names with `_` and keep each value's own text; lists, and what nests deeper than 6, stay JSON.

    Raises Failure `malformed` for what is no JSON or would be too large for a row.
    """
    flat: Flat = {}
    size = 0
    try:
        document.decode()
        for field, value in _fields("", document, _DEEPEST):
            name = field
            while name in flat:
                name += "_2"
            flat[name] = value
            size += _size(name, bytes(value))
            if bytes(value).startswith((b"[", b"{")) and bytes(value).count(b"[") > MOST_LISTS:
                raise Failure("malformed", f"the result has more than {MOST_LISTS} lists in its field {name[:100]}")
            if size > MOST_TEXT:  # looked at here, because a long name above many fields is a part of each of theirs
                raise Failure("malformed", f"the result has more than the {MOST_TEXT} bytes that a row may hold")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Failure("malformed", f"the result is no valid JSON: {error}") from error
    return flat


def texts(flat: Flat, kept_as_common: str | None = None) -> dict[str, str | None]:
    """Return the values as text: numbers as printed, null as None. A common column's name gets the prefix `raw_`.

    The field `kept_as_common` is left out: the common column of that name holds it.
    """
    row: dict[str, str | None] = {}
    for field, value in flat.items():
        if field == kept_as_common:
            continue
        name = f"raw_{field}" if field in _COMMON else field.replace("\0", "\ufffd")  # as its file will have it
        while name in row:
            name += "_2"
        row[name] = _text(bytes(value))
    return row


def check[Fields](flat: Flat, fields: type[Fields]) -> Fields:
    """Check the flattened values against types. Raises Failure `malformed`, naming the field and keeping them all."""
    names = [name for name in getattr(fields, "__struct_fields__", ()) if name in flat]
    document = b"{" + b",".join(b'"%b":%b' % (name.encode(), bytes(flat[name])) for name in names) + b"}"
    try:
        return msgspec.json.decode(document, type=fields)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Failure("malformed", f"the result is not as documented: {error}", texts(flat)) from error


def believed(measurement: Measurement, flat: Flat) -> Measurement:
    """Return the measurement if it can be true. Raises Failure `rejected`, keeping the fields, if it cannot.

    Programs print a speed of 0, exit code 0, where nothing came through. A figure below 0 cannot be true either, nor a
    latency that stands for no answer, nor an instant before the year 1 or after 9999.
    """
    try:
        measurement.timestamp.astimezone(UTC)
    except OverflowError:
        raise Failure("rejected", f"{measurement.timestamp} cannot be told in UTC", texts(flat)) from None
    for direction, mbps in (("download", measurement.download_mbps), ("upload", measurement.upload_mbps)):
        if not mbps or mbps < 0:
            raise Failure(
                "rejected", f"a {direction} speed of {mbps or 0:g} Mbit/s was reported as a result", texts(flat)
            )
    if not 0 <= (measurement.latency_ms or 0) < LATENCY_LIMIT_MS:
        words = f"a latency of {measurement.latency_ms:.0f} ms was reported as a result: no server answered"
        raise Failure("rejected", words, texts(flat))
    if min(measurement.jitter_ms or 0, measurement.packet_loss_percent or 0, measurement.data_bytes or 0) < 0:
        raise Failure("rejected", "a figure below 0 was reported as a result", texts(flat))
    return measurement


def convert[Fields](row: Mapping[str, str], fields: type[Fields]) -> Fields | None:
    """Check a kept row's texts against the same types; None if they do not fit."""
    try:
        return msgspec.convert(dict(row), fields, strict=False)
    except msgspec.MsgspecError:
        return None


def _is_object(text: bytes) -> bool:
    """Say whether this is one JSON object; NaN, which is no JSON, still makes one here: it is judged later."""
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return False
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _fields(prefix: str, document: bytes, deeper: int) -> Iterator[tuple[str, msgspec.Raw]]:
    for key, value in msgspec.json.decode(document, type=dict[str, msgspec.Raw]).items():
        if deeper and bytes(value).startswith(b"{"):
            yield from _fields(f"{prefix}{key}_", bytes(value), deeper - 1)
        else:
            yield prefix + key, value


def _size(name: str, value: bytes) -> int:
    """Return how many bytes a field takes at most in a row: commas, and quotes twice where JSON did not escape them."""
    bare = 0 if value.startswith(b'"') else value.count(b'"')
    return len(name.encode()) + name.count('"') + len(value) + bare + len(',"",""')


def _text(value: bytes) -> str | None:
    if value == b"null":
        return None
    if value.startswith(b'"'):
        try:
            return msgspec.json.decode(value, type=str)
        except msgspec.DecodeError:  # half of a surrogate pair: kept as the escape that was printed
            return value.decode()
    return value.decode()
