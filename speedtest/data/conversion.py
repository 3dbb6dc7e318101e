"""Convert the CSV files of complete days to Parquet: one new numbered file for each location of a day.

The crash promise: every row is in the lake exactly once, whichever instruction a crash interrupts.
- The link that gives a Parquet file its name is the commit. The file is synced and read back before that.
- The file's metadata lists the source of each row, so the disk alone shows how far an interrupted conversion came:
  a row whose source is listed in any location's files of that day is in the lake and is not written again. What was
  delivered and removed since is listed in its receipt (see `data.receipts`), which also keeps its number taken.
- After the commit, exactly those CSV files are deleted that were read at the beginning. A Parquet file is never
  changed, deleted or overwritten. If one cannot be read, its day is not converted.
- A row that was re-dated may still lie in its old place as well (see `data.held`): it is deleted there first.
- A CSV file that is not valid is moved to `RESULT_DIR/quarantine/`, unchanged, with the reason beside it.
All this happens under the lock of `UPLOAD_DIR`. One thread does the file work, day after day. Meanwhile a second
thread parses and encodes the next days, a few at once. Two more threads close files whose names are deleted.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from speedtest.data import files, held, receipts
from speedtest.data.csv_rows import Source
from speedtest.data.deferred_close import DeferredClose
from speedtest.data.parquet import Damaged, encode, recover, verify
from speedtest.data.partitions import (
    Folders,
    complete_days,
    day_folder,
    highest_number,
    location_folder,
    locations,
    row_files,
)
from speedtest.data.receipts import BadReceipt
from speedtest.data.results import LARGEST_FILE, read_bounded
from speedtest.data.table import SOURCE, Parsed, parse, parse_days
from speedtest.logging import Events
from speedtest.values import amounts

events = Events(__name__)

_BYTES_AT_ONCE = 750_000
"""Days are parsed together until their CSV files exceed this size, about 500 rows."""


class _Day(msgspec.Struct):
    """A day that is being converted: its CSV files, each read once, and what becomes of them."""

    date: date
    folder: Path
    sources: list[Source] = []
    listed: set[str] = set()
    """Sources that the Parquet files of this day list already."""
    unreadable: dict[str, str] = {}
    """Files that do not hold valid rows, and why."""
    complete: bool = True
    """False if the disk could not deliver a file: it stays where it is."""
    descriptors: list[int] = []
    """Files of the day that are still open."""

    @property
    def bytes(self) -> int:
        """How many bytes were read."""
        return sum(len(source.data) for source in self.sources)


type _Encoded = list[tuple[str, pa.Table, pa.Buffer]]
"""A day's rows, ready to publish: each location, its rows and the bytes of its Parquet file."""

type _Started = list[tuple[_Day, Future[_Encoded]]]
"""Days that the second thread is parsing and encoding."""


type Begun = Callable[[date], None]
"""Called with each day before its rows are published."""


def convert(folders: Folders, address: str, today: date, begun: Begun | None = None) -> int:
    """Convert every day before `today` (UTC), oldest first; return how many could not be converted.

    Each failure is logged. `address` is the location of rows that name none.
    """
    hidden: list[OSError] = []
    with DeferredClose() as closing, ThreadPoolExecutor(1, "encode") as worker:
        pipeline = _Pipeline(folders, address, closing, worker, begun)
        ahead: _Started = []
        for days in pipeline.read(complete_days(folders.result_dir, today, hidden.append)):
            started = pipeline.start(days)
            pipeline.finish(ahead)
            ahead = started
        pipeline.finish(ahead)
    for error in hidden:
        events.error(
            "conversion_failed",
            "could not convert the rows in %s: %s; check the folder's owner and mode",
            error.filename,
            error.strerror,
        )
    return pipeline.failed + len(hidden)


class _Pipeline(msgspec.Struct):
    """The steps of a conversion: read days, let the second thread encode them, publish them, delete their CSV files."""

    folders: Folders
    address: str
    closing: DeferredClose
    worker: ThreadPoolExecutor
    begun: Begun | None
    failed: int = 0

    def read(self, found: Iterable[tuple[date, Path]]) -> Iterator[list[_Day]]:
        """Yield the days to parse together. The first batch is a single day, so that the second thread starts soon."""
        days: list[_Day] = []
        enough = 0
        for date_, folder in found:
            day = _Day(date_, folder)
            if _read(self.folders, day, self.closing):
                days.append(day)
            else:
                self._done(day, well=False)
            if sum(day.bytes for day in days) > enough:
                yield days
                days = []
                enough = _BYTES_AT_ONCE
        yield days

    def start(self, days: list[_Day]) -> _Started:
        """Let the second thread parse and encode these days."""
        parsed = self.worker.submit(parse_days, [day.sources for day in days], self.address)
        return [(day, self.worker.submit(_encode, day, self.address, parsed, at)) for at, day in enumerate(days)]

    def finish(self, started: _Started) -> None:
        """Publish these days and delete their CSV files, one day after the other."""
        for day, encoded in started:
            if self.begun:
                self.begun(day.date)
            self._done(day, well=_finish(self.folders, day, encoded))

    def _done(self, day: _Day, *, well: bool) -> None:
        self.failed += not well
        self.closing.close(day.descriptors)


