"""Measure the page under load: slow connections that are held, ten years in one question, and many locations."""

import contextlib
import json
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from crowd import SLOW, holding, honest, many_files, p99
from samples import measured

from speedtest.data import partitions, results
from tests.benchmarks import harness, rows
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import timed
from tests.benchmarks.page import Served, serving
from tests.benchmarks.report import Figure, Report, Table

SLOW_CONNECTIONS = 1000
TEN_YEARS, QUICK_DAYS = 3652, 366
DAYS_OF_A_LOCATION = 2
ROWS_OF_TODAY = 72
SMALL_CONTAINER_MIB = 512
INSTANTS = ("timestamp", "started_at", "slot")
NOTES = [
    "An honest client asks for `/metrics` once a second, each time on a new connection; there are 50.",
    "Memory is the most that the page and its child had at one moment. A container cannot free anonymous memory.",
    "Resident memory counts twice what both share.",
    (
        f"Each location has {DAYS_OF_A_LOCATION} days of Parquet; one also {ROWS_OF_TODAY} rows as CSV. "
        "Times are since the page answered its first request."
    ),
]


class Watched:
    """What was seen of a page while it worked: how long its health check took, and the memory of all its processes."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.anonymous_mib = self.resident_mib = 0.0

    def look(self, page: Served) -> None:
        self.seconds.append(timed(lambda: page.good("/healthz"))())
        found = [harness.memory(pid) for pid in (page.process.pid, *_children(page.process.pid))]
        self.anonymous_mib = max(self.anonymous_mib, sum(each["RssAnon"] for each in found))
        self.resident_mib = max(self.resident_mib, sum(each["VmRSS"] for each in found))


def run(ground: Ground) -> Report:
    """Hold slow connections, ask for all of ten years, and read many locations."""
    figures = [*_crowd(ground), *_ten_years(ground), *_locations(ground)]
    table = Table("The page under load", ["what", "measured"], [[f.what, f"{f.value:,.4g} {f.unit}"] for f in figures])
    return Report(figures, [Table(table.title, table.columns, table.rows, NOTES)])


def _crowd(ground: Ground) -> list[Figure]:
    with many_files(), serving(ground, ground.lake) as page:
        page.good("/metrics")
        with holding(page.port, SLOW_CONNECTIONS, SLOW):
            took, errors = honest(page.port, 5 if ground.quick else 60)
    what = f"load: {SLOW_CONNECTIONS:,} slow connections"
    return [
        Figure(what=f"{what}, honest answers", value=len(took), unit=""),
        Figure(what=f"{what}, median of honest answers", value=statistics.median(took) * 1e3, unit="ms"),
        Figure(what=f"{what}, p99 of honest answers", value=p99(took) * 1e3, unit="ms", budget=1000),
        Figure(what=f"{what}, errors of honest answers", value=errors, unit="", budget=0),
    ]


def _ten_years(ground: Ground) -> list[Figure]:
    days = QUICK_DAYS if ground.quick else TEN_YEARS
    lake = ground.folder / "ten years of rows"
    _write(ground, lake, rows.HOME, days)
    with serving(ground, lake) as page:
        page.good("/metrics")
        with _watching(page) as watched:
            first = timed(lambda: page.good("/?range=all"))()
        again = timed(lambda: page.good("/?range=all"))()
    what = f"load: all of {days * rows.ROWS_A_DAY:,} rows"
    return [
        Figure(what=f"{what}, for the first time", value=first, unit="s"),
        Figure(what=f"{what}, again", value=again * 1e3, unit="ms"),
        Figure(what=f"{what}, anonymous", value=watched.anonymous_mib, unit="MiB", budget=SMALL_CONTAINER_MIB),
        Figure(what=f"{what}, resident", value=watched.resident_mib, unit="MiB"),
        Figure(what=f"{what}, p99 of /healthz meanwhile", value=p99(sorted(watched.seconds)) * 1e3, unit="ms"),
    ]


def _locations(ground: Ground) -> list[Figure]:
    names = [f"location-{number:05}" for number in range(ground.locations)]
    lake, csv = ground.folder / "many locations", ground.folder / "rows of many locations"
    for name in names:
        _write(ground, lake, name, DAYS_OF_A_LOCATION)
    begun = datetime.now(UTC).replace(microsecond=0)
    for number in range(ROWS_OF_TODAY):
        _keep(csv, begun - number * timedelta(minutes=10), names[-1])
    what = f"load: {ground.locations:,} locations"
    with serving(ground, lake, csv) as page:
        start = time.monotonic()
        _until(lambda: len(json.loads(page.good("/api/locations?limit=5000"))["locations"]) == len(names))
        listed = time.monotonic() - start
        _until(lambda: b"\nspeedtest_metrics_complete 1.0\n" in page.good("/metrics"))
        complete = time.monotonic() - start
        _keep(csv, begun + timedelta(seconds=1), names[-1])
        start = time.monotonic()
        _until(lambda: _last(page, names[-1]) > begun.timestamp())
        news = time.monotonic() - start
        memory = harness.memory(page.process.pid)
    return [
        Figure(what=f"{what}, until /api/locations is complete", value=listed, unit="s"),
        Figure(what=f"{what}, until /metrics is complete", value=complete, unit="s"),
        Figure(what=f"{what}, until /metrics has a new row", value=news, unit="s"),
        Figure(what=f"{what}, resident", value=memory["VmRSS"], unit="MiB"),
    ]


def _write(ground: Ground, lake: Path, location: str, days: int) -> None:
    """Write the days until yesterday, each with the rows of a day of the lake, dated anew."""
    templates = _templates(ground)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    for number in range(days):
        day = yesterday - timedelta(days=number)
        of, table = templates[number % len(templates)]
        folder = partitions.day_folder(partitions.location_folder(lake, location), day)
        folder.mkdir(parents=True)
        pq.write_table(_dated(table, day - of, location), folder / "speedtest_001.parquet")


def _templates(ground: Ground) -> Sequence[tuple[date, pa.Table]]:
    found = partitions.days(partitions.location_folder(ground.lake, rows.HOME))
    files = [(day, path) for (day, folder), _ in zip(found, range(12), strict=False) for path in folder.iterdir()]
    return [(day, pq.ParquetFile(path).read()) for day, path in files]


def _dated(table: pa.Table, later: timedelta, location: str) -> pa.Table:
    for name in INSTANTS:
        moved = pc.add(table[name], pa.scalar(later, pa.duration("us")))
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), moved)
    address = table.schema.get_field_index("speedtest_address")
    named = pa.repeat(location, table.num_rows).cast(table.schema.field(address).type)
    return table.set_column(address, table.schema.field(address), named)


def _keep(csv: Path, when: datetime, location: str) -> None:
    """Write one row as the daemon does, without its precautions."""
    row = results.encode(measured(when, location))
    folder = partitions.day_folder(csv, when.date())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"speedtest_{when:%H-%M-%S}_{location}.csv").write_bytes(row.data)


@contextlib.contextmanager
def _watching(page: Served) -> Iterator[Watched]:
    """Look at a page all the time, in a thread."""
    watched, ended = Watched(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            watched.look(page)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield watched
    finally:
        ended.set()
        thread.join()


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _last(page: Served, location: str) -> float:
    """Return when the last test of a location was, as the metrics say."""
    name = f'speedtest_last_attempt_timestamp_seconds{{location="{location}"}} '
    found = re.search(re.escape(name) + r"(\S+)", page.good("/metrics").decode())
    return float(found[1]) if found else 0


def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.02)
