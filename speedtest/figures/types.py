"""What is asked of a line, and what is said of it: the figures that the report, the page and other systems show.

Speeds are Mbit/s (10^6 bit/s), latencies ms, losses percent, shares percent. `figures.summary` computes them.
"""

from datetime import datetime

import msgspec

from speedtest.figures.slots import Outage, Slots


class Question(msgspec.Struct, frozen=True):
    """Which line, from when (included) to when (not included)."""

    location: str
    since: datetime
    until: datetime
    known_before: bool
    """Whether there are rows from before `since`, so that a gap after it is one."""


class Plan(msgspec.Struct, frozen=True):
    """What the contract promises, Mbit/s."""

    download_mbps: float | None = None
    upload_mbps: float | None = None


class Spread(msgspec.Struct, frozen=True):
    """How a quantity is spread over tests that measured it."""

    tests: int
    median: float
    low: float
    """A tenth of the tests is below it,"""
    high: float
    """and a tenth above this."""
    least: float
    most: float


class Kept(msgspec.Struct, frozen=True):
    """How often a direction reached at least 90 % of the plan."""

    plan_mbps: float
    share: float
    spread: Spread


class Bin(msgspec.Struct, frozen=True):
    """The good tests of one stretch of time."""

    start: datetime
    tests: int
    download: Spread | None
    upload: Spread | None
    latency_ms: float | None
    download_latency_ms: float | None
    upload_latency_ms: float | None
    packet_loss_percent: float | None
    """The mean; the latencies are medians."""


class Hour(msgspec.Struct, frozen=True):
    """The good tests of one hour of the day, on one weekday (0 is Monday) or on all (None)."""

    weekday: int | None
    hour: int
    tests: int
    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None


class ServerFigures(msgspec.Struct, frozen=True):
    """The good tests with one server, medians."""

    server_id: str | None
    name: str | None
    tests: int
    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None


class EngineFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one program measured."""

    name: str
    versions: list[str]
    tests: int
    """Tests that were made, good or failed."""
    failed: int
    download: Spread | None
    upload: Spread | None
    latency: Spread | None
    jitter: Spread | None
    download_latency: Spread | None
    upload_latency: Spread | None
    loss: Spread | None
    mean_loss_percent: float | None
    plan_download: Kept | None
    plan_upload: Kept | None
    bins: list[Bin]
    hours: list[Hour]
    week: list[Hour]
    servers: list[ServerFigures]
    """The most used first."""


class Failures(msgspec.Struct, frozen=True):
    """Tests that failed within one bin."""

    start: datetime
    tests: int
    kinds: list[str]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One line over one period."""

    location: str
    since: datetime
    until: datetime
    rows: int
    tests: int
    """Attempts that were made, good or failed, with or without a slot."""
    by_hand: int
    """Rows without a slot: measured by hand, or by the original program."""
    first: datetime | None
    last: datetime | None
    slots: Slots
    bin_seconds: int
    engines: list[EngineFigures]
    """The one with the most good tests first: the one that headlines speak of."""
    failures: list[Failures]
    failures_by_kind: dict[str, int]
    outages: list[Outage]
    """The longest, newest first."""
    outages_in_all: int
    data_bytes: int
    bytes_by_month: dict[str, int]
    """By UTC month."""
    intervals_seconds: list[float]
    timezones: list[str]
