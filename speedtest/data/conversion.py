"""The complete days of CSV files → one numbered Parquet file for each location of a day.

The crash promise: every row is in the lake exactly once, whatever happens between two instructions.
- The link that gives a Parquet file its name is the commit; the file is synced and has been read back before it.
- Its metadata lists the source of each of its rows, so a conversion that was cut short is known from the disk alone:
  a row whose source is listed in any location's files of that day is in the lake and is not written again.
- Only then are exactly the CSV files unlinked that were read at the beginning. A Parquet file is never changed, removed
  or numbered over; one that cannot be read stops its day.
- A CSV file that is not what it should be is moved to `RESULT_DIR/quarantine/`, unchanged, the reason beside it.
All this happens under `UPLOAD_DIR/.convert.lock`. File work is done in order by one thread, day after day; another
parses and encodes the days that come next meanwhile, a few at once; two close files whose names are gone.
"""

import contextlib
import errno
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

from speedtest.data import files
from speedtest.data.deferred_close import DeferredClose
from speedtest.data.parquet import Damaged, encode, highest_number, recover, verify
from speedtest.data.partitions import Folders, complete_days, day_folder, location_folder, locations, row_files
from speedtest.data.results import LARGEST_FILE, read_bounded
from speedtest.data.table import SOURCE, Parsed, Source, parse, parse_days
from speedtest.logging import Events

events = Events(__name__)

_BYTES_AT_ONCE = 750_000
"""So much CSV is parsed together, or a day more: some five hundred rows."""


class _Day(msgspec.Struct):
    """A day under way: its CSV files as they were read, once, and what becomes of them."""

    date: date
    folder: Path
    sources: list[Source] = []
    listed: set[str] = set()
    """Sources that a Parquet file of this day lists already."""
    unreadable: dict[str, str] = {}
    """Files that are no rows, and why."""
    complete: bool = True
    """False if the disk would not give a file: it stays where it is."""
    descriptors: list[int] = []
    """Its files that are still open."""

    @property
    def bytes(self) -> int:
        """How much was read of it."""
        return sum(len(source.data) for source in self.sources)


type _Encoded = list[tuple[str, pa.Table, pa.Buffer]]
"""A day's rows, ready to be published: each location, its rows and the bytes of its file."""

type _Started = list[tuple[_Day, Future[_Encoded]]]
"""Days in the hands of the second thread."""


type Begun = Callable[[date], None]
"""Hears of each day as its conversion begins."""


def convert(folders: Folders, address: str, today: date, begun: Begun | None = None) -> int:
    """Convert every day before `today` (UTC), oldest first; return how many could not be converted, each logged.

    `address` is the location of rows that name none.
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
            "could not convert what is in %s: %s; change its owner or mode",
            error.filename,
            error.strerror,
        )
    return pipeline.failed + len(hidden)


class _Pipeline(msgspec.Struct):
    """The days on their way: read, in the hands of the second thread, published and removed."""

    folders: Folders
    address: str
    closing: DeferredClose
    worker: ThreadPoolExecutor
    begun: Begun | None
    failed: int = 0

    def read(self, found: Iterable[tuple[date, Path]]) -> Iterator[list[_Day]]:
        """Yield those that are parsed together; at first a single one, so that the second thread need not wait."""
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
        """Have these parsed and encoded."""
        parsed = self.worker.submit(parse_days, [day.sources for day in days], self.address)
        return [(day, self.worker.submit(_encode, day, self.address, parsed, at)) for at, day in enumerate(days)]

    def finish(self, started: _Started) -> None:
        """Publish and remove these, one after the other."""
        for day, encoded in started:
            if self.begun:
                self.begun(day.date)
            self._done(day, well=_finish(self.folders, day, encoded))

    def _done(self, day: _Day, *, well: bool) -> None:
        self.failed += not well
        self.closing.close(day.descriptors)


def _read(folders: Folders, day: _Day, closing: DeferredClose) -> bool:
    """Look what of a day is in the lake already and read its files; False, logged, if that cannot be told."""
    try:
        for location in locations(folders.upload_dir).values():
            day.listed |= recover(day_folder(location, day.date))
        _freeze(day, closing)
    except (OSError, Damaged) as error:
        _log_failure(day, error)
        return False
    return True


def _finish(folders: Folders, day: _Day, encoded: Future[_Encoded]) -> bool:
    """Publish a day's rows, then remove their files; say whether all of the day is done."""
    try:
        parts = encoded.result()
        for name, why in sorted(day.unreadable.items()):
            _quarantine(folders, day, name, why)
        for location, table, data in parts:
            path = _publish(folders, day, location, table, data)
            events.info(
                "converted",
                "converted %s: %d rows",
                day.date,
                table.num_rows,
                path=str(path),
                rows=table.num_rows,
            )
        _remove(folders, day)
    except (OSError, pa.ArrowException) as error:
        _log_failure(day, error)
        return False
    except Exception:  # noqa: BLE001 (a bug in one day must not stop the others; it is logged with its traceback)
        events.bug("could not convert %s in a way that nobody foresaw; please report it", day.date)
        return False
    return day.complete


