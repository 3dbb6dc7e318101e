"""Read how many rows a Parquet file has and which sources it lists, without pyarrow: a child that delivers stays small.

The end of a Parquet file is its metadata in Thrift's compact protocol, four bytes with the length, and `PAR1`
(https://parquet.apache.org/docs/file-format/). Of the metadata's fields, number 3 is the count of rows and number 5 the
list of keys and values. All others are passed over.
"""

import msgspec

from speedtest.data.partitions import SOURCES_KEY

_MAGIC = b"PAR1"
_ROWS, _PAIRS = 3, 5
_DEEPEST = 24
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_NUMBERS = (4, 5, 6)
_LONG = 15
"""A list of so many elements or more has its length in the next bytes."""


class NoParquet(ValueError):
    """Bytes that are not a complete Parquet file."""


class Footer(msgspec.Struct, frozen=True):
    """What a Parquet file says of itself."""

    rows: int
    sources: list[str]
    """Where each row comes from; empty for a file that no conversion made. See `data.parquet`."""


def read(data: bytes) -> Footer:
    """Return the footer of a Parquet file. Raises NoParquet if the bytes are none."""
    try:
        return _read(data)
    except (IndexError, ValueError, RecursionError, OverflowError) as error:
        raise NoParquet(f"it is not a Parquet file: {error}") from error


def _read(data: bytes) -> Footer:
    length = int.from_bytes(data[-8:-4], "little")
    if data[:4] != _MAGIC or data[-4:] != _MAGIC or length > len(data) - 12:
        raise ValueError("its first or last bytes are missing")
    metadata = _Thrift(data[len(data) - 8 - length : -8]).struct(0)
    rows, pairs = metadata.get(_ROWS), metadata.get(_PAIRS, [])
    if not isinstance(rows, int) or rows < 0 or not isinstance(pairs, list):
        raise ValueError("its metadata has no count of rows")
    found = {pair.get(1): pair.get(2) for pair in pairs if isinstance(pair, dict)}
    sources = found.get(SOURCES_KEY.encode(), b"")
    return Footer(rows, sources.decode().splitlines() if isinstance(sources, bytes) else [])


type _Value = int | bytes | list[_Value] | dict[int, _Value] | None


class _Thrift:
    """A reader of Thrift's compact protocol. Structs are dicts by field number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int) -> dict[int, _Value]:
        fields: dict[int, _Value] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth + 1, in_list=False)
        return fields

    def _value(self, kind: int, depth: int, *, in_list: bool) -> _Value:
        if depth > _DEEPEST:
            raise ValueError("its metadata is nested too deeply")
        if kind in (_TRUE, _FALSE):
            return self._byte() if in_list else int(kind == _TRUE)
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth)
        return self._plain(kind)

    def _plain(self, kind: int) -> int | bytes:
        if kind == _BYTE:
            return self._byte()
        if kind in _NUMBERS:
            return self._zigzag()
        if kind in (_DOUBLE, _BINARY):
            return self._take(8 if kind == _DOUBLE else self._varint())
        raise ValueError(f"its metadata has a field of the unknown type {kind}")

    def _list(self, depth: int) -> list[_Value]:
        head = self._byte()
        count = self._varint() if head >> 4 == _LONG else head >> 4
        if count > len(self._data) - self._at:
            raise ValueError("its metadata is cut short")
        return [self._value(head & 15, depth + 1, in_list=True) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise ValueError("its metadata is cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:  # noqa: PLR2004 (the highest bit says that another byte follows)
                return value
            if shift > 70:  # noqa: PLR2004 (ten bytes hold 64 bits)
                raise ValueError("its metadata has a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
