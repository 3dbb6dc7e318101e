"""Convert a backlog of CSV files to Parquet: compare SpeedSnake with the tools that people would use instead."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import Cost, in_a_process, ratio, turns
from tests.benchmarks.report import Cell, Figure, Report, Table
from tests.benchmarks.rows import ROWS_A_DAY

PARTS = 12
OURS = "SpeedSnake"
BARE = "copy"
DELETING = {OURS, "copy and delete"}
COLUMNS = ["", "time, s", "times ours", "CPU, s", "times ours", "files/s", "imports, s", "peak, MiB"]
NOTES = """\
SpeedSnake's time includes hashing each file, syncing each Parquet file and its folders, reading it back, comparing \
every value, and deleting the CSV files. The others do none of that.
`copy` reads each file and writes one file per day, without sync. `copy and delete` also deletes the files it read, \
and so shows the cost of deletion on this disk.
Each part of the backlog is converted in its own process, in turn. The times leave out the start of Python and \
imports. Ratios are medians of the ratios of the parts.
""".splitlines()


def run(ground: Ground) -> Report:
    """Convert the backlog in parts with each contestant in turn, then all of it at once."""
    costs: dict[str, list[Cost]] = {name: [] for name in CONTESTANTS}
    parts = _parts(ground)
    for number, name in turns(CONTESTANTS, len(parts)):
        costs[name].append(_cost(ground, name, parts[number]))
    whole, first_day = _whole(ground)
    return Report(_figures(costs, whole, first_day), [_table(ground.days, costs, whole)])


def _parts(ground: Ground) -> list[list[Path]]:
    days = sorted(ground.backlog.glob("year=*/month=*/day=*"))
    count = min(2 if ground.quick else PARTS, len(days))
    return [days[at * len(days) // count : (at + 1) * len(days) // count] for at in range(count)]


def _cost(ground: Ground, name: str, days: list[Path]) -> Cost:
    """Let a contestant convert these days. One that deletes gets a copy, which is synced to disk before it starts."""
    with ground.scratch() as folder:
        (folder / "out").mkdir()
        bring = shutil.copytree if name in DELETING else _link
        return _convert(name, _brought(ground, folder, days, bring), folder / "out")


def _link(day: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(day)


def _brought(ground: Ground, folder: Path, days: list[Path], bring: Callable[[Path, Path], object]) -> Path:
    for day in days:
        bring(day, folder / "results" / day.relative_to(ground.backlog))
    os.sync()
    return folder / "results"


def _convert(name: str, results: Path, out: Path) -> Cost:
    printed = in_a_process("tests.benchmarks.contestants", name, str(results), str(out))
    return msgspec.json.decode(printed, type=Cost)


def _whole(ground: Ground) -> tuple[Cost, float]:
    """Convert the whole backlog at once; return its cost and the seconds until the first day was on disk."""
    with ground.scratch() as folder:
        days = list(ground.backlog.glob("year=*/month=*/day=*"))
        results = _brought(ground, folder, days, shutil.copytree)
        start = time.time()
        cost = _convert(OURS, results, folder / "out")
        first = min(path.stat().st_ctime for path in (folder / "out").rglob("*.parquet"))
        return cost, first - start


def _figures(costs: dict[str, list[Cost]], whole: Cost, first_day: float) -> list[Figure]:
    figures = [
        Figure(
            what=f"conversion: time of {peer} over ours",
            value=_times(costs[peer], costs[OURS]),
            unit="times",
            sense="at least",
            budget=20,
            aim=40,
        )
        for peer in ("pandas", "DuckDB")
    ]
    over_bare = _times(costs[OURS], costs[BARE])
    return [
        *figures,
        Figure(what="conversion: our time over a bare copy's", value=over_bare, unit="times", budget=6, aim=3),
        Figure(what="conversion: peak memory, all at once", value=whole.peak_mib, unit="MiB", budget=160, aim=120),
        Figure(what="conversion: first day on disk, imports included", value=first_day, unit="s"),
    ]


def _times(these: list[Cost], those: list[Cost]) -> float:
    return ratio([cost.seconds for cost in these], [cost.seconds for cost in those])


def _table(days: int, costs: dict[str, list[Cost]], whole: Cost) -> Table:
    files = days * ROWS_A_DAY
    rows = [_row(name, files, each, costs[OURS]) for name, each in costs.items()]
    rows.append(_row(f"{OURS}, all at once", files, [whole], []))
    return Table(f"A backlog of {files:,} CSV files ({days} days) to Parquet", COLUMNS, rows, NOTES)


def _row(name: str, files: int, costs: Sequence[Cost], ours: Sequence[Cost]) -> list[Cell]:
    seconds, cpu = sum(cost.seconds for cost in costs), sum(cost.cpu_seconds for cost in costs)
    return [
        name,
        seconds,
        ratio([cost.seconds for cost in costs], [cost.seconds for cost in ours]) if ours else None,
        cpu,
        ratio([cost.cpu_seconds for cost in costs], [cost.cpu_seconds for cost in ours]) if ours else None,
        files / seconds,
        sum(cost.import_seconds for cost in costs) / len(costs),
        max(cost.peak_mib for cost in costs),
    ]
