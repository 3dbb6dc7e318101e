"""What happens to a tree while faults hit: the daemon saves rows, or a conversion of some kind runs.

A tree is a folder with `results` and `uploads`. `prepare` makes the tree to start from. `act` runs in a child and
reports each row that is saved. `finish` follows every fault: the next start of the daemon and a conversion.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import override

import msgspec

from speedtest.daemon.clock import Clock
from speedtest.daemon.clock_watch import ClockWatch
from speedtest.data import results
from speedtest.data.row_queue import RowQueue
from speedtest.handlers import convert, loop
from speedtest.process import Stop
from speedtest.terminal import startup
from tests.faults.child import Report
from tests.faults.rows import AHEAD, HERE, THERE, TOKEN, Held, Original, Row, row, together

RESULTS, UPLOADS = "results", "uploads"
RECEIPT = "location=here/year=2026/month=01/day=02/speedtest_006.receipt.json"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A tree to start from, an action, and what must be readable after it."""

    name: str
    act: Callable[["Scenario", Path, Report], None]
    files: dict[str, bytes] = {}
    """Files in the tree at the start, besides the rows that the daemon saved."""
    saved: list[Row] = []
    """Rows that were reported as saved before the start."""
    new: list[Row] = []
    """Rows that the action saves and reports, one by one."""
    damaged: dict[str, bytes] = {}
    """Files without valid rows, by their paths below `results`: they must stay there or in quarantine, unchanged."""
    earlier: list[Row] = []
    """Rows among `saved` that were converted before the start."""

    @property
    def rows(self) -> dict[str, Row]:
        return {row.name: row for row in (*self.saved, *self.new)}

    def prepare(self, tree: Path) -> None:
        tree.mkdir()
        if self.earlier:
            _save(tree, self.earlier)
            run_conversion(tree)
        _save(tree, [row for row in self.saved if row not in self.earlier and not isinstance(row, Original)])
        for path, data in (self.files | {f"{RESULTS}/{path}": data for path, data in self.damaged.items()}).items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)

    def run(self, tree: Path, report: Report) -> None:
        self.act(self, tree, report)


def _save(tree: Path, rows: list[Row]) -> None:
    """Save rows as the daemon does, except those that share a file in `files`."""
    for each in rows:
        if each.name not in _TOGETHER and not isinstance(each, Held):
            results.save(results.encode(each.measurement), tree / RESULTS)


def run_daemon(tree: Path, rows: list[Row], report: Report) -> None:
    """Start as the daemon does, save one of these rows each cycle, and stop. Report each row that is saved."""
    folder = tree / RESULTS
    _set_environment(tree)
    settings = startup.settings()
    folders = {"RESULT_DIR": settings.result_dir, "UPLOAD_DIR": settings.upload_dir}
    with startup.take_lock(loop.LOCK_NAME, "another daemon", **folders):
        loop._sweep(folder)  # noqa: SLF001 (a step of the daemon's start)
        waiting, clock = RowQueue(folder), _SetClock()
        watch = ClockWatch(clock, folder)
        watch._token = TOKEN  # noqa: SLF001 (each run has the same names)
        watch.release()
        names = {results.encode(each.measurement, held=watch.hold(each.measurement)): each.name for each in rows}
        for row_ in names:
            waiting.add(row_)
            for saved in waiting.save():
                report(f"saved {names[saved]}")
        clock.ahead = AHEAD
        for _ in range(2):
            for saved in waiting.save():
                report(f"saved {names[saved]}")
            watch.look()
            if not waiting:
                watch.settle()
        watch.release()
        waiting.give_up()


class _SetClock(Clock):
    """A clock that is unsynchronised, stands still, and is set later."""

    def __init__(self) -> None:
        super().__init__(Stop())
        self.ahead = timedelta(0)

    @override
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, tzinfo=UTC) + self.ahead

    @override
    def elapsed(self) -> float:
        return 0.0

    @override
    def synced(self) -> bool | None:
        return False


def run_conversion(tree: Path) -> None:
    """Convert as `python -m speedtest.handlers.convert` does. Raises SystemExit if a day could not be converted."""
    _set_environment(tree)
    sys.argv = ["convert"]
    convert.main()


