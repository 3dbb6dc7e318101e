"""The speeds of one test over time as one short text, so that they fit into a field of a row.

The text is base64 of zlib's compression of `MS;A B C …`: how many milliseconds each sample covers, and the samples in
kbit/s with three digits. If it became too long, neighbours are merged, so that each covers twice the time.
"""

import base64
import binascii
import itertools
import zlib
from typing import NamedTuple

LONGEST_TEXT = 1900
"""The most characters of one text. A row has two."""
_DIGITS = 3
_MOST_SAMPLES = 100_000
_LONGEST_PLAIN = 2_000_000


class Samples(NamedTuple):
    """Mean speeds of intervals of equal length, one after the other."""

    milliseconds: int
    """The length of an interval."""
    mbps: tuple[float, ...]


def pack(samples: Samples) -> str:
    """Return the text. Speeds are rounded to three digits, and merged if there are too many."""
    milliseconds, speeds = samples
    while True:
        plain = f"{milliseconds};{' '.join(str(_rounded(speed)) for speed in speeds)}"
        text = base64.b64encode(zlib.compress(plain.encode(), 9)).decode()
        if len(text) <= LONGEST_TEXT:
            return text
        milliseconds *= 2
        speeds = tuple(sum(pair) / len(pair) for pair in itertools.batched(speeds, 2, strict=False))


def unpack(text: str) -> Samples:
    """Return the samples in a text. Raises ValueError if it holds none."""
    try:
        packed = base64.b64decode(text, validate=True)
        inflating = zlib.decompressobj()
        plain = inflating.decompress(packed, _LONGEST_PLAIN).decode("ascii")
    except (binascii.Error, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"no samples: {error}") from error
    milliseconds, _, numbers = plain.partition(";")
    found = tuple(int(number) / 1000 for number in numbers.split(" ", _MOST_SAMPLES) if number)
    if int(milliseconds) <= 0:
        raise ValueError(f"no samples: they cover {milliseconds} ms")
    return Samples(int(milliseconds), found)


def _rounded(mbps: float) -> int:
    kilobits = round(mbps * 1000)
    spare = max(len(str(abs(kilobits))) - _DIGITS, 0)
    return round(kilobits, -spare)
