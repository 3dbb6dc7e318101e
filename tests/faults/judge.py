"""Judge a tree: can every row that was reported as saved be read exactly once, and is no partial file visible?

It reads twice: through `speedtest.data.lake.read`, and by hand with plain pyarrow and Python's csv.
"""

import csv
import hashlib
import io
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
from tests.faults.rows import HERE, ROW_ID, Row
from tests.faults.scenarios import RECEIPT, RESULTS, UPLOADS, Scenario, finish

_NUMBERED = re.compile(r"(.+)/speedtest_(\d{3,})\.(?:parquet|receipt\.json)")
_PARQUET = re.compile(r"location=[^/]+/year=\d{4}/month=\d\d/day=\d\d/speedtest_(\d{3,})\.parquet")
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


def expected(scenario: Scenario, reported: Iterable[str] = ()) -> Expected:
    """Return what must be found after a scenario that reported these lines."""
    saved = {row.name for row in scenario.saved} | {line.partition(" ")[2] for line in reported}
    contents = {row.data for row in scenario.rows.values()} | {*scenario.files.values(), *scenario.damaged.values()}
    return Expected(scenario.rows, saved, contents, scenario.damaged)


def aftermath(tree: Path, wanted: Expected, *, at_once: bool = True) -> Verdict:
    """Judge a tree as a fault left it, do what follows a fault, and judge it again.

    The first time, `lake.read` is used only if `at_once` is true, because it is slow.
    """
    verdict = judge(tree, wanted, through_lake=at_once)
    try:
        finish(tree)
    except SystemExit as end:
        verdict.other.append(f"the conversion that follows ended with {end.code}")
    except Exception:  # noqa: BLE001 (a run that fails is a finding)
        verdict.other.append(f"the next start or conversion failed: {traceback.format_exc()}")
    verdict.add(judge(tree, wanted))
    verdict.other += _unsettled(tree)
    return verdict


def judge(tree: Path, wanted: Expected, *, through_lake: bool = True) -> Verdict:
    """Judge the current state of a tree."""
    verdict = Verdict()
    if through_lake:
        count_by_lake(tree, wanted, verdict)
    count_by_hand(tree, wanted, verdict)
    _look_for_damaged(tree, wanted, verdict)
    return verdict


def count_by_lake(tree: Path, wanted: Expected, verdict: Verdict) -> None:
    """Judge the rows of one call of `lake.read`."""
    try:
        _count(_by_lake(tree), wanted, verdict, "lake.read")
    except Exception as error:  # noqa: BLE001 (every error of a reader is a finding)
        verdict.partial.add(f"lake.read: {error!r}")


def count_by_hand(tree: Path, wanted: Expected, verdict: Verdict) -> None:
    """Judge the rows that plain pyarrow and Python's csv read."""
    _count(_by_hand(tree, wanted, verdict), wanted, verdict, "plain pyarrow")


def _by_lake(tree: Path) -> list[dict[str, Any]]:
    os.environ["SPEEDTEST_LOCATION_UUID"] = HERE
    frame = lake.read(result_dir=tree / RESULTS, upload_dir=tree / UPLOADS)
    columns = frame[[ROW_ID, "timestamp", "download_mbps", "speedtest_address"]].astype(object)
    return [{str(name): value for name, value in record.items()} for record in columns.to_dict("records")]


def _count(found: Iterable[Mapping[str, Any]], wanted: Expected, verdict: Verdict, reader: str) -> None:
    counts: Counter[str] = Counter()
    for record in found:
        name = str(record[ROW_ID])
        counts[name] += 1
        if name not in wanted.rows:
            verdict.other.append(f"{reader}: {name} is not a row that was saved")
        elif not _is_as_kept(record, wanted.rows[name]):
            verdict.other.append(f"{reader}: {name} reads as {dict(record)}")
    verdict.lost |= wanted.saved - counts.keys()
    verdict.doubled |= {name for name, count in counts.items() if count > 1}


def _is_as_kept(record: Mapping[str, Any], row: Row) -> bool:
    """Compare values. A row of the original program lacks some of them before its conversion."""
    given = (record["timestamp"], record["download_mbps"], record["speedtest_address"])
    return all(value in {kept, None, ""} for value, kept in zip(given, row.values, strict=True))


def _by_hand(tree: Path, wanted: Expected, verdict: Verdict) -> list[dict[str, Any]]:
    """Read CSV first, then Parquet, and drop the CSV rows that a Parquet file lists."""
    waiting = list(_csv_rows(tree / RESULTS, wanted, verdict))
    converted, listed = _parquet_rows(tree / UPLOADS, verdict)
    return converted + [record for source, record in waiting if source not in listed]


def _visible(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "quarantine"]
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
            mbps = record.get("download_mbps")
            yield (
                source,
                {
                    ROW_ID: record[ROW_ID],
                    "timestamp": datetime.fromisoformat(record["timestamp"]),
                    "download_mbps": float(mbps) if mbps else None,
                    "speedtest_address": record.get("speedtest_address"),
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
                rows += file.read(
                    [ROW_ID, "timestamp", "download_mbps", "speedtest_address"], use_threads=False
                ).to_pylist()
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
    left += [f"{path.name} was left behind" for path in tree.rglob(".*.tmp")]
    numbers: dict[str, list[int]] = {}
    for name, _ in _visible(tree / UPLOADS):
        if found := _NUMBERED.fullmatch(name):
            numbers.setdefault(found[1], []).append(int(found[2]))
    for folder, found in numbers.items():
        receipt = 6 if f"{folder}/speedtest_006.receipt.json" in RECEIPT else 1
        if sorted(found) not in (list(range(1, len(found) + 1)), [1, *range(receipt, receipt + len(found) - 1)]):
            left.append(f"{folder} has the numbers {sorted(found)}")
    return left