def _read(folders: Folders, day: _Day, closing: DeferredClose) -> bool:
    """Find what the lake already has of a day, then read its CSV files. Log a failure and return False."""
    try:
        for location in locations(folders.upload_dir).values():
            day.listed |= recover(day_folder(location, day.date))
        for _, _, folder in receipts.days_with(folders.result_dir, day.date, day.date):
            day.listed |= receipts.sources_of(folder)
        _freeze(day, closing)
        held.drop_replaced(folders.result_dir, day.folder, [source.name for source in day.sources])
    except (OSError, Damaged, BadReceipt) as error:
        _log_failure(day, error)
        return False
    return True


def _finish(folders: Folders, day: _Day, encoded: Future[_Encoded]) -> bool:
    """Publish a day's rows, then delete their CSV files; return whether the whole day is done."""
    try:
        parts = encoded.result()
        for name, why in sorted(day.unreadable.items()):
            _quarantine(folders, day, name, why)
        for location, table, data in parts:
            path = _publish(folders, day, location, table, data)
            events.info(
                "converted",
                "converted %s: %s",
                day.date,
                amounts.count(table.num_rows, "row"),
                path=str(path),
                rows=table.num_rows,
            )
        _remove(folders, day)
    except (OSError, pa.ArrowException) as error:
        _log_failure(day, error)
        return False
    except Exception:  # noqa: BLE001 (a bug in one day must not stop the others; it is logged with its traceback)
        events.bug("could not convert %s because of an unexpected error; please report it", day.date)
        return False
    return day.complete


def _log_failure(day: _Day, error: Exception) -> None:
    events.error("conversion_failed", "could not convert %s: %s", day.date, error, path=str(day.folder))


def _freeze(day: _Day, closing: DeferredClose) -> None:
    """Read each of the day's files once, sorted by name. The files stay open until the day is done."""
    keep = partial(closing.keep, kept=day.descriptors)
    rows = sorted(entry.name for entry in row_files(day.folder))
    for name in rows:
        try:
            data = read_bounded(f"{day.folder}/{name}", keep)
        except OSError as error:
            events.error(
                "file_unreadable",
                "could not read %s/%s: %s; the file stays there and the next conversion tries again",
                day.folder,
                name,
                error.strerror,
            )
            day.complete = False
            continue
        if data is None:
            day.unreadable[name] = f"the file is larger than {LARGEST_FILE} bytes"
        else:
            day.sources.append(Source(name, data))
    for name in sorted(set(os.listdir(day.folder)) - set(rows)):
        if not name.startswith(".speedtest_"):
            events.warning("file_ignored", "ignored %s: it is not a file of rows", day.folder / name)


def _encode(day: _Day, address: str, parsed: Future[list[Parsed]], at: int) -> _Encoded:
    """Encode the rows of a day that are not in the lake yet; `at` is its place among the days parsed together.

    If parsing them together failed, this day is parsed alone, so that one day does not delay another. Runs in the
    second thread and touches no file.
    """
    table, unreadable = parse(day.sources, address) if parsed.exception() else parsed.result()[at]
    day.unreadable |= unreadable
    if day.listed:
        table = table.filter(pc.invert(pc.is_in(table[SOURCE], pa.array(sorted(day.listed)))))
    locations = sorted(name for name in pc.unique(table["speedtest_address"]).to_pylist() if name is not None)
    if len(locations) == 1:
        return [(locations[0], table, encode(table))]
    parts = [(name, table.filter(pc.equal(table["speedtest_address"], name))) for name in locations]
    return [(name, part, encode(part)) for name, part in parts]


def _publish(folders: Folders, day: _Day, location: str, table: pa.Table, data: pa.Buffer) -> Path:
    folder = day_folder(location_folder(folders.upload_dir, location), day.date)
    delivered = receipts.folder_of(folders.result_dir, location, day.date)
    highest = max(highest_number(folder), highest_number(delivered))
    names = (folder / f"speedtest_{number:03}.parquet" for number in itertools.count(highest + 1))
    return files.first_free(
        names,
        lambda path: files.publish(
            path, data.to_pybytes(), base=folders.upload_dir, verify=lambda back: verify(back, table), hidden=True
        ),
    )


def _quarantine(folders: Folders, day: _Day, name: str, why: str) -> None:
    """Move a file without valid rows to quarantine, the reason beside it. If the name is taken, add the next suffix."""
    folder = day_folder(folders.quarantine, day.date)
    source = day.folder / name
    reason = msgspec.json.format(msgspec.json.encode({"file": name, "reason": why}), indent=2) + b"\n"
    names = (folder / (name if number == 1 else f"{source.stem}_{number}.csv") for number in itertools.count(1))

    def put(target: Path) -> None:
        files.publish(target.with_name(f"{target.name}.reason.json"), reason, base=folders.result_dir)
        files.move(source, target, base=folders.result_dir)

    target = files.first_free(names, put)
    events.warning("quarantined", "moved a file to quarantine as %s: %s", target, why, path=str(target))


def _remove(folders: Folders, day: _Day) -> None:
    """Delete exactly the files whose rows are in the lake, then the folders that are empty now."""
    for source in day.sources:
        if source.name not in day.unreadable:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{day.folder}/{source.name}")  # noqa: PTH108 (a Path for each file doubles the cost)
    files.sync_folder(day.folder)
    files.remove_empty(day.folder, base=folders.result_dir)
