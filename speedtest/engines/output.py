"""What engines share: find the JSON in a program's output, check it against types, flatten it as printed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec

from speedtest.measurement import COMMON_COLUMNS, Failure

MOST_TEXT = 1_000_000
"""The most bytes for a result's names and values. A row's file may have 1 MiB; known programs need 2,000 bytes."""

MOST_LISTS = 1_000
"""The most lists in one field. How many nested lists a JSON parser accepts differs between versions of Python."""

_DEEPEST = 6
_COMMON = frozenset(COMMON_COLUMNS)
_NO_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*+"?|-?\b(?:nan|inf(?:inity)?)\b', re.IGNORECASE)
"""A text, to pass over it, or what C and Python print for a figure that is no number."""

_SURROGATES = re.compile(rb"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)")
"""An escaped backslash, or a pair of surrogates, to pass over them; or, as group 1, half of a pair."""

BITS_PER_MEGABIT = 1_000_000

type Flat = dict[str, msgspec.Raw]
"""A program's fields by flattened name, each value as printed."""

type Amount = Annotated[float, msgspec.Meta(ge=-(2.0**62), lt=2.0**62)]
"""A measured quantity. An integer column can hold the sum of two."""


type Count = Annotated[float, msgspec.Meta(ge=0, lt=2.0**60)]
"""A number of bytes. An integer column can hold the sum of several. Ookla's 1.0.0 may print it as a float."""


def documents(stream: bytes) -> Iterator[bytes]:
    """Yield each JSON object in a stream: the whole stream if it is one object, else each line that is one.

    A bare `nan` or `inf`, which is no JSON, becomes a text, so that one such figure does not hide all others. Bytes
    that are not UTF-8, and half of a surrogate pair, become U+FFFD: a provider's name in Latin-1 costs no test.
    """
    whole = _SURROGATES.sub(_whole, stream.decode("utf-8", "replace").encode()).strip()
    if found := _as_object(whole):
        yield found
        return
    for line in whole.splitlines():
        if found := _as_object(line.strip()):
            yield found


def _whole(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found[1] else found[0]


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


def check[Fields: msgspec.Struct](flat: Flat, fields: type[Fields]) -> tuple[Fields, list[str]]:
    """Check the flattened values against types. Return the fields, and why some of them got their defaults instead.

    A field without a default is needed: if it is missing or of the wrong type, this raises Failure `malformed`, which
    names the field and keeps all. One of the others that does not fit is left out.
    """
    known = {field.name: field for field in msgspec.structs.fields(fields) if field.name in flat}
    doubts: list[str] = []
    for name, field in list(known.items()):
        if not field.required and (why := _misfit(flat[name], field.type)):
            doubts.append(f"{name} is {bytes(flat[name])[:40].decode('utf-8', 'replace')}: {why}")
            del known[name]
    document = b"{" + b",".join(b'"%b":%b' % (name.encode(), bytes(flat[name])) for name in known) + b"}"
    try:
        return msgspec.json.decode(document, type=fields), doubts
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Failure("malformed", f"the result does not have the documented form: {error}", texts(flat)) from error


def _misfit(value: msgspec.Raw, kind: object) -> str | None:
    try:
        msgspec.json.decode(bytes(value), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return None


def both(one: float | None, other: float | None) -> int | None:
    """Return the sum of the bytes of two directions; None if one is not known, for half is no sum."""
    return None if one is None or other is None else int(one + other)


def total_bytes(moved: Iterable[float | None]) -> int | None:
    """Return the sum of the bytes that are known; None if none are. What was moved before a failure counts too."""
    known = [some for some in moved if some is not None]
    return int(sum(known)) if known else None


def convert[Fields: msgspec.Struct](row: Mapping[str, str], fields: type[Fields]) -> tuple[Fields, list[str]] | None:
    """Convert the texts of a saved row to the same types, as `check` does; None if a needed one does not fit."""
    flat: Flat = {}
    for field in msgspec.structs.fields(fields):
        if field.name in row:
            try:
                value = msgspec.convert(row[field.name], field.type, strict=False)
            except msgspec.MsgspecError:
                value = row[field.name]
            flat[field.name] = msgspec.Raw(msgspec.json.encode(value))
    try:
        return check(flat, fields)
    except Failure:
        return None


def _as_object(text: bytes) -> bytes | None:
    """Return the text if it is one JSON object, perhaps with texts in place of figures that are no numbers."""
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return None
    if _is_object(text):
        return text
    mended = _NO_NUMBER.sub(_as_text, text)
    return mended if mended != text and _is_object(mended) else None


def _as_text(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].startswith(b'"') else b'"%b"' % found[0]


def _is_object(text: bytes) -> bool:
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
        return msgspec.json.decode(value, type=str)
    return value.decode()
