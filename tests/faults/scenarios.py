"""What happens to a tree while faults hit: the daemon saves rows, or a conversion of some kind runs.

A tree is a folder with `results` and `uploads`. `prepare` makes the tree to start from. `act` runs in a child and
reports each row that is saved. `finish` follows every fault: the next start of the daemon and a conversion.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from speedtest.daemon.clock_watch import ClockWatch
from speedtest.daemon.outages import Outages
from speedtest.data import heartbeat, results
from speedtest.data.row_queue import RowQueue
from speedtest.handlers import convert, loop
from speedtest.terminal import startup
from tests.faults.child import Report
from tests.faults.line import Line, ScriptedWatch, SetClock, state, waiting_row
from tests.faults.rows import (
    AHEAD,
    ENDED,
    HERE,
    LATER_TOKEN,
    THERE,
    TOKEN,
    Held,
    Original,
    Outage,
    Row,
    outage,
    row,
    together,
)

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
    converted_first: bool = False
    """Whether a conversion comes before the daemon's next start, and not only after it."""
    killed: bool = False
    """Whether the daemon is killed at the end of the action, so that it prints nothing."""

    @property
    def rows(self) -> dict[str, Row]:
        return {row.name: row for row in (*self.saved, *self.new)}

    @property
    def outages(self) -> list[Outage]:
        """The outages that begin in the action."""
        return [row for row in self.new if isinstance(row, Outage)]

    def prepare(self, tree: Path) -> None:
        tree.mkdir()
        if self.earlier:
            _save(tree, self.earlier)
            run_conversion(tree)
        _save(tree, [row for row in self.saved if row not in self.earlier and not isinstance(row, (Original, Outage))])
        for path, data in (self.files | {f"{RESULTS}/{path}": data for path, data in self.damaged.items()}).items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)

    def run(self, tree: Path, report: Report) -> None:
        self.act(self, tree, report)


def _save(tree: Path, rows: list[Row]) -> None:
    """Save rows as the daemon does, except those that share a file in `files`."""
    for each in rows:
        if each.name not in _TOGETHER and not isinstance(each, Held):
            results.save(results.encode(each.measurement), tree / RESULTS, each.suffix)


class Started(msgspec.Struct, frozen=True):
    """What a daemon has when it has started."""

    clock: SetClock
    dates: ClockWatch
    waiting: RowQueue
    outages: Outages

    def look(self) -> None:
        """Look at the clocks, as the daemon does between two tests."""
        self.dates.look()
        if not (self.waiting or self.outages.waits):
            self.dates.settle()

    def close(self) -> bool:
        """End as the daemon does; return whether no outage had to be printed."""
        all_saved = self.outages.end()
        self.waiting.save()
        if not self.outages.waits:
            self.dates.release()
        self.waiting.give_up()
        return all_saved


@contextmanager
def _started(tree: Path, clock: SetClock, watch: ScriptedWatch | None = None) -> Iterator[Started]:
    """Start as the daemon does."""
    folder = tree / RESULTS
    set_environment(tree)
    settings = startup.settings()
    folders = {"RESULT_DIR": settings.result_dir, "UPLOAD_DIR": settings.upload_dir}
    with startup.take_lock(loop.LOCK_NAME, "another daemon", **folders):
        dates = ClockWatch(clock, folder)
        dates._token = TOKEN  # noqa: SLF001 (each run has the same names)
        outages = Outages(settings, clock, dates, watch)
        loop._sweep(folder)  # noqa: SLF001 (a step of the daemon's start)
        dates.release()
        outages.begin()
        yield Started(clock, dates, RowQueue(folder), outages)


def run_daemon(tree: Path, rows: list[Row], report: Report) -> None:
    """Start as the daemon does, save one of these rows each cycle, and stop. Report each row that is saved."""
    with _started(tree, SetClock(synced=False)) as daemon:
        waiting, dates = daemon.waiting, daemon.dates
        names = {results.encode(each.measurement, held=dates.hold(each.measurement)): each.name for each in rows}
        for row_ in names:
            waiting.add(row_)
            for saved in waiting.save():
                report(f"saved {names[saved]}")
        daemon.clock.ahead = AHEAD
        for _ in range(2):
            for saved in waiting.save():
                report(f"saved {names[saved]}")
            daemon.look()
            daemon.outages.keep()
        daemon.close()