def _log_failure(day: _Day, error: Exception) -> None:
    events.error("conversion_failed", "could not convert %s: %s", day.date, error, path=str(day.folder))


def _freeze(day: _Day, closing: DeferredClose) -> None:
    """Read each of the day's files once, in the order of their names; they stay open until the day is done."""
    keep = partial(closing.keep, kept=day.descriptors)
    rows = sorted(entry.name for entry in row_files(day.folder))
    for name in rows:
        try:
            data = read_bounded(f"{day.folder}/{name}", keep)
        except OSError as error:
            events.error(
                "file_unreadable",
                "could not read %s/%s: %s; it stays there for the next conversion",
                day.folder,
                name,
                error.strerror,
            )
            day.complete = False
            continue
        if data is None:
            day.unreadable[name] = f"it is larger than {LARGEST_FILE} bytes"
        else:
            day.sources.append(Source(name, data))
    for name in sorted(set(os.listdir(day.folder)) - set(rows)):
        if not name.startswith(".speedtest_"):
            events.warning("file_ignored", "ignored %s: it is not the file of a row", day.folder / name)


def _encode(day: _Day, address: str, parsed: Future[list[Parsed]], at: int) -> _Encoded:
    """Encode what is not in the lake yet, of the days that were parsed together the one that is `at` this place.

    If that failed, this day is parsed by itself: none holds up another. Runs in the second thread: touches no file.
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
    names = (folder / f"speedtest_{number:03}.parquet" for number in itertools.count(highest_number(folder) + 1))
    return files.first_free(
        names,
        lambda path: files.publish(
            path, data.to_pybytes(), base=folders.upload_dir, verify=lambda back: verify(back, table)
        ),
    )


def _quarantine(folders: Folders, day: _Day, name: str, why: str) -> None:
    """Move a file that is no row out of the way, the reason beside it; a name that is taken gets the next suffix."""
    folder = day_folder(folders.quarantine, day.date)
    source = day.folder / name
    reason = msgspec.json.format(msgspec.json.encode({"file": name, "reason": why}), indent=2) + b"\n"
    names = (folder / (name if number == 1 else f"{source.stem}_{number}.csv") for number in itertools.count(1))

    def put(target: Path) -> None:
        files.publish(target.with_name(f"{target.name}.reason.json"), reason, base=folders.result_dir)
        files.move(source, target, base=folders.result_dir)

    target = files.first_free(names, put)
    events.warning("quarantined", "moved a file to quarantine: %s", why, path=str(target))


def _remove(folders: Folders, day: _Day) -> None:
    """Unlink exactly the files whose rows are in the lake, then the folders that this left empty."""
    for source in day.sources:
        if source.name not in day.unreadable:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{day.folder}/{source.name}")  # noqa: PTH108 (a Path for each doubles the cost)
    files.sync_folder(day.folder)
    for folder in (day.folder, *day.folder.parents):
        if folder == folders.result_dir:
            return
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                raise
            return
