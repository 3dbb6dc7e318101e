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
    """What the contract says: the promised speeds, in Mbit/s, and the provider."""

    download_mbps: float | None = None
    upload_mbps: float | None = None
    isps: tuple[str, ...] = ()
    """Names of the provider. Tests through another one are marked; none: any provider will do."""


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


class Interval(msgspec.Struct, frozen=True):
    """The limits between which a figure lies with a probability of 95 % (see `figures.intervals`)."""

    low: float
    high: float


type TooFew = Literal["tests", "days"]
"""Why a median has no interval: fewer than 6 tests, or tests on 2 to 5 days."""


class Estimate(Spread, frozen=True):
    """A spread, and how well it is known."""

    days: int
    """How many stretches of 24 hours since the first of these tests have a test."""
    interval: Interval | None
    """Of the median; null where tests or days are too few for one."""
    too_few: TooFew | None
    """Why there is no interval."""
    few_for_range: bool
    """Whether fewer than 29 tests tell `low` and `high`: too few for a tenth of them."""


class Bufferbloat(msgspec.Struct, frozen=True):
    """By how many ms the latency rises under load: of each test the mean of download and upload."""

    increase: Estimate
    grade: str
    """A+ to F, of the median (see `figures.grades`)."""


class Kept(msgspec.Struct, frozen=True):
    """How often the download or the upload reached at least 90 % of the plan."""

    plan_mbps: float
    share: float
    share_interval: Interval | None
    spread: Estimate
    left_out: int = 0
    """Successful tests that are not in these figures because they are marked (see `quality`)."""


class Side(msgspec.Struct, frozen=True):
    """One side of a comparison: a line over a period, from `since` (included) to `until` (not included)."""

    location: str
    since: datetime
    until: datetime
    tests: int
    """Successful tests."""
    left_out: int
    """Of these, the marked ones, which are not compared (see `quality`)."""


type Finding = Literal["more", "less", "no-difference", "cannot-tell"]
"""`more`, `less`: the interval of the difference lies on one side of 0. `no-difference`: 0 is in it. `cannot-tell`:
there is no interval, because a side has too few tests or days."""


class Difference(msgspec.Struct, frozen=True):
    """How one quantity differs between two sides: the median of the first minus that of the other."""

    quantity: str
    """The column, such as `download_mbps`."""
    this: Estimate | None
    """Null where no test of this side measured it."""
    other: Estimate | None
    difference: float | None
    interval: Interval | None
    """Of the difference."""
    finding: Finding


class EngineDifferences(msgspec.Struct, frozen=True):
    """What one engine measured on both sides."""

    name: str
    differences: list[Difference]


class Comparison(msgspec.Struct, frozen=True):
    """Two periods or two locations beside each other. Engines measure differently, so each has its own figures."""

    this: Side
    other: Side
    engines: list[EngineDifferences]
    """Those that measured on both sides, the most used first."""
    only_one: list[str]
    """Engines that measured on one side only."""


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
    download: Estimate | None
    upload: Estimate | None
    latency: Estimate | None
    jitter: Spread | None
    download_latency: Estimate | None
    upload_latency: Estimate | None
    bufferbloat: Bufferbloat | None
    """Null where a test measures the latency under one load only, or under none."""
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
