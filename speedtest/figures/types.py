"""A question about a line, and the figures that answer it, for the report, the page and other systems.

Speeds are Mbit/s (10^6 bit/s), latencies ms, losses percent, shares percent. `figures.summary` computes them.
"""

from datetime import datetime
from typing import Literal

import msgspec

from speedtest.data.elsewhere import Elsewhere
from speedtest.figures.providers import Providers
from speedtest.figures.quality import Quality
from speedtest.figures.slots import Outage, Slots
from speedtest.figures.watched import Watched


class Far(msgspec.Struct, frozen=True):
    """Rows that are dated far from all others (see `figures.span`): a clock was wrong. They are in no other figure."""

    rows: int
    first: datetime
    last: datetime


class Question(msgspec.Struct, frozen=True):
    """A line and a period, from `since` (included) to `until` (not included)."""

    location: str
    since: datetime
    until: datetime
    known_before: bool
    """Whether there are rows before `since`. If so, slots between `since` and the first row are missing."""
    isp: str | None = None
    """Only the tests through this provider. Then nothing is known of slots, because a failed test names no provider."""
    marked: bool = False
    """Whether marked tests are held against the plan too."""
    far: Far | None = None
    """Rows that the period leaves out because they are far from all others."""
    elsewhere: Elsewhere | None = None
    """Days of the period that are only at a store, so that their rows are not seen here."""


class Plan(msgspec.Struct, frozen=True):
    """The speeds that the contract promises, in Mbit/s."""

    download_mbps: float | None = None
    upload_mbps: float | None = None


class Spread(msgspec.Struct, frozen=True):
    """The spread of a quantity over the tests that measured it."""

    tests: int
    median: float
    low: float
    """A tenth of the tests are below this."""
    high: float
    """A tenth of the tests are above this."""
    least: float
    most: float


class Kept(msgspec.Struct, frozen=True):
    """How often the download or the upload reached at least 90 % of the plan."""

    plan_mbps: float
    share: float
    spread: Spread
    left_out: int = 0
    """Successful tests that are not in these figures because they are marked (see `quality`)."""


class Bin(msgspec.Struct, frozen=True):
    """The successful tests of one bin (`bin_seconds` long, but for a change of the clocks in a bin of whole days)."""

    start: datetime
    tests: int
    download: Spread | None
    upload: Spread | None
    latency_ms: float | None
    download_latency_ms: float | None
    upload_latency_ms: float | None
    packet_loss_percent: float | None
    """The mean. The latencies are medians."""


class Hour(msgspec.Struct, frozen=True):
    """The medians of the successful tests in one hour of the day, on one weekday (0 is Monday) or on all (null)."""

    weekday: int | None
    hour: int
    tests: int
    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None


class ServerFigures(msgspec.Struct, frozen=True):
    """The medians of the successful tests with one server."""

    server_id: str | None
    name: str | None
    tests: int
    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None


class EngineFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one engine measured."""

    name: str
    versions: list[str]
    tests: int
    """All tests, successful or failed."""
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
    """The failed tests of one bin."""

    start: datetime
    tests: int
    kinds: list[str]


class RouterLink(msgspec.Struct, frozen=True, kw_only=True):
    """The rates of the router's link, in Mbit/s."""

    tests: int
    """Rows of the last day in which the router told them."""
    down_mbps: float | None
    up_mbps: float | None
    below_plan: bool
    """Whether one of them is lower than what the plan promises."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one line over one period."""

    location: str
    since: datetime
    until: datetime
    rows: int
    tests: int
    """All tests, successful or failed, with or without a slot."""
    failed: int
    """Of all tests, those that failed."""
    by_hand: int
    """Rows without a slot: measured by hand, or by the original program."""
    failed_by_hand: int
    """Failed tests without a slot. They are in no outage and in no uptime."""
    without_status: int
    """Rows whose status is none of ok, failed and skipped: nobody knows what they say. They are in no other figure."""
    first: datetime | None
    last: datetime | None
    slots: Slots
    uptime_percent: float | None
    """Slots with a successful test ÷ slots with any test. Null if no slot has a test."""
    availability_percent: float | None
    """1 - down ÷ watched where the line was watched, else the uptime."""
    availability_of: Literal["watch", "slots"] | None
    """Which of the two it is."""
    watch: Watched | None
    """What the watch saw; null if nobody watched."""
    quality: Quality
    router: RouterLink | None = None
    """What the router told of its link on the last day; null if it was not asked."""
    bin_seconds: int
    engines: list[EngineFigures]
    """The one with the most successful tests first. The report's first sentences are about that one."""
    failures: list[Failures]
    failures_by_kind: dict[str, int]
    outages: list[Outage]
    """The longest outages, newest first."""
    outages_in_all: int | None
    """Null if no slot has a test and nobody watched: then nobody knows whether there was an outage."""
    data_bytes: int
    bytes_by_month: dict[str, int]
    """By month of the wall clock in each row's zone."""
    intervals_seconds: list[float]
    isp: str | None
    """Only tests through this provider are counted, if it is not null. Then uptime and outages are unknown."""
    providers: Providers
    far: Far | None
    elsewhere: Elsewhere | None
    """Days of the period that are only at a store. They are in no figure."""
    zone: str
    """The line's zone: that of its newest row. Days of the views are days there."""
    timezones: list[str]
