"""Judge a tree: can every row that was reported as saved be read exactly once, and is no partial file visible?

It reads twice: through `speedtest.data.lake.read`, and by hand with plain pyarrow and Python's csv. An outage that has
no row yet must be in the file of the watch, until the daemon's next start.
"""

import csv
import hashlib
import io
import json
import os
import re
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from speedtest.data import lake
from tests.faults.rows import HERE, ROW_ID, Outage, Row
from tests.faults.scenarios import RECEIPT, RESULTS, UPLOADS, Scenario, finish, run_conversion

_NUMBERED = re.compile(r"(.+)/speedtest_(\d{3,})\.(?:parquet|receipt\.json)")
_PARQUET = re.compile(r"location=[^/]+/year=\d{4}/month=\d\d/day=\d\d/speedtest_(\d{3,})\.parquet")
_REPLACES = re.compile(r"_was-([0-9a-f]{16})$")
HELD = "held"
WATCH = ".watch.json"
_COLUMNS = [
    ROW_ID,
    "timestamp",
    "download_mbps",
    "speedtest_address",
    "status",
    "error_kind",
    "error",
    "duration_seconds",
    "extra",
]
_CSV = re.compile(r"year=\d{4}/month=\d\d/day=\d\d/speedtest_(.+)\.csv")


class Verdict(msgspec.Struct):
    """What is wrong with a tree: the names of rows and files."""

    lost: set[str] = set()
    doubled: set[str] = set()
    partial: set[str] = set()
    other: list[str] = []

    def add(self, another: "Verdict") -> None:
        self.lost |= another.lost
        self.doubled |= another.doubled
        self.partial |= another.partial
        self.other += another.other

    @property
    def breaches(self) -> int:
        return len(self.lost) + len(self.doubled) + len(self.partial) + len(self.other)


class Expected(msgspec.Struct):
    """The rows that may be there, the rows that must be there, and the bytes that a file of rows may have."""

    rows: Mapping[str, Row]
    saved: set[str]
    contents: set[bytes]
    damaged: Mapping[str, bytes] = {}
    converted_first: bool = False
    lasted: Mapping[str, float] = {}
    """For how many seconds at least an outage must be known to have lasted."""


def expected(scenario: Scenario, reported: Iterable[str] = ()) -> Expected:
    """Return what must be found after a scenario that reported these lines."""
    known = [line.split()[1:] for line in reported]
    saved = {row.name for row in scenario.saved} | {name for name, *_ in known}
    lasted = {row.name: row.lengths[-1][0] for row in scenario.saved if isinstance(row, Outage)}
    lasted |= {name: float(seconds[0]) for name, *seconds in known if seconds}
    contents = {data for row in scenario.rows.values() for data in row.contents} | {
        *scenario.files.values(),
        *scenario.damaged.values(),
    }
    return Expected(scenario.rows, saved, contents, scenario.damaged, scenario.converted_first, lasted)


def aftermath(tree: Path, wanted: Expected, *, at_once: bool = True) -> Verdict:
    """Judge a tree as a fault left it, do what follows a fault, and judge it again.

    The first time, `lake.read` is used only if `at_once` is true, because it is slow.
    """
    verdict = judge(tree, wanted, through_lake=at_once)
    try:
        if wanted.converted_first:
            run_conversion(tree)
        finish(tree)
    except SystemExit as end:
        verdict.other.append(f"the conversion that follows ended with {end.code}")
    except Exception:  # noqa: BLE001 (a run that fails is a finding)
        verdict.other.append(f"the next start or conversion failed: {traceback.format_exc()}")
    verdict.add(judge(tree, wanted, may_wait=False))
    verdict.other += _unsettled(tree)
    return verdict


def judge(tree: Path, wanted: Expected, *, through_lake: bool = True, may_wait: bool = True) -> Verdict:
    """Judge the current state of a tree. If `may_wait`, an outage need not have a row yet."""
    verdict = Verdict()
    waiting = dict(_in_the_watch(tree, verdict)) if may_wait else {}
    if through_lake:
        count_by_lake(tree, wanted, verdict, waiting)
    count_by_hand(tree, wanted, verdict, waiting)
    _look_for_damaged(tree, wanted, verdict)
    return verdict


