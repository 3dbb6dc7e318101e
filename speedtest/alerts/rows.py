"""The rows that alerts are made of: what has come since the last run, without pandas."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from speedtest.alerts.conditions import KnownConditions
from speedtest.data import lake
from speedtest.data.table import SCHEMA
from speedtest.environment import Settings

_COLUMNS = (
    "timestamp",
    "started_at",
    "status",
    "engine",
    "download_mbps",
    "upload_mbps",
    "latency_ms",
    "packet_loss_percent",
    "download_latency_ms",
    "upload_latency_ms",
    "data_bytes",
    "error_kind",
    "error",
    "duration_seconds",
    "slot",
    "line",
    "probes_sent",
    "probes_lost",
    "link",
    "link_mbps",
    "other_bytes",
    "cpu_percent",
    "interface_isVpn",
    "isp",
    "server_d",
    "extra",
)
_MARGIN = timedelta(days=1)
_OLDEST = timedelta(days=8)
"""What is older is never told, so it is not read."""
_AHEAD = timedelta(minutes=1)
"""A row that is dated later than this comes from a clock that was wrong: it is not judged before its time."""

type AlertRow = dict[str, Any]
"""One row of the lake, with these columns."""


class NewRows(msgspec.Struct, frozen=True):
    """The rows of this line since the last run."""

    tests: list[AlertRow]
    """Successful and failed ones of slots, in the order of their starts.

    Others say less of the line: tests by hand, those right after an outage, and second opinions over one stream.
    """
    outages: list[AlertRow]
    """Of the last days; some may have been told."""
    newest: AlertRow | None
    """The newest row of a slot, skipped ones too."""


def new(settings: Settings, known: KnownConditions, now: datetime) -> NewRows:
    """Read the rows that have come since the last run. Raises `data.parquet.Damaged` or OSError."""
    begun = [each.begun for each in known.lasting.values() if each.kind == "line"]
    since = max(min([known.cursor, *begun]) - _MARGIN, now - _OLDEST)
    table = lake.read_table(
        since=since,
        until=now + _AHEAD,
        location=settings.speedtest_location_uuid,
        columns=_COLUMNS,
        upload_dir=settings.upload_dir,
        result_dir=settings.result_dir,
    )
    is_test = pc.is_in(table["status"], pa.array(["ok", "failed"]))
    is_outage = pc.equal(table["status"], pa.scalar("outage"))
    is_later = pc.greater(table["started_at"], pa.scalar(known.cursor, SCHEMA.field("started_at").type))
    has_slot = pc.is_valid(table["slot"])
    tests = table.filter(pc.and_(pc.and_(is_test, has_slot), is_later)).to_pylist()
    slots = table.filter(pc.invert(is_outage))
    newest = slots.slice(max(slots.num_rows - 1, 0)).to_pylist()
    return NewRows(
        tests=sorted(tests, key=lambda row: row["started_at"]),
        outages=table.filter(is_outage).to_pylist(),
        newest=newest[0] if newest else None,
    )


def outage_id(row: AlertRow) -> str | None:
    """Return the id of an outage, which its row has in `extra`; None if another program wrote the row."""
    try:
        return msgspec.json.decode(row["extra"] or "{}", type=dict[str, str | None]).get("outage")
    except msgspec.MsgspecError:
        return None
