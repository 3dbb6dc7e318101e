"""Put the certificates of a time stamp in the order that DER wants.

Authorities that use OpenSSL send the set of certificates in the order of the chain. Our library reads only DER, whose
sets are sorted. The set is not signed, and sorting it changes no length, so the stamp means the same.

The way to it (RFC 3161, RFC 5652): TimeStampResp → timeStampToken → [0] content → SignedData → [0] certificates.
"""

from collections.abc import Iterator

_SEQUENCE, _TAGGED = 0x30, 0xA0
_LONG = 0x80


def with_sorted_certificates(stamp: bytes) -> bytes:
    """Return the stamp with its certificates in order; unchanged if it is not built like a stamp."""
    try:
        start, end = _certificates(stamp)
        found = sorted(stamp[begin:after] for _, begin, _, after in _elements(stamp, start, end))
    except (ValueError, IndexError):
        return stamp
    return stamp[:start] + b"".join(found) + stamp[end:]


def _certificates(stamp: bytes) -> tuple[int, int]:
    """Return where the certificates begin and end. Raises ValueError or IndexError."""
    _, start, end = _first(stamp, 0, len(stamp), _SEQUENCE)
    _status, token = list(_elements(stamp, start, end))[:2]
    _, start, end = _first(stamp, token[2], token[3], _TAGGED)
    _, start, end = _first(stamp, start, end, _SEQUENCE)
    _, start, end = _first(stamp, start, end, _TAGGED)
    return start, end


def _first(data: bytes, start: int, end: int, tag: int) -> tuple[int, int, int]:
    """Return the tag of the first element that has it, and where its content begins and ends."""
    for found, _, content, after in _elements(data, start, end):
        if found == tag:
            return found, content, after
    raise ValueError(tag)


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield tag, begin, begin of the content, and end of each element."""
    while start < end:
        length, content = data[start + 1], start + 2
        if length >= _LONG:
            digits = length - _LONG
            length, content = int.from_bytes(data[content : content + digits]), content + digits
        if content + length > end:
            raise ValueError(start)
        yield data[start], start, content, content + length
        start = content + length