def count_by_lake(tree: Path, wanted: Expected, verdict: Verdict, waiting: Mapping[str, float] | None = None) -> None:
    """Judge the rows of one call of `lake.read`. `waiting` has the outages that may have no row yet."""
    try:
        _count(_by_lake(tree), wanted, verdict, "lake.read", waiting or {})
    except Exception as error:  # noqa: BLE001 (every error of a reader is a finding)
        verdict.partial.add(f"lake.read: {error!r}")


def count_by_hand(tree: Path, wanted: Expected, verdict: Verdict, waiting: Mapping[str, float] | None = None) -> None:
    """Judge the rows that plain pyarrow and Python's csv read. `waiting` has the outages that may have no row yet."""
    _count(_by_hand(tree, wanted, verdict), wanted, verdict, "plain pyarrow", waiting or {})


def _by_lake(tree: Path) -> list[dict[str, Any]]:
    os.environ["SPEEDTEST_LOCATION_UUID"] = HERE
    frame = lake.read(result_dir=tree / RESULTS, upload_dir=tree / UPLOADS)
    columns = frame[_COLUMNS].astype(object)
    return [{str(name): value for name, value in record.items()} for record in columns.to_dict("records")]


def _in_the_watch(tree: Path, verdict: Verdict) -> Iterator[tuple[str, float]]:
    """Yield the outages that wait in the file of the watch, and how long they lasted."""
    try:
        left = json.loads((tree / RESULTS / WATCH).read_bytes())
    except FileNotFoundError:
        return
    except ValueError as error:
        verdict.partial.add(f"{WATCH}: {error}")
        return
    for outage in (*left["open"], *left["ended"]):
        yield outage["id"], outage["seconds"]
    for row in left["unsaved"]:
        (record,) = csv.DictReader(io.StringIO(row["data"], newline=""))
        yield record["outage"], float(record["duration_seconds"])


def _count(
    found: Iterable[Mapping[str, Any]], wanted: Expected, verdict: Verdict, reader: str, waiting: Mapping[str, float]
) -> None:
    counts: Counter[str] = Counter()
    lasted = dict(waiting)
    for record in found:
        name = _name(record)
        counts[name] += 1
        if name not in wanted.rows:
            verdict.other.append(f"{reader}: {name} is not a row that was saved")
        elif not _is_as_kept(record, wanted.rows[name]):
            verdict.other.append(f"{reader}: {name} reads as {dict(record)}")
        lasted[name] = float(record["duration_seconds"] or 0)
    verdict.lost |= wanted.saved - counts.keys() - waiting.keys()
    verdict.doubled |= {name for name, count in counts.items() if count > 1}
    verdict.partial |= {
        f"{reader}: of {name} only {lasted[name]:g} of {seconds:g} s are left"
        for name, seconds in wanted.lasted.items()
        if lasted.get(name, seconds) < seconds
    }


def _name(record: Mapping[str, Any]) -> str:
    """Return the name of a row. That of an outage is its id, a field without a column."""
    extra = record["extra"]
    return str(json.loads(extra).get("outage") or record[ROW_ID] if isinstance(extra, str) else record[ROW_ID])


def _is_as_kept(record: Mapping[str, Any], row: Row) -> bool:
    """Compare values. A row of the original program lacks some of them before its conversion."""
    if isinstance(row, Outage):
        return (
            (record["status"], record["error_kind"]) == ("outage", "router")
            and (record["duration_seconds"], record["error"]) in row.lengths
            and record["timestamp"] in row.instants
            and record["speedtest_address"] == row.address
        )
    given = (record["download_mbps"], record["speedtest_address"])
    kept = (row.mbps, row.address)
    return record["timestamp"] in row.instants and all(
        value in {known, None, ""} for value, known in zip(given, kept, strict=True)
    )


