"""The result of an attempt, or the reason for a skip: the common columns, and the program's own fields as text.

Units are those that ISPs and the programs show: 1 Mbit/s is 10^6 bit/s, latencies are milliseconds, packet loss is
percent. A quantity that was not measured is None, never 0.
"""

from datetime import datetime
from typing import Literal

import msgspec

type Status = Literal["ok", "failed", "skipped", "outage"]
type ErrorKind = Literal[
    "timeout",
    "exit",
    "signal",
    "no-output",
    "malformed",
    "rejected",
    "rate-limited",
    "server-busy",
    "refused",
    "not-found",
]
"""How an attempt failed. `server-busy` (the server measured with somebody else) and `refused` (nothing listens at the
server's port) say nothing of the line."""
type SkipKind = Literal["quiet-hours", "data-budget", "backing-off", "busy"]
"""Why a slot was skipped."""
type OutagePlace = Literal["link", "router", "beyond-router", "unknown-place", "dns"]
"""Where an outage is: this machine's own link, its router, behind the router, behind it or not (the router never
answers), or in its resolvers only."""
type UpOrDown = Literal["up", "down"]
type Link = Literal["ethernet", "wifi", "cellular", "tunnel", "virtual"]
"""What an interface is. `virtual`: a container's bridge, nobody here knows what lies behind."""

ERROR_WORDS_LIMIT = 500
"""The most characters of a program's own words that a row keeps."""


class Measurement(msgspec.Struct, kw_only=True):
    """One attempt, good or failed, a skipped slot, or an outage of the line.

    The fields before `raw` are the common columns, in order.
    """

    timestamp: datetime
    started_at: datetime | None = None
    status: Status
    engine: str | None = None
    engine_version: str | None = None
    download_mbps: float | None = None
    upload_mbps: float | None = None
    latency_ms: float | None = None
    jitter_ms: float | None = None
    packet_loss_percent: float | None = None
    download_latency_ms: float | None = None
    upload_latency_ms: float | None = None
    data_bytes: int | None = None
    error_kind: ErrorKind | SkipKind | OutagePlace | None = None
    error: str | None = None
    exit_code: int | None = None
    duration_seconds: float | None = None
    interval_seconds: float | None = None
    speedtest_address: str | None = None
    commit_hash: str | None = None
    timezone: str | None = None
    slot: datetime | None = None
    attempt: int | None = None
    clock_synced: bool | None = None
    raw_timestamp: datetime | None = None
    line: UpOrDown | None = None
    watched_seconds: float | None = None
    down_seconds: float | None = None
    probes_sent: int | None = None
    probes_lost: int | None = None
    probe_latency_ms: float | None = None
    probe_latency_p95_ms: float | None = None
    router_latency_ms: float | None = None
    interface: str | None = None
    link: Link | None = None
    link_mbps: float | None = None
    link_duplex: str | None = None
    signal_dbm: float | None = None
    other_traffic_mbps: float | None = None
    other_bytes: int | None = None
    cpu_percent: float | None = None
    memory_percent: float | None = None
    ip_version: int | None = None
    lan_hosts: int | None = None
    machine: str | None = None
    campaign: str | None = None
    raw: dict[str, str | None] = {}
    """The program's own JSON, flattened, each value as printed; None for null."""


COMMON_COLUMNS: tuple[str, ...] = tuple(name for name in Measurement.__struct_fields__ if name != "raw")
"""The columns that every row has, whatever the program."""


class Failure(Exception):
    """An attempt failed: `kind` says how, `words` says why (often in the program's words), `raw` holds its fields.

    `data_bytes` is what the attempt moved as far as the program says; None if it does not say.
    """

    def __init__(
        self, kind: ErrorKind, words: str, raw: dict[str, str | None] | None = None, *, data_bytes: int | None = None
    ) -> None:
        """Put the words on one line and cut them to `ERROR_WORDS_LIMIT` characters."""
        self.kind: ErrorKind = kind
        self.words = "; ".join(line.strip() for line in words.splitlines() if line.strip())[:ERROR_WORDS_LIMIT]
        self.raw = raw or {}
        self.data_bytes = data_bytes
        super().__init__(f"{self.kind}: {self.words}")
