"""What engines share: find the JSON in what a program printed, check it against types, flatten it as it came."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Annotated

import msgspec

from speedtest.measurement import COMMON_COLUMNS, Failure, Measurement

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
