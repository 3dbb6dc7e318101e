"""The columns of the lake: name, type, unit. Every file of a version has the same columns in the same order.

First come the common columns, then the flattened fields of Ookla's CLI and of speedtest-cli. The last column is
`extra`: a JSON object, name to text, of every field that has no column or whose value does not fit its column. A later
version may only add columns, common ones behind the common ones, and then increases `SCHEMA_VERSION`. Files of an
earlier version stay as they are, so a reader finds columns by name, and a column that a file lacks is null.

Versions: 1, the first; 2 adds `clock_synced` and `raw_timestamp`; 3 adds what the watch saw (`line` to
`router_latency_ms`), the circumstances of a test (`interface` to `machine`), and `campaign`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec

SCHEMA_VERSION = 3

type Kind = Literal["text", "float64", "int64", "int32", "bool", "instant"]
type Value = str | float | int | bool | datetime


class Column(msgspec.Struct, frozen=True):
    """A column: its name, the type of its values, and their unit or meaning."""

    name: str
    kind: Kind
    meaning: str


COMMON: tuple[Column, ...] = (
    Column(
        "timestamp",
        "instant",
        "the time that the program prints (Ookla: end, speedtest-cli: start); failed: started_at; skipped: slot;"
        " outage: its start",
    ),
    Column("started_at", "instant", "when this attempt, or this outage, started, by this machine's clock"),
    Column("status", "text", "ok, failed or skipped; outage: not a test, but an outage of the line that the watch saw"),
    Column("engine", "text", "the engine that measured"),
    Column("engine_version", "text", "the program's version"),
    Column("download_mbps", "float64", "Mbit/s (10^6 bit/s)"),
    Column("upload_mbps", "float64", "Mbit/s (10^6 bit/s)"),
    Column("latency_ms", "float64", "idle latency, ms"),
    Column("jitter_ms", "float64", "ms"),
    Column("packet_loss_percent", "float64", "percent"),
    Column("download_latency_ms", "float64", "latency while downloading, ms"),
    Column("upload_latency_ms", "float64", "latency while uploading, ms"),
    Column("data_bytes", "int64", "bytes moved in both directions"),
    Column("error_kind", "text", "why it failed or was skipped, in one word; outage: where it was"),
    Column("error", "text", "the same as a sentence; after a failure, the program's own message"),
    Column("exit_code", "int32", "the program's exit code; negative: the signal that ended it"),
    Column("duration_seconds", "float64", "how long the program ran, or the outage lasted, s"),
    Column(
        "interval_seconds",
        "float64",
        "the configured interval, s; outage: of the watch, by which it may have begun earlier",
    ),
    Column("speedtest_address", "text", "the location"),
    Column("commit_hash", "text", "the version of SpeedSnake"),
    Column("timezone", "text", "the time zone (IANA) of the daemon"),
    Column("slot", "instant", "when this test was due"),
    Column("attempt", "int32", "which attempt for this slot, from 1; skipped: null"),
    Column(
        "clock_synced",
        "bool",
        "was the clock synchronised at the start; null: the system does not say",
    ),
    Column("raw_timestamp", "instant", "of a row that was re-dated: the time that the program printed"),
    Column("line", "text", "up or down: what the watch saw when this attempt began; null: it was not watched"),
    Column("watched_seconds", "float64", "how long the line was watched since the slot before, s; a slot's first row"),
    Column("down_seconds", "float64", "how much of that the line was down, s"),
    Column("probes_sent", "int64", "probes since the slot before, outside tests and outages"),
    Column("probes_lost", "int64", "how many of them were not answered"),
    Column("probe_latency_ms", "float64", "round trip of these probes to the nearest target, median, ms"),
    Column("probe_latency_p95_ms", "float64", "the same, 95th percentile, ms"),
    Column("router_latency_ms", "float64", "round trip to the router, median, ms"),
    Column("interface", "text", "the network interface that the test used"),
    Column("link", "text", "what that is: ethernet, wifi, cellular, tunnel or virtual (a container's bridge)"),
    Column("link_mbps", "float64", "the rate that the link negotiated, Mbit/s"),
    Column("link_duplex", "text", "full or half"),
    Column("signal_dbm", "float64", "signal of Wi-Fi, dBm"),
    Column("other_traffic_mbps", "float64", "what moved over the interface in the 5 s before the test, Mbit/s"),
    Column("other_bytes", "int64", "what moved over it during the test beyond data_bytes, with all headers"),
    Column("cpu_percent", "float64", "load of this machine's processors in the busiest second of the test, percent"),
    Column("memory_percent", "float64", "the highest use of this machine's memory during the test, percent"),
    Column("ip_version", "int32", "4 or 6: the address of the server, where the program or a setting tells"),
    Column("lan_hosts", "int64", "other hosts of the local network that this machine knows, without the router"),
    Column("machine", "text", "a digest of this machine's id: which of several measured"),
    Column("campaign", "text", "the measuring campaign that this test belongs to"),
)


def _columns(kind: Kind, meaning: str, names: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind, meaning) for name in names.split())


_BOTH = "Ookla, speedtest-cli"
_OOKLA = "Ookla"
_PYTHON = "speedtest-cli"

FLATTENED: tuple[Column, ...] = (
    *_columns("text", _BOTH, "server_id server_host server_name server_country"),
    *_columns(
        "text",
        _OOKLA,
        "type isp interface_internalIp interface_name interface_macAddr interface_externalIp server_location server_ip"
        " result_id result_url",
    ),
    *_columns("float64", f"{_OOKLA}, ms", "ping_jitter ping_latency ping_low ping_high"),
    *_columns("float64", f"{_OOKLA}, percent", "packetLoss"),
    *_columns(
        "float64",
        f"{_OOKLA}, ms",
        "download_latency_iqm download_latency_low download_latency_high download_latency_jitter"
        " upload_latency_iqm upload_latency_low upload_latency_high upload_latency_jitter",
    ),
    *_columns("int64", f"{_OOKLA}, bytes/s", "download_bandwidth"),
    *_columns("int64", f"{_OOKLA}, bytes", "download_bytes"),
    *_columns("int64", f"{_OOKLA}, ms", "download_elapsed"),
    *_columns("int64", f"{_OOKLA}, bytes/s", "upload_bandwidth"),
    *_columns("int64", f"{_OOKLA}, bytes", "upload_bytes"),
    *_columns("int64", f"{_OOKLA}, ms", "upload_elapsed"),
    *_columns("int64", _OOKLA, "server_port"),
    *_columns("bool", _OOKLA, "interface_isVpn result_persisted"),
    *_columns(
        "text",
        _PYTHON,
        "server_url server_cc server_sponsor share client_ip client_isp client_isprating client_rating client_ispdlavg"
        " client_ispulavg client_loggedin client_country",
    ),
    *_columns("float64", f"{_PYTHON}, bit/s", "download upload"),
    *_columns("float64", f"{_PYTHON}, ms", "ping"),
    *_columns("float64", f"{_PYTHON}, degrees", "server_lat server_lon"),
    *_columns("float64", f"{_PYTHON}, km", "server_d"),
    *_columns("float64", f"{_PYTHON}, ms", "server_latency"),
    *_columns("float64", f"{_PYTHON}, degrees", "client_lat client_lon"),
    *_columns("int64", f"{_PYTHON}, bytes", "bytes_sent bytes_received"),
)

EXTRA = Column("extra", "text", "JSON object, name to text, of every other field")

COLUMNS: tuple[Column, ...] = (*COMMON, *FLATTENED, EXTRA)
BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}


def parse(text: str, kind: Kind) -> Value:
    """Return a field's text as a value of this kind. Raises ValueError if the text does not fit exactly."""
    return _PARSERS[kind](text)


def _float(text: str) -> float:
    value = float(_number(text))
    if value - value != 0:
        raise ValueError(text)
    return value


def _int(bits: int) -> Callable[[str], int]:
    def parse_int(text: str) -> int:
        value = int(_number(text))
        if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError(text)
        return value

    return parse_int


def _number(text: str) -> str:
    """Refuse text that only Python reads as a number: 1_000, Arabic digits."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return text


def _bool(text: str) -> bool:
    """Read JSON's booleans and Python's, which pandas writes."""
    try:
        return {"true": True, "false": False, "True": True, "False": False}[text]
    except KeyError:
        raise ValueError(text) from None


def _instant(text: str) -> datetime:
    """Read ISO 8601. Without a zone it is UTC, because every known program prints UTC."""
    value = datetime.fromisoformat(text)
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None


_PARSERS: dict[Kind, Callable[[str], Value]] = {
    "text": str,
    "float64": _float,
    "int64": _int(64),
    "int32": _int(32),
    "bool": _bool,
    "instant": _instant,
}
