"""Measure how long `speedsnake verdict` takes over ten years of rows, from the start of the process to its end."""

import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from speedtest.data import parquet, partitions
from speedtest.data.table import Source, parse
from tests.benchmarks import rows
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import environment
from tests.benchmarks.report import Figure, Report, Table

DAYS = 3653
PROFILES = ("de-bnetza", "eu-minimum", "it-nemesys", "cz-ctu")
TERMS = "[contract.download]\nmaximum = 940\nnormal = 500\nminimum = 100\n"


def run(ground: Ground) -> Report:
    """Judge by four profiles, the last of which finds no sample in tests every ten minutes."""
    days, rounds = (30, 1) if ground.quick else (DAYS, 3)
    folder = ground.folder / "verdicts"
    _write(folder, days)
    found = {profile: [_judge(folder, profile) for _ in range(rounds)] for profile in PROFILES}
    medians = {name: [statistics.median(each) for each in zip(*costs, strict=True)] for name, costs in found.items()}
    table = Table(
        f"`speedsnake verdict` over {days} days, {days * rows.ROWS_A_DAY} rows",
        ["profile", "seconds", "of them CPU"],
        [[name, *costs] for name, costs in medians.items()],
    )
    slowest = max(costs[0] for costs in medians.values())
    return Report([Figure(what="verdict over ten years", value=slowest, unit="s", budget=3.0)], [table])


def _write(folder: Path, days: int) -> None:
    """Write a lake whose days all have the rows of the first, at their own times."""
    sources = [Source(f"speedtest_{n:03}.csv", row.data) for n, row in enumerate(rows.rows_of(rows.FIRST_DAY))]
    first = parse(sources, rows.HOME).table
    for number in range(days):
        table, earlier = first, pa.scalar(-timedelta(days=number), pa.duration("us"))
        for name in ("timestamp", "started_at", "slot"):
            column = table.schema.get_field_index(name)
            table = table.set_column(column, table.schema.field(column), pc.add(table[name], earlier))
        day = (rows.FIRST_DAY - timedelta(days=number)).date()
        place = partitions.location_folder(folder / "uploads", rows.HOME)
        path = partitions.day_folder(place, day) / "speedtest_001.parquet"
        path.parent.mkdir(parents=True)
        path.write_bytes(parquet.encode(table))
    (folder / "contract.toml").write_text(TERMS)


def _judge(folder: Path, profile: str) -> tuple[float, float]:
    """Return the seconds of a run, and of them those of the processor."""
    places = {"RESULT_DIR": str(folder / "results"), "UPLOAD_DIR": str(folder / "uploads")}
    command = [Path(sys.executable).parent / "speedsnake", "verdict", "--profile", profile, "--json"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(
        command,
        env=environment(CONTRACT_FILE=str(folder / "contract.toml"), **places),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode not in (os.EX_OK, 3, 4):
        raise RuntimeError(f"verdict --profile {profile} ended with {ended.returncode}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
