"""What engines share: find the JSON in a program's output, check it against types, flatten it as printed."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Annotated

import msgspec

from speedtest.measurement import COMMON_COLUMNS, Failure, Measurement

MOST_TEXT = 1_000_000
"""The most bytes for a result's names and values. A row's file may have 1 MiB; known programs need 2,000 bytes."""

MOST_LISTS = 1_000
"""The most lists in one field. How many nested lists a JSON parser accepts differs between versions of Python."""

_DEEPEST = 6
_COMMON = frozenset(COMMON_COLUMNS)

LATENCY_LIMIT_MS = 600_000
"""A latency of this value or more means that no server answered (speedtest-cli prints 1800000.0)."""

BITS_PER_MEGABIT = 1_000_000

type Flat = dict[str, msgspec.Raw]
"""A program's fields by flattened name, each value as printed."""

type Amount = Annotated[float, msgspec.Meta(ge=-(2.0**62), lt=2.0**62)]
"""A measured quantity. An integer column can hold the sum of two."""


type Count = Annotated[int, msgspec.Meta(ge=-(2**62), lt=2**62)]
"""A number of bytes. An integer column can hold the sum of two."""


def documents(stream: bytes) -> Iterator[bytes]:
    """Yield each JSON object in a stream: the whole stream if it is one object, else each line that is one."""
    whole = stream.strip()
    if _is_object(whole):
        yield whole
        return
    for line in whole.splitlines():
        if _is_object(line.strip()):
            yield line.strip()


def complaint(stream: bytes) -> str:
    """Return why the last line of a stream is not a result, and how the line begins."""
    line = stream.strip().rpartition(b"\n")[2]
    excerpt = line[:200].decode("utf-8", "replace")
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return f"{error}: {excerpt}"
    return f"the program printed no result: {excerpt}"


def last_words(*streams: bytes) -> str:
    """Return up to five last lines of the first stream that has text: the error if no clearer one is found."""
    for stream in streams:
        lines = [line.rstrip() for line in stream.decode("utf-8", "replace").splitlines() if line.strip()]
        if lines:
            return "\n".join(lines[-5:])
    return ""


def flatten(document: bytes) -> Flat:
    """Join nested names with `_` and keep each value as printed. Lists, and objects nested deeper than 6, stay JSON.

    Raises Failure `malformed` if the document is not JSON or is too large for a row.
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
                raise Failure("malformed", f"the result has more than {MOST_LISTS} lists in the field {name[:100]}")
            if size > MOST_TEXT:  # checked for each field, because a long outer name is repeated in every inner one
                raise Failure("malformed", f"the result has more than {MOST_TEXT} bytes, too many for a row")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Failure("malformed", f"the result is not valid JSON: {error}") from error
    return flat


def texts(flat: Flat, kept_as_common: str | None = None) -> dict[str, str | None]:
    """Return the values as text: numbers as printed, null as None. A common column's name gets the prefix `raw_`.

    The field `kept_as_common` is left out, because the common column of that name holds it.
    """
    row: dict[str, str | None] = {}
    for field, value in flat.items():
        if field == kept_as_common:
            continue
        name = f"raw_{field}" if field in _COMMON else field.replace("\0", "\ufffd")  # as in the row's file
        while name in row:
            name += "_2"
        row[name] = _text(bytes(value))
    return row


def check[Fields](flat: Flat, fields: type[Fields]) -> Fields:
    """Check the flattened values against types. Raises Failure `malformed`, which names the field and keeps all."""
    names = [name for name in getattr(fields, "__struct_fields__", ()) if name in flat]
    document = b"{" + b",".join(b'"%b":%b' % (name.encode(), bytes(flat[name])) for name in names) + b"}"
    try:
        return msgspec.json.decode(document, type=fields)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Failure("malformed", f"the result does not have the documented form: {error}", texts(flat)) from error


def believed(measurement: Measurement, flat: Flat) -> Measurement:
    """Return the measurement if it can be true. Raises Failure `rejected`, which keeps the fields, if it cannot.

    Programs print a speed of 0 with exit code 0 when no data came through. Also rejected are figures below 0, latencies
    that mean "no answer", and timestamps before the year 1 or after 9999 in UTC.
    """
    try:
        measurement.timestamp.astimezone(UTC)
    except OverflowError:
        words = f"the timestamp {measurement.timestamp} is outside the calendar in UTC"
        raise Failure("rejected", words, texts(flat)) from None
    for direction, mbps in (("download", measurement.download_mbps), ("upload", measurement.upload_mbps)):
        if not mbps or mbps < 0:
            raise Failure("rejected", f"the program reported a {direction} speed of {mbps or 0:g} Mbit/s", texts(flat))
    if not 0 <= (measurement.latency_ms or 0) < LATENCY_LIMIT_MS:
        words = f"the program reported a latency of {measurement.latency_ms:.0f} ms: no server answered"
        raise Failure("rejected", words, texts(flat))
    if min(measurement.jitter_ms or 0, measurement.packet_loss_percent or 0, measurement.data_bytes or 0) < 0:
        raise Failure("rejected", "the program reported a figure below 0", texts(flat))
    return measurement


def convert[Fields](row: Mapping[str, str], fields: type[Fields]) -> Fields | None:
    """Convert the texts of a saved row to the same types; None if they do not fit."""
    try:
        return msgspec.convert(dict(row), fields, strict=False)
    except msgspec.MsgspecError:
        return None


def _is_object(text: bytes) -> bool:
    """Return whether the text is one JSON object."""
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
    """Return the most bytes that a field takes in a row: with separators, and with unescaped quotes counted twice."""
    bare = 0 if value.startswith(b'"') else value.count(b'"')
    return len(name.encode()) + name.count('"') + len(value) + bare + len(',"",""')


def _text(value: bytes) -> str | None:
    if value == b"null":
        return None
    if value.startswith(b'"'):
        try:
            return msgspec.json.decode(value, type=str)
        except msgspec.DecodeError:  # half of a surrogate pair: keep the escape as printed
            return value.decode()
    return value.decode()