def run_conversion(tree: Path) -> None:
    """Convert as `python -m speedtest.handlers.convert` does. Raises SystemExit if a day could not be converted."""
    set_environment(tree)
    sys.argv = ["convert"]
    convert.main()


def set_environment(tree: Path) -> None:
    """Set the variables of a daemon or a conversion on this tree. The daemon watches no real line."""
    os.environ["RESULT_DIR"] = str(tree / RESULTS)
    os.environ["UPLOAD_DIR"] = str(tree / UPLOADS)
    os.environ["SPEEDTEST_LOCATION_UUID"] = HERE
    os.environ["TZ"] = "UTC"
    os.environ["WATCH_SECONDS"] = "0"
    os.environ.pop("COMMIT_HASH", None)


def finish(tree: Path) -> None:
    """Do what follows any fault."""
    run_daemon(tree, [], lambda _: None)
    run_conversion(tree)


def _keep_rows(scenario: Scenario, tree: Path, report: Report) -> None:
    run_daemon(tree, scenario.new, report)


def _convert(_: Scenario, tree: Path, report: Report) -> None:
    del report
    run_conversion(tree)


def _see_outages(scenario: Scenario, tree: Path, report: Report) -> None:
    """Let one outage begin, last and end, let another pass between two notes, and be killed during a third.

    A test ends in the second in which the first outage began.
    """
    test, *_ = scenario.new
    first, second, third = scenario.outages
    clock = SetClock(synced=True)
    watch = ScriptedWatch(clock)
    with _started(tree, clock, watch) as daemon:
        line = Line(daemon.outages, watch, report)
        line.note()
        line.is_down(first, 4)
        line.note()
        if daemon.waiting.keep(results.encode(test.measurement)):
            report(f"saved {test.name}")
        line.is_down(first, 64)
        line.note()
        line.is_up(first)
        line.note()
        line.keep()
        line.is_up(second)
        line.keep()
        line.is_down(third, 5)
        line.note()


def _see_outages_and_set_the_clock(scenario: Scenario, tree: Path, report: Report) -> None:
    """Let an outage end before the clock is set, and stop during another that began before that too."""
    first, second = scenario.outages
    clock = SetClock(synced=False)
    watch = ScriptedWatch(clock, boot=heartbeat.boot_id())
    with _started(tree, clock, watch) as daemon:
        line = Line(daemon.outages, watch, report)
        line.is_up(first)
        line.keep()
        line.is_down(second, 3)
        line.note()
        clock.ahead = AHEAD
        daemon.look()
        daemon.dates._token = LATER_TOKEN  # noqa: SLF001 (each run has the same names)
        line.is_down(second, 70)
        if daemon.close():
            report(f"saved {second.name} {second.seconds:g}")


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
_LEFT = [outage(61, seconds=7), outage(62, seen=(3,)), outage(63, seconds=7, clock_is_set=True)]
"""What a killed daemon left in the file of its watch: a converted row, an outage that has no row, and a held row."""
_OUTAGES = [outage(64, seen=(4, 64), seconds=90), outage(65, seconds=6), outage(66, seen=(5,))]
_REDATED = [
    outage(67, seconds=90, clock_is_set=True),
    outage(68, seen=(3,), seconds=70, ending=ENDED, clock_is_set=True),
]
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
        Scenario(
            name="outages",
            act=_see_outages,
            new=[row(64, 1), *_OUTAGES],
            killed=True,
        ),
        Scenario(
            name="outages, re-dated",
            act=_see_outages_and_set_the_clock,
            converted_first=True,
            earlier=[_LEFT[0]],
            saved=[*_LEFT, row(69, 2)],
            new=[*_REDATED],
            files={
                f"{RESULTS}/{waiting_row(_LEFT[2], held=TOKEN).path}": _LEFT[2].data,
                f"{RESULTS}/.watch.json": state(
                    unsaved=[waiting_row(_LEFT[0]), waiting_row(_LEFT[2], held=TOKEN)], lasting=_LEFT[1]
                ),
            },
        ),
    )
}