def _by_hand(tree: Path, wanted: Expected, verdict: Verdict) -> list[dict[str, Any]]:
    """Read held rows first, then CSV, then Parquet, and drop rows that were found twice."""
    held = list(_csv_rows(tree / RESULTS / HELD, wanted, verdict))
    waiting = list(_csv_rows(tree / RESULTS, wanted, verdict))
    converted, listed = _parquet_rows(tree / UPLOADS, verdict)
    found = listed | {source for source, _ in waiting}
    replaced = {match[1] for source in found if (match := _REPLACES.search(source))}
    waiting += [
        (source, record) for source, record in held if source not in found and source.split(" ")[0] not in replaced
    ]
    return converted + [record for source, record in waiting if source not in listed]


def _visible(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in {"quarantine", HELD}]
        for name in sorted(names):
            if not name.startswith("."):
                path = Path(parent, name)
                yield str(path.relative_to(folder)), path


def _csv_rows(folder: Path, wanted: Expected, verdict: Verdict) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, path in _visible(folder):
        if not (found := _CSV.fullmatch(name)):
            verdict.other.append(f"{name} is not named like a file of SpeedSnake")
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a conversion that runs at the same time has deleted it
            continue
        if data not in wanted.contents:
            verdict.partial.add(name)
            continue
        if name in wanted.damaged:
            continue
        digest = hashlib.blake2b(data, digest_size=8).hexdigest()
        records = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
        for number, record in enumerate(records):
            source = f"{digest} {found[1]}" + (f"#{number}" if len(records) > 1 else "")
            mbps, seconds, outage = (record.get(name) for name in ("download_mbps", "duration_seconds", "outage"))
            yield (
                source,
                {
                    **{name: record.get(name) for name in _COLUMNS},
                    "timestamp": datetime.fromisoformat(record["timestamp"]),
                    "download_mbps": float(mbps) if mbps else None,
                    "duration_seconds": float(seconds) if seconds else None,
                    "extra": json.dumps({"outage": outage}) if outage else None,
                },
            )


def _parquet_rows(folder: Path, verdict: Verdict) -> tuple[list[dict[str, Any]], set[str]]:
    rows: list[dict[str, Any]] = []
    listed: set[str] = set()
    for name, path in _visible(folder):
        if name.endswith(".receipt.json"):
            continue
        if not _PARQUET.fullmatch(name):
            verdict.other.append(f"{name} is not named like a file of SpeedSnake")
            continue
        try:
            with pq.ParquetFile(path) as file:
                rows += file.read(_COLUMNS, use_threads=False).to_pylist()
                metadata = file.metadata.metadata or {}
        except Exception as error:  # noqa: BLE001 (a damaged file can raise any exception)
            verdict.partial.add(f"{name}: {error}")
            continue
        listed.update(metadata.get(b"speedsnake.sources", b"").decode().splitlines())
    return rows, listed


def _look_for_damaged(tree: Path, wanted: Expected, verdict: Verdict) -> None:
    """Check that damaged files are unchanged, in their place or in quarantine."""
    kept = {path.read_bytes() for path in (tree / RESULTS / "quarantine").rglob("*.csv")}
    for name, data in wanted.damaged.items():
        path = tree / RESULTS / name
        if not (path.exists() and path.read_bytes() == data) and data not in kept:
            verdict.lost.add(name)


def _unsettled(tree: Path) -> list[str]:
    """Return what should not be left: unconverted CSV files, temporary files, wrong numbers."""
    left = [f"{name} is not converted" for name, _ in _visible(tree / RESULTS)]
    left += [f"{name} is held" for name, _ in _visible(tree / RESULTS / HELD)]
    left += [f"{path.name} was left behind" for path in tree.rglob(".*.tmp")]
    left += [f"{name} waits in {WATCH}" for name, _ in _in_the_watch(tree, Verdict())]
    numbers: dict[str, list[int]] = {}
    for name, _ in _visible(tree / UPLOADS):
        if found := _NUMBERED.fullmatch(name):
            numbers.setdefault(found[1], []).append(int(found[2]))
    for folder, found in numbers.items():
        receipt = 6 if f"{folder}/speedtest_006.receipt.json" in RECEIPT else 1
        if sorted(found) not in (list(range(1, len(found) + 1)), [1, *range(receipt, receipt + len(found) - 1)]):
            left.append(f"{folder} has the numbers {sorted(found)}")
    return left
