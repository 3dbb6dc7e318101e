"""The rows of a line as columns of numbers, in the order of their starts, whatever the order they came in.

A test starts at `started_at`: the `timestamp` of Ookla's CLI and of librespeed is its end.
"""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from speedtest.verdicts import local_time
from speedtest.verdicts.contract import Direction
from speedtest.verdicts.local_time import DAY, Instants

type Floats = NDArray[np.float64]
type Mask = NDArray[np.bool_]
type Indices = NDArray[np.intp]

COLUMNS = (
    "timestamp",
    "started_at",
    "speedtest_address",
    "status",
    "engine",
    "download_mbps",
    "upload_mbps",
    "latency_ms",
    "data_bytes",
    "error_kind",
    "error",
    "duration_seconds",
    "interval_seconds",
    "timezone",
    "slot",
    "attempt",
    "line",
    "link",
    "link_mbps",
    "other_bytes",
    "cpu_percent",
    "server_id",
    "server_host",
    "server_name",
    "isp",
    "client_isp",
    "interface_isVpn",
)
"""The columns of the lake that a verdict needs."""

NEVER = -(2**63)
"""An instant that a row does not have."""


class Texts(msgspec.Struct, frozen=True):
    """A column of texts: a number for each row, -1 for null, and the text of each number."""

    codes: NDArray[np.int32]
    names: list[str]

    def at(self, row: int) -> str | None:
        """Return the text of a row."""
        code = int(self.codes[row])
        return None if code < 0 else self.names[code]

    def equal(self, *texts: str) -> Mask:
        """Return which rows have one of these texts."""
        wanted = [number for number, name in enumerate(self.names) if name in texts]
        return np.isin(self.codes, wanted)

    def among(self, rows: Indices) -> list[str]:
        """Return the different texts of these rows, sorted."""
        return sorted(self.names[code] for code in np.unique(self.codes[rows]) if code >= 0)


class LineRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one line. Every array has one value a row."""

    start: Instants
    end: Instants
    slot: Instants
    """NEVER: made by hand, or after an outage."""
    attempt: Instants
    offset: Instants
    """How far the clock on the wall is ahead of UTC at the start; 0 if the zone is not known."""
    slot_offset: Instants
    """The same when it was due."""
    download: Floats
    upload: Floats
    latency: Floats
    """NaN where it was not measured, as in the speeds."""
    moved: Floats
    other: Floats
    cpu: Floats
    link_mbps: Floats
    interval: Floats
    is_vpn: Mask
    status: Texts
    engine: Texts
    zone: Texts
    """Null: the row names no zone, or one that this machine does not know."""
    isp: Texts
    link: Texts
    line: Texts
    error_kind: Texts
    table: pa.Table

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.start)

    def speed(self, direction: Direction) -> Floats:
        """Return the speeds of a direction, Mbit/s."""
        return self.download if direction == "download" else self.upload

    @property
    def day(self) -> Instants:
        """The local day on which each test started, as a number."""
        return (self.start + self.offset) // DAY

    @property
    def clock(self) -> Instants:
        """The time on the wall at each start: microseconds since midnight."""
        return (self.start + self.offset) % DAY

    @property
    def slot_clock(self) -> Instants:
        """The time on the wall at which each test was due."""
        return (self.slot + self.slot_offset) % DAY

    @property
    def slot_day(self) -> Instants:
        """The local day on which each test was due."""
        return (self.slot + self.slot_offset) // DAY

    def value(self, name: str, row: int) -> Any:  # noqa: ANN401 (its type is the column's)
        """Return what a row has in a column of the lake."""
        return self.table[name][row].as_py()

    def server(self, row: int) -> str | None:
        """Return how a row names its server."""
        name = self.value("server_name", row) or self.value("server_host", row)
        number = self.value("server_id", row)
        return f"{name} ({number})" if name and number else name or number


def of(table: pa.Table) -> LineRows:
    """Return the rows of a table that has `COLUMNS`, without outages that the watch saw, which are no tests."""
    table = table.filter(pa.array(~_texts(table["status"]).equal("outage")))
    slot = _instants(table["slot"])
    start = _first_known(_instants(table["started_at"]), slot, _instants(table["timestamp"]))
    keys = ("upload_mbps", "download_mbps", "duration_seconds", "attempt")
    engine = _ranks(_texts(table["engine"]))
    order = np.lexsort((*(_floats(table[name]) for name in keys), engine, slot, _instants(table["timestamp"]), start))
    return _arrays(table.take(order).combine_chunks(), start[order], slot[order])


def _ranks(texts: Texts) -> NDArray[np.intp]:
    """Return numbers that sort rows by a text, whatever row came first."""
    ranks = np.argsort(np.argsort(np.array(texts.names))) if texts.names else np.zeros(1, np.intp)
    return np.where(texts.codes < 0, -1, ranks[texts.codes])


def _arrays(table: pa.Table, start: Instants, slot: Instants) -> LineRows:
    seconds = np.nan_to_num(_floats(table["duration_seconds"]))
    zone = _known(_texts(table["timezone"]))
    isp = pc.coalesce(table["isp"], table["client_isp"])
    return LineRows(
        start=start,
        end=start + (np.clip(seconds, 0, DAY) * local_time.SECOND).astype(np.int64),
        slot=slot,
        attempt=np.nan_to_num(_floats(table["attempt"]), nan=1).astype(np.int64),
        offset=_offsets(start, zone),
        slot_offset=_offsets(np.where(slot == NEVER, start, slot), zone),
        download=_floats(table["download_mbps"]),
        upload=_floats(table["upload_mbps"]),
        latency=_floats(table["latency_ms"]),
        moved=_floats(table["data_bytes"]),
        other=_floats(table["other_bytes"]),
        cpu=_floats(table["cpu_percent"]),
        link_mbps=_floats(table["link_mbps"]),
        interval=_floats(table["interval_seconds"]),
        is_vpn=_floats(table["interface_isVpn"].cast(pa.int8())) == 1,
        status=_texts(table["status"]),
        engine=_texts(table["engine"]),
        zone=zone,
        isp=_texts(isp),
        link=_texts(table["link"]),
        line=_texts(table["line"]),
        error_kind=_texts(table["error_kind"]),
        table=table,
    )


def _instants(column: "pa.ChunkedArray[Any]") -> Instants:
    return column.cast(pa.int64()).fill_null(pa.scalar(NEVER, pa.int64())).to_numpy()


def _floats(column: "pa.ChunkedArray[Any]") -> Floats:
    return column.cast(pa.float64()).fill_null(pa.scalar(float("nan"))).to_numpy()


def _texts(column: "pa.ChunkedArray[Any]") -> Texts:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = array.dictionary_encode()
    codes = coded.indices.fill_null(pa.scalar(-1, pa.int32())).to_numpy(zero_copy_only=False)
    return Texts(codes, [str(name) for name in coded.dictionary.to_pylist()])


def _first_known(*columns: Instants) -> Instants:
    found = columns[-1]
    for column in reversed(columns[:-1]):
        found = np.where(column == NEVER, found, column)
    return found


def _known(zones: Texts) -> Texts:
    """Return the zones without those that this machine does not know."""
    lost = [number for number, name in enumerate(zones.names) if local_time.zone_of(name) is None]
    return Texts(np.where(np.isin(zones.codes, lost), -1, zones.codes), zones.names)


def _offsets(start: Instants, zones: Texts) -> Instants:
    found = np.zeros(len(start), np.int64)
    for number, name in enumerate(zones.names):
        members = zones.codes == number
        zone = local_time.zone_of(name)
        if zone and members.any():
            found[members] = local_time.offsets(start[members], zone)
    return found
