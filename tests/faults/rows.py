"""Rows whose copies can all be recognised: each has a name and known values. An outage's name is its id."""

import csv
import io
import itertools
from datetime import UTC, datetime, timedelta
from typing import override

import msgspec

from speedtest.data import files, heartbeat, results
from speedtest.data.results import Row as Row_
from speedtest.measurement import Measurement

HERE, THERE = "here", "there"
ROW_ID = "result_id"
"""The column with a row's name: one of Ookla's columns, which every way of saving a row keeps."""


class Row(msgspec.Struct, frozen=True):
    """A row with a name; no two rows have equal values."""

    name: str
    when: datetime
    mbps: float
    address: str = HERE

    @property
    def measurement(self) -> Measurement:
        return Measurement(
            timestamp=self.when,
            started_at=self.when - timedelta(seconds=20),
            status="ok",
            engine="ookla",
            download_mbps=self.mbps,
            upload_mbps=2.5,
            speedtest_address=self.address,
            raw={"type": "result", ROW_ID: self.name, "isp": 'Föhn, "Netz"'},
        )

    @property
    def suffix(self) -> str:
        """The end of its file's name."""
        return ""

    @property
    def data(self) -> bytes:
        return results.encode(self.measurement).data

    @property
    def contents(self) -> set[bytes]:
        """The bytes that its file may have."""
        return {self.data}

    @property
    def instants(self) -> set[datetime]:
        """The instants under which a reader may find it."""
        return {self.when}


def row(number: int, day: int, second: int | None = None, address: str = HERE) -> Row:
    """Return a row of January 2026, identified by its number."""
    when = datetime(2026, 1, day, 12, 0, number % 60 if second is None else second, tzinfo=UTC)
    return Row(f"row-{number}", when, number + 0.25, address)


def outage(
    number: int,
    *,
    seen: tuple[float, ...] = (),
    seconds: float | None = None,
    ending: str = "",
    clock_is_set: bool = False,
) -> "Outage":
    """Return an outage of January 1, 2026, identified by its number."""
    return Outage(
        f"outage-{number}",
        NOON + timedelta(seconds=number % 60),
        seen=tuple(map(float, seen)),
        seconds=None if seconds is None else float(seconds),
        ending=ending,
        clock_is_set=clock_is_set,
    )


def together(*rows: Row) -> bytes:
    """Return a file with several rows. Only people make such files."""
    first, *others = [row.data for row in rows]
    return first + b"".join(data.partition(b"\n")[2] for data in others)


AHEAD = timedelta(hours=20, seconds=3)
"""By how much the clock of a held row is behind."""
TOKEN, LATER_TOKEN = "0a1b2c3d", "4e5f6071"
"""The ends of held rows' names: of those dated before the clock is set, and after that."""


class Held(Row, frozen=True):
    """A row measured while the clock was not synchronised, and found wrong later."""

    @property
    @override
    def measurement(self) -> Measurement:
        return msgspec.structs.replace(super().measurement, clock_synced=False)

    @property
    def redated(self) -> Row_:
        return results.redated(self.data, AHEAD)

    @property
    def redated_name(self) -> str:
        when = self.redated.timestamp
        return f"year={when:%Y/month=%m/day=%d}/speedtest_{when:%H-%M-%S}_was-{files.digest(self.data)}.csv"

    @property
    @override
    def contents(self) -> set[bytes]:
        return {self.data, self.redated.data}

    @property
    @override
    def instants(self) -> set[datetime]:
        return {self.when, self.when + AHEAD}


class Original(Row, frozen=True):
    """A row of the original program: it has only the columns of the speed-test program."""

    @property
    @override
    def data(self) -> bytes:
        text = io.StringIO()
        fields = {
            "type": "result",
            "timestamp": f"{self.when:%Y-%m-%dT%H:%M:%SZ}",
            "download_bandwidth": round(self.mbps * 125_000),
            "upload_bandwidth": 312_500,
            ROW_ID: self.name,
        }
        writer = csv.DictWriter(text, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerow(fields)
        return text.getvalue().encode()


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""What the scenarios' clock shows until it is set."""
MACHINE = heartbeat.machine_digest()
INTERVAL = 10.0
"""The seconds between two looks of the watch."""
KILLED = "; the daemon ended meanwhile: the end is when the outage was last seen"
ENDED = "; the watch ended while the line was still down"


class Outage(Row, frozen=True, kw_only=True):
    """An outage of the line: its row ends where the outage ended, or where the daemon has last written it down."""

    mbps: float = 0.0
    seen: tuple[float, ...] = ()
    """The seconds that it had lasted each time it was written down while the line was down."""
    seconds: float | None = None
    """The seconds that it lasted in the end; None if the daemon is killed before."""
    ending: str = ""
    """What the watch adds to its words if it did not end by an answer."""
    clock_is_set: bool = False
    """Whether the clock is wrong when it begins, and set later."""

    @property
    def words(self) -> str:
        return f"1.1.1.1, 8.8.8.8 were silent, and so was the router; {self.name}"

    @property
    @override
    def suffix(self) -> str:
        return f"_outage-{self.name}"

    @property
    def lengths(self) -> list[tuple[float, str]]:
        """How long it may last in its row, and the words that the row then has."""
        found = [(seconds, self.words + KILLED) for seconds in self.seen]
        return found if self.seconds is None else [*found, (self.seconds, self.words + self.ending)]

    @property
    @override
    def measurement(self) -> Measurement:
        return self._measurement(self.when, *self.lengths[-1])

    def _measurement(self, when: datetime, seconds: float, words: str, machine: str | None = MACHINE) -> Measurement:
        return Measurement(
            timestamp=when,
            started_at=when,
            status="outage",
            error_kind="router",
            error=words,
            duration_seconds=seconds,
            interval_seconds=INTERVAL,
            speedtest_address=self.address,
            timezone="UTC",
            clock_synced=not self.clock_is_set,
            machine=machine,
            raw={"outage": self.name},
        )

    @property
    @override
    def contents(self) -> set[bytes]:
        """All bytes that its file may have.

        If the clock is set, its row is made before or after that. A fault may hide the machine's id.
        """
        every = itertools.product(sorted(self.instants), self.lengths, (MACHINE, None))
        found = [results.encode(self._measurement(when, *length, machine)) for when, length, machine in every]
        moved = [results.redated(row.data, AHEAD) for row in found if self.clock_is_set and row.timestamp == self.when]
        return {row.data for row in (*found, *moved)}

    @property
    @override
    def instants(self) -> set[datetime]:
        return {self.when, self.when + AHEAD} if self.clock_is_set else {self.when}