def _set_environment(tree: Path) -> None:
    os.environ["RESULT_DIR"] = str(tree / RESULTS)
    os.environ["UPLOAD_DIR"] = str(tree / UPLOADS)
    os.environ["SPEEDTEST_LOCATION_UUID"] = HERE


def finish(tree: Path) -> None:
    """Do what follows any fault."""
    run_daemon(tree, [], lambda _: None)
    run_conversion(tree)


def _keep_rows(scenario: Scenario, tree: Path, report: Report) -> None:
    run_daemon(tree, scenario.new, report)


def _convert(_: Scenario, tree: Path, report: Report) -> None:
    del report
    run_conversion(tree)


_FIRST = [
    row(11, 1),
    row(12, 1),
    row(13, 1),
    row(21, 2),
    row(22, 2, address=THERE),
    row(23, 2),
    row(24, 2, address=THERE),
]
_TOGETHER = {"row-23", "row-24"}
_ORIGINAL = Original("row-25", row(25, 2).when, 25.25)
_WRONG = [Held(f"row-{number}", row(number, 1).when, number + 0.25) for number in (51, 52, 53)]
"""Dated January 1, 12:00, and in truth measured on January 2, 08:00."""
_DAY_1 = "year=2026/month=01/day=01"
_DAY_2 = "year=2026/month=01/day=02"

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="rows", act=_keep_rows, new=[row(1, 1), row(2, 1, second=1), row(3, 2)]),
        Scenario(
            name="first conversion",
            act=_convert,
            saved=[*_FIRST, _ORIGINAL],
            files={
                f"{RESULTS}/{_DAY_2}/speedtest_12-00-23.csv": together(_FIRST[5], _FIRST[6]),
                f"{RESULTS}/{_DAY_2}/speedtest_20260102T120025Z.csv": _ORIGINAL.data,
            },
        ),
        Scenario(
            name="late conversion",
            act=_convert,
            earlier=_FIRST[:5],
            saved=[*_FIRST[:5], row(31, 1), row(32, 1, second=12), row(33, 2), row(34, 2, address=THERE)],
            files={f"{UPLOADS}/{RECEIPT}": b"{}\n"},
        ),
        Scenario(
            name="recovery",
            act=_convert,
            earlier=_FIRST[:5],
            saved=[*_FIRST[:5], row(35, 1)],
            files={
                **{f"{RESULTS}/{_DAY_1}/speedtest_12-00-{each.when:%S}.csv": each.data for each in _FIRST[:3]},
                f"{RESULTS}/{_DAY_2}/speedtest_12-00-22.csv": _FIRST[4].data,
                f"{RESULTS}/{_DAY_1}/.speedtest_12-00-36.csv.tmp": row(36, 1).data[:99],
                f"{UPLOADS}/location=here/{_DAY_1}/.speedtest_002.parquet.tmp": b"PAR1",
            },
        ),
        Scenario(name="re-dating", act=_keep_rows, saved=[row(54, 1), row(55, 2)], new=[*_WRONG[:2], row(56, 2)]),
        Scenario(
            name="half re-dated",
            act=_convert,
            saved=[row(57, 1), row(58, 2), *_WRONG],
            files={
                **{f"{RESULTS}/held/{_DAY_1}/speedtest_12-00-{each.when:%S}_{TOKEN}.csv": each.data for each in _WRONG},
                f"{RESULTS}/{_WRONG[0].redated_name}": _WRONG[0].redated.data,
                f"{RESULTS}/{_DAY_1}/speedtest_12-00-52_{TOKEN}.csv": _WRONG[1].data,
            },
        ),
        Scenario(
            name="quarantine",
            act=_convert,
            saved=[row(41, 1), row(42, 1), row(43, 2)],
            damaged={
                f"{_DAY_1}/speedtest_13-00-00.csv": row(44, 1).data[:-9],
                f"{_DAY_1}/speedtest_13-00-01.csv": b"",
                f"{_DAY_2}/speedtest_13-00-02.csv": b"timestamp,status\nyesterday,ok\n",
            },
        ),
    )
}
