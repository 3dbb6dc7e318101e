"""Measure whether years of data on disk make a cycle of the daemon, or reading one day, more expensive."""

import functools
import shutil
import statistics
from datetime import timedelta
from pathlib import Path

from speedtest.data import lake
from tests.benchmarks import rows
from tests.benchmarks.daemon import SETTLED, cost_of_cycles
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import in_turn, ratio, timed
from tests.benchmarks.report import Figure, Report, Table

DAY = rows.FIRST_DAY.date() + timedelta(days=1)
NOTE = (
    "Medians, measured in turn. `lake.read` opens the requested day and the days before and after. All lakes have them."
)


def run(ground: Ground) -> Report:
    """Compare lakes of three days, of the whole backlog, and of ten years."""
    lakes = {"3 days": _three_days(ground), f"{ground.days} days": ground.lake, "10 years": ground.ten_years}
    cycles, rounds = (100, 1) if ground.quick else (400, 3)
    cpu = in_turn({name: functools.partial(_cycle, ground, cycles, path) for name, path in lakes.items()}, rounds)
    reads = in_turn({name: timed(functools.partial(_read_a_day, path)) for name, path in lakes.items()}, 15)
    table = Table(
        "A cycle, and the reading of one day, with years of data on disk",
        ["on disk", "Parquet files", "CPU of a cycle, ms", "reading a day, ms"],
        [
            [
                name,
                len(list(path.rglob("*.parquet"))),
                statistics.median(cpu[name]) * 1e3,
                statistics.median(reads[name]) * 1e3,
            ]
            for name, path in lakes.items()
        ],
        [NOTE],
    )
    figures = [
        Figure(
            what="growth: CPU of a cycle, 10 years over 3 days",
            value=ratio(cpu["10 years"], cpu["3 days"]),
            unit="times",
        ),
        Figure(
            what="growth: reading a day, 10 years over 3 days",
            value=ratio(reads["10 years"], reads["3 days"]),
            unit="times",
        ),
    ]
    return Report(figures, [table])


def _cycle(ground: Ground, cycles: int, upload_dir: Path) -> float:
    cpu, _ = cost_of_cycles(ground, SETTLED + cycles, upload_dir)
    return cpu


def _read_a_day(upload_dir: Path) -> None:
    frame = lake.read(since=DAY, until=DAY + timedelta(days=1), upload_dir=upload_dir, result_dir=upload_dir / "none")
    if len(frame) != rows.ROWS_A_DAY:
        raise RuntimeError(f"read {len(frame)} rows of {DAY} from {upload_dir}, expected {rows.ROWS_A_DAY}")


def _three_days(ground: Ground) -> Path:
    """Return a lake with the day that is read, the day before and the day after."""
    target = ground.folder / "three days"
    for number in range(3):
        day = rows.FIRST_DAY.date() + timedelta(days=number)
        shutil.copytree(ground.day(ground.lake, day), ground.day(target, day))
    return target
