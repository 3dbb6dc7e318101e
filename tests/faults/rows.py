"""Rows whose copies can all be recognised: each has a name and known values."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import override

import msgspec

from speedtest.data import files, results
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


def together(*rows: Row) -> bytes:
    """Return a file with several rows. Only people make such files."""
    first, *others = [row.data for row in rows]
    return first + b"".join(data.partition(b"\n")[2] for data in others)


AHEAD = timedelta(hours=20, seconds=3)
"""By how much the clock of a held row is behind."""
TOKEN = "0a1b2c3d"  # noqa: S105 (it ends a file's name)


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
