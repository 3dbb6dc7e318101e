"""Read all rows with `lake.read()`, compared with the least possible: pyarrow's dataset to pandas, unsorted."""

import functools
import statistics
from pathlib import Path

import pyarrow.dataset as ds

from speedtest.data import lake
from tests.benchmarks import rows
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import in_turn, ratio, timed
from tests.benchmarks.report import Figure, Report, Table


def run(ground: Ground) -> Report:
    """Read the same files in both ways, in turn."""
    path = ground.lake
    both = {
        "`lake.read()`": functools.partial(_ours, path),
        "pyarrow.dataset to pandas": functools.partial(_plain, path),
    }
    for way in both.values():
        way()
    found = in_turn({name: timed(way) for name, way in both.items()}, 5 if ground.quick else 15)
    ours, plain = found.values()
    table = Table(
        f"Reading {ground.days * rows.ROWS_A_DAY:,} rows of {ground.days} files into pandas",
        ["", "median, s", "times `lake.read()`"],
        [[name, statistics.median(seconds), ratio(seconds, ours)] for name, seconds in found.items()],
        ["`lake.read()` also looks for unconverted rows, removes duplicates, and sorts by time."],
    )
    figure = Figure(
        what="reading: `lake.read()` over pyarrow.dataset", value=ratio(ours, plain), unit="times", budget=1.5
    )
    return Report([figure], [table])


def _ours(path: Path) -> None:
    lake.read(upload_dir=path, result_dir=path / "none")


def _plain(path: Path) -> None:
    ds.dataset(sorted(map(str, path.rglob("*.parquet"))), format="parquet").to_table().to_pandas()
