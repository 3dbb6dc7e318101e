"""Measure bytes on disk: a day as Parquet and as CSV files, and what the bytes are used for."""

import statistics
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from speedtest.data import schema
from speedtest.data.parquet import SOURCES_KEY
from tests.benchmarks.ground import Ground
from tests.benchmarks.report import Cell, Figure, Report, Table

GROUPS = {
    "the common columns": {column.name for column in schema.COMMON},
    "`result_id` and `result_url`, random text": {"result_id", "result_url"},
}
OTHERS = "the other columns of programs"


def run(ground: Ground) -> Report:
    """Measure the files of every day."""
    days = [_bytes(path) for path in sorted(ground.lake.rglob("*.parquet"))]
    csv = [sum(file.stat().st_size for file in day.iterdir()) for day in ground.backlog.glob("year=*/month=*/day=*")]
    whole, as_csv = statistics.median(day["all of it"] for day in days), statistics.median(csv)
    rows: list[list[Cell]] = [["CSV", as_csv, None], ["Parquet", whole, 1]]
    for part in days[0]:
        if part != "all of it":
            size = statistics.median(day[part] for day in days)
            rows.append([f"- {part}", size, size / whole])
    table = Table("A day of 144 rows on disk, every number different", ["", "bytes", "share"], rows, ["Medians."])
    kib = whole / 1024
    return Report([Figure(what="size: a day as Parquet", value=kib, unit="KiB", budget=64, aim=40)], [table])


def _bytes(path: Path) -> Counter[str]:
    """Return the size of each part of a file."""
    metadata = pq.read_metadata(path)
    group = metadata.row_group(0)
    parts: Counter[str] = Counter({"all of it": path.stat().st_size})
    for number in range(metadata.num_columns):
        column = group.column(number)
        place = next((name for name, names in GROUPS.items() if column.path_in_schema in names), OTHERS)
        parts[place] += column.total_compressed_size
    parts["the list of sources"] = len((metadata.metadata or {})[SOURCES_KEY.encode()])
    parts["the rest of the footer: names, types, places, statistics"] = (
        metadata.serialized_size - parts["the list of sources"]
    )
    return parts
