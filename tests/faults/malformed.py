"""Malformed CSV files: named ones, and thousands made by damaging good ones.

For any content, either all rows of a file are in the lake with every field unchanged, or the file is in quarantine,
unchanged. Its neighbours are converted.
"""

import csv
import io
import json
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from samples import failed, measured, utc

from speedtest.data import results, schema
from speedtest.data.csv_rows import file_of
from speedtest.data.results import LARGEST_FILE
from tests.faults import child, mutants
from tests.faults.family import Ask, Family, Form, Found, Job, workshop
from tests.faults.judge import Verdict
from tests.faults.rows import Original, row, together
from tests.faults.scenarios import RESULTS, UPLOADS, run_conversion

GOOD = results.encode(measured(utc(2026, 1, 1, 12), address="here")).data
FAILED = results.encode(failed(utc(2026, 1, 1, 13), address="here")).data
PLAIN = row(1, 1).data
ORIGINAL = Original("row-2", datetime(2026, 1, 1, 14, tzinfo=UTC), 2.25).data
HEADER, _, BODY = PLAIN.partition(b"\n")
DAY = "year=2026/month=01/day=01"
AT_ONCE = 500
"""How many files are generated for one day."""

QUARANTINED = True
CONVERTED = False
NAMED: dict[str, tuple[bytes, bool]] = {
    "empty": (b"", QUARANTINED),
    "one line end": (b"\n", QUARANTINED),
    "one NUL": (b"\0", QUARANTINED),
    "a header only": (HEADER + b"\n", QUARANTINED),
    "a header without a line end": (HEADER, QUARANTINED),
    "a blank line before the header": (b"\n" + PLAIN, QUARANTINED),
    "a carriage return in the header": (ORIGINAL.replace(b"result_id", b"result\r_id"), QUARANTINED),
    "a header and blank lines": (HEADER + b"\n\n\n", QUARANTINED),
    "cut in the header": (HEADER[:40], QUARANTINED),
    "cut in the row": (PLAIN[:-20], QUARANTINED),
    "cut before the last line end": (PLAIN[:-1], QUARANTINED),
    "cut in a quoted field": (PLAIN[: PLAIN.rindex(b'"')], QUARANTINED),
    "a NUL in the row": (PLAIN[:-5] + b"\0" + PLAIN[-5:], QUARANTINED),
    "all NUL": (bytes(len(PLAIN)), QUARANTINED),
    "NUL behind the row": (PLAIN + bytes(512), QUARANTINED),
    "no UTF-8": (PLAIN[:-5] + b"\xff\xfe" + PLAIN[-5:], QUARANTINED),
    "half a UTF-8 character": (PLAIN.replace("ö".encode(), b"\xc3"), QUARANTINED),
    "UTF-16": (PLAIN.decode().encode("utf-16"), QUARANTINED),
    "a byte order mark": (b"\xef\xbb\xbf" + PLAIN, CONVERTED),
    "Windows' line ends": (PLAIN.replace(b"\n", b"\r\n"), CONVERTED),
    "old Macintosh's line ends": (PLAIN.replace(b"\n", b"\r"), QUARANTINED),
    "one field too many": (HEADER + b"\n" + BODY.removesuffix(b"\n") + b",more\n", QUARANTINED),
    "one field too few": (HEADER + b"\n" + BODY.rpartition(b",")[0] + b"\n", QUARANTINED),
    "a column twice": (HEADER + b",status\n" + BODY.removesuffix(b"\n") + b",ok\n", QUARANTINED),
    "no column timestamp": (PLAIN.replace(b"timestamp", b"time", 1), QUARANTINED),
    "an empty timestamp": (HEADER + b"\n" + b"," + BODY.partition(b",")[2], QUARANTINED),
    "a timestamp of words": (HEADER + b"\n" + b"yesterday," + BODY.partition(b",")[2], QUARANTINED),
    "the 30th of February": (PLAIN.replace(b"2026-01-01T12", b"2026-02-30T12", 1), QUARANTINED),
    "the year 0": (PLAIN.replace(b"2026-01-01T12", b"0000-01-01T12", 1), QUARANTINED),
    "the year 9999": (PLAIN.replace(b"2026-01-01T12", b"9999-12-31T23", 1), CONVERTED),
    "a year beyond the calendar": (
        PLAIN.replace(b"2026-01-01T12:00:01Z", b"0001-01-01T00:00:00+14:00", 1),
        QUARANTINED,
    ),
    "no quote at the end": (PLAIN.replace(b'"', b"", 1), QUARANTINED),
    "text behind a quote": (PLAIN.replace(b'""Netz"""', b'""Netz"""x'), QUARANTINED),
    "a program's words": (b"Speedtest by Ookla\n\n  Server: none\n", QUARANTINED),
    "JSON": (b'{"type":"result"}\n', QUARANTINED),
    "a web page": (b"<html><body>Please log in</body></html>\n", QUARANTINED),
    "no location that can be a folder": (PLAIN.replace(b",here,", b",../up,"), QUARANTINED),
    "a location of 65 letters": (PLAIN.replace(b",here,", b"," + b"x" * 65 + b","), QUARANTINED),
    "larger than a row can be": (PLAIN + b"x" * LARGEST_FILE, QUARANTINED),
    "many rows, too large": (PLAIN + BODY * (LARGEST_FILE // len(BODY) + 1), QUARANTINED),
    "a number of words": (PLAIN.replace(b",1.25,", b",fast,"), CONVERTED),
    "not a number": (PLAIN.replace(b",1.25,", b",nan,"), CONVERTED),
    "infinity": (PLAIN.replace(b",1.25,", b",inf,"), CONVERTED),
    "more than a float holds": (PLAIN.replace(b",1.25,", b",1e999,"), CONVERTED),
    "digits that only Python knows": (PLAIN.replace(b",1.25,", b",1_0.25,"), CONVERTED),
    "a number with spaces": (PLAIN.replace(b",1.25,", b", 1.25 ,"), CONVERTED),
    "an unknown column": (HEADER + b",colour\n" + BODY.removesuffix(b"\n") + b",blue\n", CONVERTED),
    "a column without a name": (HEADER + b',""\n' + BODY.removesuffix(b"\n") + b",blue\n", CONVERTED),
    "a column's name with a line end": (HEADER + b',"a\nb"\n' + BODY.removesuffix(b"\n") + b",blue\n", CONVERTED),
    "two rows": (together(row(1, 1), row(3, 1)), CONVERTED),
    "the same row twice": (PLAIN + BODY, CONVERTED),
    "two rows, one cut": (PLAIN + BODY[:-30] + b"\n", QUARANTINED),
    "blank lines between rows": (PLAIN + b"\n\n" + BODY, CONVERTED),
    "a line end in a field": (PLAIN.replace("Föhn".encode(), b"F\nhn"), CONVERTED),
    "the original program's row": (ORIGINAL, CONVERTED),
    "the original program's row, cut": (ORIGINAL[:-3] + b"\n", CONVERTED),
    "the original program's row, of nanoseconds": (ORIGINAL.replace(b":00Z", b":00.123456789Z", 1), CONVERTED),
    "a failed attempt": (FAILED, CONVERTED),
}


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    del ask
    yield partial(_named, form.mutant)
    for seed in range(form.count(20, 3)):
        yield partial(_generated, seed, form.mutant)


def _named(mutant: str | None) -> Found:
    """Convert each named file with two good ones, so that each has its own verdict."""
    found = Found()
    for name, (data, quarantined) in NAMED.items():
        verdict, kept = _convert_with({"speedtest_12-30-00.csv": data}, mutant)
        if bool(kept) != quarantined:
            verdict.other.append(f"it was {'put into quarantine' if kept else 'converted'}")
        found.take(name, verdict)
    return found


def _generated(seed: int, mutant: str | None) -> Found:
    chance = random.Random(seed)
    files = {f"speedtest_12-30-00_{number}.csv": damaged(chance) for number in range(AT_ONCE)}
    verdict, _ = _convert_with(files, mutant)
    found = Found()
    found.take(f"{AT_ONCE} generated files, seed {seed}", verdict)
    found.cases = len(files)
    return found


def damaged(chance: random.Random) -> bytes:
    """Return a good file with one to three kinds of damage."""
    data = chance.choice((GOOD, PLAIN, FAILED, ORIGINAL, together(row(5, 1), row(6, 1))))
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(DAMAGE)(data, chance)
    return data


def _cut(data: bytes, chance: random.Random) -> bytes:
    end = chance.randint(0, len(data))
    return data[:end] + chance.choice((b"", b"\n"))


def _leave_out(data: bytes, chance: random.Random) -> bytes:
    start = chance.randint(0, len(data))
    return data[:start] + data[start + chance.randint(1, 40) :]


def _put_in(data: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(data))
    what = chance.choice(
        (b",", b'"', b'""', b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b";", b"\t", b" ", "ß€😀".encode())
    )
    return data[:at] + what * chance.randint(1, 3) + data[at:]


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


_STRANGE = """
nan -inf 1e400 0x1F 1_000 ٣ -0 +1 "" True true null 9223372036854775808 3.0 1e3 2026-01-01 20260101T000000Z
2026-01-01T00:00:00 2026-01-01T12:00:00.123456789Z 2026-01-01T24:00:00Z 2026-W01-1
"""
STRANGE = [b"", b" 7 ", b"2026-01-01 12:00:00+05:30", *_STRANGE.encode().split()]
"""Texts that some readers accept as values and others do not."""


def _swap_field(data: bytes, chance: random.Random) -> bytes:
    fields = data.split(b",")
    fields[chance.randrange(len(fields))] = chance.choice(STRANGE)
    return b",".join(fields)


def _repeat_line(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    return data + chance.choice(lines) * chance.randint(1, 3)


def _other_line_ends(data: bytes, chance: random.Random) -> bytes:
    return data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n")))


DAMAGE: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut, _leave_out, _put_in, _flip, _swap_field, _swap_field, _swap_field, _repeat_line, _other_line_ends,
)  # fmt: skip


def _convert_with(files: dict[str, bytes], mutant: str | None) -> tuple[Verdict, list[str]]:
    """Convert these files and two good ones; return what is wrong, and which files are in quarantine."""
    with workshop() as folder:
        return child.call(_convert_and_compare, folder / "tree", files, mutant)


def _convert_and_compare(tree: Path, files: dict[str, bytes], mutant: str | None) -> tuple[Verdict, list[str]]:
    if mutant:
        mutants.apply(mutant)
    day = tree / RESULTS / DAY
    day.mkdir(parents=True)
    good = {"speedtest_12-00-41.csv": row(41, 1).data, "speedtest_12-00-42.csv": row(42, 1).data}
    for name, data in (good | files).items():
        (day / name).write_bytes(data)
    verdict = Verdict()
    try:
        run_conversion(tree)
        run_conversion(tree)  # finds nothing left to do
    except SystemExit as end:
        verdict.other.append(f"the conversion ended with {end.code}")
    quarantine = tree / RESULTS / "quarantine" / DAY
    kept = sorted(name for name in files if (quarantine / name).exists())
    lake = _lake(tree)
    for name, data in (good | files).items():
        if name in kept:
            _compare_quarantined(quarantine / name, data, lake.get(name, []), verdict)
        else:
            _compare_converted(name, data, lake.get(name, []), verdict)
    left = [path.name for path in day.glob("*")] if day.exists() else []
    verdict.other += [f"{name} was left where it lay" for name in left]
    return verdict, kept


def _lake(tree: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the lake by their source file."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted((tree / UPLOADS).glob("location=*/year=*/month=*/day=*/*.parquet")):
        with pq.ParquetFile(path) as file:
            sources = (file.metadata.metadata or {})[b"speedsnake.sources"].decode().splitlines()
            for source, record in zip(sources, file.read().to_pylist(), strict=True):
                rows[file_of(source)].append(record | {"#": int(source.partition("#")[2] or 0)})
    return {name: sorted(found, key=lambda record: record["#"]) for name, found in rows.items()}


def _compare_quarantined(path: Path, data: bytes, rows: list[dict[str, Any]], verdict: Verdict) -> None:
    if path.read_bytes() != data:
        verdict.lost.add(f"{data!r} is other bytes in quarantine")
    if not json.loads(path.with_name(f"{path.name}.reason.json").read_bytes())["reason"]:
        verdict.other.append(f"{data!r} is in quarantine without a reason")
    if rows:
        verdict.doubled.add(f"{data!r} is in quarantine and in the lake")


def _compare_converted(name: str, data: bytes, rows: list[dict[str, Any]], verdict: Verdict) -> None:
    """Read the file with Python's csv reader, and look for each of its fields in the lake."""
    try:
        text = data.decode("utf-8-sig")
        lines = [
            line for line in csv.reader(io.StringIO(text, newline=""), quoting=csv.QUOTE_NOTNULL, strict=True) if line
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        verdict.other.append(f"{name} was converted though {error}: {data!r}")
        return
    names = [field or "" for field in lines[0]] if lines else []
    if len(lines) - 1 != len(rows):
        kind = verdict.lost if len(rows) < len(lines) - 1 else verdict.doubled
        kind.add(f"{name}: {len(lines) - 1} rows became {len(rows)}: {data!r}")
        return
    for line, record in zip(lines[1:], rows, strict=True):
        extra = json.loads(record["extra"] or "{}")
        if len(line) != len(names):
            verdict.other.append(f"{name} was converted though a row has another count of fields: {data!r}")
            continue
        for column, field in zip(names, line, strict=True):
            if field is not None and not _is_kept(column, field, record, extra):
                verdict.lost.add(f"{name}: {column} = {field!r} of {data!r}")


def _is_kept(column: str, field: str, record: dict[str, Any], extra: dict[str, str]) -> bool:
    """Return whether a text is in its column as a value, or unchanged in `extra`."""
    value = record.get(column)
    if extra.get(column) == field:
        return True
    if column == "extra" or column not in schema.BY_NAME or value is None:
        return False
    try:
        meant = schema.parse(field, schema.BY_NAME[column].kind)
    except ValueError:
        return False
    if isinstance(value, float) and isinstance(meant, float):
        return math.isclose(value, meant, rel_tol=0, abs_tol=0)
    return value == meant


FAMILY = Family(name="malformed CSV", jobs=_jobs, least=10_040, least_short=1540)
