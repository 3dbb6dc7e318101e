"""Run benchmarks and print their figures: `python -m tests.benchmarks [OPTION ...] [NAME ...]`; `--help` says which.

`… accuracy` measures lines of known speed with each program: see `tests.benchmarks.accuracy`; `… watch` breaks lines
and looks at what the watch tells: see `tests.benchmarks.watch`; `… publishing` kills the child that sends rows at every
step: see `tests.benchmarks.publishing`; `… statistics` simulates lines and looks whether intervals hold the truth: see
`tests.benchmarks.statistics`.
"""

import argparse
import compileall
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.benchmarks import (
    accuracy,
    conversion,
    daemon,
    delivery,
    growth,
    harness,
    load,
    page,
    publishing,
    queries,
    reading,
    size,
    statistics,
    verdict,
    views,
    watch,
)
from tests.benchmarks.ground import Ground
from tests.benchmarks.report import Report, summary

BENCHMARKS: Mapping[str, Callable[[Ground], Report]] = {
    "conversion": conversion.run,
    "daemon": daemon.run,
    "growth": growth.run,
    "size": size.run,
    "reading": reading.run,
    "queries": queries.run,
    "views": views.run,
    "page": page.run,
    "load": load.run,
    "delivery": delivery.run,
    "verdict": verdict.run,
}
ALONE: Mapping[str, Callable[[Sequence[str]], None]] = {
    "accuracy": accuracy.main,
    "watch": watch.main,
    "publishing": publishing.main,
    "statistics": statistics.main,
}
"""Those with options of their own."""
YEAR = 365
QUICK = 12
LOCATIONS, QUICK_LOCATIONS = 300, 30


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the named benchmarks, or all; or one of those with options of their own."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in ALONE:
        ALONE[arguments[0]](arguments[1:])
        return
    options = _options(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # pyrefly: ignore[missing-attribute]
    _compile()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="speedsnake-benchmarks-") as folder:
        machine = harness.machine(Path(folder))
        sys.stdout.writelines(f"- {name}: {value}\n" for name, value in machine.items())
        ground = Ground(Path(folder), days=options.days, quick=options.quick, locations=options.locations)
        reports = run(options.names, ground)
    sys.stdout.write(f"\n{summary(figure for report in reports.values() for figure in report.figures)}")
    if options.json:
        found = {"when": datetime.now(UTC), "days": options.days, "quick": options.quick, "machine": machine}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found | {"benchmarks": reports})) + b"\n")


def run(names: Iterable[str], ground: Ground) -> dict[str, Report]:
    """Run these benchmarks, print the tables of each as soon as it ends, and return all reports."""
    reports: dict[str, Report] = {}
    for name in names:
        reports[name] = BENCHMARKS[name](ground)
        sys.stdout.writelines(f"\n{table}" for table in reports[name].tables)
    return reports


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} days and few repetitions: two minutes")
    parser.add_argument("--days", type=int, help=f"days of rows to work on ({YEAR}; quick: {QUICK})")
    parser.add_argument("--locations", type=int, help=f"of `load` ({LOCATIONS}; quick: {QUICK_LOCATIONS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to this file")
    parser.add_argument("--folder", type=Path, help="make the files in this folder, and so measure its disk")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; or alone, {' or '.join(ALONE)}"
    )
    options = parser.parse_args(arguments)
    if strangers := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(strangers))}; there are {', '.join(BENCHMARKS)}")
    options.names = options.names or list(BENCHMARKS)
    options.days = options.days or (QUICK if options.quick else YEAR)
    options.locations = options.locations or (QUICK_LOCATIONS if options.quick else LOCATIONS)
    return options


def _compile() -> None:
    """Compile all bytecode first, as a normal installation of SpeedSnake does."""
    for folder in (sysconfig.get_path("purelib"), harness.PROJECT / "speedtest", harness.PROJECT / "tests"):
        compileall.compile_dir(str(folder), quiet=2)


if __name__ == "__main__":
    main()
