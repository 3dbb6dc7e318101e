"""Measure the report over the whole lake, from start to file, and compare its charts with a charting library."""

import statistics
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.benchmarks import elsewhere
from tests.benchmarks.drawing import CHARTS, DRAWERS, Drawn
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import PROJECT, environment, in_a_process, timed
from tests.benchmarks.report import Cell, Figure, Report, Table

MOST_SECONDS, MOST_MEGABYTES = 2.0, 2.0
LIBRARIES = ["altair", "vl-convert-python", "jinja2", "msgspec", "pandas", "pyarrow"]
NOTES = [
    f"What {CHARTS} charts add to a process that already has the figures.",
    "Ours are drawn for screens and for phones, with all texts of the report around them. They need no script.",
    "altair-svg: drawn by vl-convert, which contains V8. altair-script: what `to_html(inline=True)` writes to a file.",
]


def run(ground: Ground) -> Report:
    """Make the report with the command, then its charts in other ways."""
    with ground.scratch() as folder:
        target = folder / "report.html"
        seconds = statistics.median(
            timed(lambda: _report(ground.lake, target))() for _ in range(3 if ground.quick else 7)
        )
        megabytes = target.stat().st_size / 1e6
    figures = [
        Figure(what=f"report: {ground.days} days, from cold", value=seconds, unit="s", budget=MOST_SECONDS),
        Figure(what=f"report: {ground.days} days, its size", value=megabytes, unit="MB", budget=MOST_MEGABYTES),
    ]
    rows = [_line(name, ground) for name in DRAWERS]
    return Report(figures, [Table("Charts", ["", "time, s", "memory, MiB", "size, kB"], rows, NOTES)])


def _report(lake: Path, target: Path) -> None:
    command = [sys.executable, "-m", "speedtest.handlers.report", "--until", "2100-01-01", "-o", str(target)]
    folders = environment(RESULT_DIR=str(lake / "none"), UPLOAD_DIR=str(lake))
    subprocess.run(command, cwd=PROJECT, env=folders, check=True)


def _line(name: str, ground: Ground) -> list[Cell]:
    arguments = ("tests.benchmarks.drawing", name, str(ground.lake))
    try:
        found = [_drawn(name, arguments) for _ in range(1 if ground.quick else 5)]
    except elsewhere.Missing as why:
        return [name, f"not measured: {why}", None, None]
    return [
        name,
        statistics.median(each.seconds for each in found),
        statistics.median(each.mib for each in found),
        found[0].size / 1000,
    ]


def _drawn(name: str, arguments: tuple[str, ...]) -> Drawn:
    printed = in_a_process(*arguments) if name == "ours" else elsewhere.run(LIBRARIES, "-m", *arguments)
    return msgspec.json.decode(printed, type=Drawn)
