"""`RESULT_DIR/.watch.json`: what the daemon's watch over the line sees, for other programs and for its next start.

The daemon replaces the file at each change of state and once a minute, durably: a power cut leaves the old file or the
new one. It makes an outage exactly one row:

1. While an outage lasts, the file has it in `open`; when it is over, in `ended`. It has no row yet.
2. The daemon makes its row and puts it into `unsaved`, with the row's file name and bytes, and replaces the file.
3. It publishes the row, and takes it out of `unsaved`.

A daemon that is killed in between does 2 and 3 at its next start. Publishing a row again is no second row: the name,
which ends with the outage's id, and the bytes are the same. So a held row is not re-dated as long as the file has it,
and a file that cannot be read now is not replaced. An outage that was open ends when it was last seen.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from speedtest.data.files import replace
from speedtest.measurement import OutagePlace

FILE_NAME = ".watch.json"
FRESH_SECONDS = 90.0
"""A file that is older than this and the interval is not what the watch sees now: it is written once a minute, at the
end of a round."""

type SeenState = Literal["up", "down", "unknown"]


class LineOutage(msgspec.Struct, kw_only=True):
    """An outage of the line."""

    id: str
    place: OutagePlace
    started_at: datetime
    """By this machine's clock as it was when the file was written."""
    seconds: float
    """How long it lasted, or has lasted until it was last seen."""
    words: str
    """What was silent, and whether the router answered."""
    exact_seconds: float
    """The interval between two looks: it may have begun this much earlier."""
    started_elapsed: float
    """Its start by the clock that counts since the start of the machine."""


class Unsaved(msgspec.Struct, frozen=True):
    """The row of an outage: its file below RESULT_DIR, and the file's bytes."""

    path: str
    data: str


class WatchState(msgspec.Struct, kw_only=True):
    """What the watch saw last."""

    seen: datetime
    boot: str | None = None
    """The boot that `started_elapsed` counts from."""
    synced: bool | None = None
    """Whether the clock was synchronised."""
    location: str | None = None
    interval_seconds: float
    state: SeenState
    since: datetime | None = None
    """Since when the line is in this state, as far as it was watched."""
    place: OutagePlace | None = None
    words: str | None = None
    methods: dict[str, str] = {}
    """`icmp` or `tcp`, by family."""
    targets: list[str] = []
    router: str | None = None
    resolvers: list[str] = []
    last_latency_ms: float | None = None
    """The round trip to the nearest target in the last round."""
    latency_ms: float | None = None
    """The median of the last minute, to the nearest target."""
    router_latency_ms: float | None = None
    loss_ratio: float | None = None
    """The share of the last minute's probes that were lost."""
    watched_seconds: float = 0.0
    """Since the daemon started, as are the next two."""
    down_seconds: float = 0.0
    outages: int = 0
    slot_watched_seconds: float = 0.0
    """Since the slot before, for the daemon's next start; likewise the next."""
    slot_down_seconds: float = 0.0
    lost_families: list[str] = []
    """`ipv4` or `ipv6`, if it alone is silent for five minutes."""
    silent_targets: list[str] = []
    """Targets that do not answer while others do: they are not counted."""
    recent: list[LineOutage] = []
    """The last outages that this daemon saw, oldest first, for those who look."""
    open: list[LineOutage] = []
    ended: list[LineOutage] = []
    unsaved: list[Unsaved] = []

    def is_fresh(self, now: datetime) -> bool:
        """Return whether this is what a watch sees now, and not what one saw that has ended since."""
        age = abs((now - self.seen).total_seconds())
        return self.interval_seconds > 0 and age <= FRESH_SECONDS + self.interval_seconds


def write(state: WatchState, result_dir: Path) -> None:
    """Replace the file durably. Raises OSError if the disk refuses it."""
    replace(result_dir / FILE_NAME, msgspec.json.encode(state) + b"\n", durable=True)


def read(result_dir: Path) -> WatchState:
    """Return what was written last. Raises OSError if there is no file, msgspec.MsgspecError if it is not valid."""
    return msgspec.json.decode((result_dir / FILE_NAME).read_bytes(), type=WatchState)
