"""`speedsnake export` writes every row once with every column, in three formats, never half a file."""

import csv
import errno
import io
import json
import os
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from command import SPEEDSNAKE, Terminal, speedsnake
from daemon import PATIENCE, DaemonProcess, run, variables
from msgspec.structs import replace
from samples import HOME, OFFICE, day_of, failed, keep, measured, utc
from standins import ookla
from standins.ookla_behaviours import NOW
from standins.ookla_results import V1_2_0, changed

from speedtest.data import lake, schema
from speedtest.data.table import SCHEMA

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n\r=1+1"]


def fill(folder: Path) -> pd.DataFrame:
    """Save two converted days at two locations and one unconverted day. Return what the lake reads."""
    rows = day_of(utc(2026, 3, 28), 12) + day_of(utc(2026, 3, 29), 12, "office")
    keep(rows, folder / "results")
    assert run(folder, "convert").returncode == 0
    keep(day_of(TODAY, 5), folder / "results")
    return everything(folder)


def everything(folder: Path) -> pd.DataFrame:
    return lake.read(result_dir=folder / "results", upload_dir=folder / "uploads")


def exported(folder: Path, *arguments: str) -> str:
    ended = speedsnake(folder, "export", *arguments, TZ="UTC")
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.slow
def test_parquet_holds_every_row_with_the_columns_and_types_of_the_lake(tmp_path: Path) -> None:
    rows = fill(tmp_path)
    assert exported(tmp_path, "--format", "parquet", "-o", "all.parquet") == ""
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.schema.equals(SCHEMA)
    found = table.to_pandas(types_mapper=lake.nullable().get)
    pd.testing.assert_frame_equal(found, rows)


def test_csv_is_read_back_by_duckdb_as_it_is_in_the_lake(tmp_path: Path) -> None:
    rows = fill(tmp_path)
    (tmp_path / "all.csv").write_text(exported(tmp_path))
    kinds = {"text": "VARCHAR", "float64": "DOUBLE", "int64": "BIGINT", "int32": "INTEGER", "bool": "BOOLEAN"}
    columns = {column.name: kinds.get(column.kind, "TIMESTAMPTZ") for column in schema.COLUMNS}
    assert len(rows) == 29
    with duckdb.connect() as database:
        database.sql("set timezone = 'UTC'")
        options = f"header = true, columns = {columns}, nullstr = '', allow_quoted_nulls = false"
        read = f"read_csv('{tmp_path}/all.csv', {options})"
        found = database.sql(f"select * from {read}").fetchall()
        names = database.sql(f"select * from read_csv('{tmp_path}/all.csv', all_varchar = true)").columns
    assert names == SCHEMA.names
    assert [tuple(map(plain, row)) for row in found] == lines(rows)


def test_json_is_one_array_with_an_object_a_row(tmp_path: Path) -> None:
    rows = fill(tmp_path)
    text = exported(tmp_path, "--format", "json")
    found = json.loads(text)
    assert all(list(row) == SCHEMA.names for row in found)
    instants = [column.name for column in schema.COLUMNS if column.kind == "instant"]
    for row in found:
        row |= {name: row[name] and datetime.fromisoformat(row[name]) for name in instants}
    assert [tuple(row.values()) for row in found] == lines(rows)
    assert text.count("\n") == len(rows) + 2


def plain(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def lines(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return a frame's rows as tuples of plain Python values, None for missing ones."""
    plain_rows = rows.astype(object).where(rows.notna(), None)
    return [
        tuple(value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in row)
        for row in plain_rows.itertuples(index=False, name=None)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "empty"), [("json", "[]\n"), ("csv", ",".join(f'"{n}"' for n in SCHEMA.names) + "\n")]
)
def test_nothing_is_written_as_nothing_that_can_be_read(tmp_path: Path, form: str, empty: str) -> None:
    assert exported(tmp_path, "--format", form) == empty
    assert exported(tmp_path, "--format", "parquet", "-o", "none.parquet") == ""
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


@pytest.mark.slow
def test_a_period_and_locations_narrow_it(tmp_path: Path) -> None:
    fill(tmp_path)

    def count(*arguments: str) -> int:
        return len(cells(exported(tmp_path, *arguments)))

    assert count("--since", "2026-03-29", "--until", "2026-03-30") == 12
    assert count("--since", "2026-03-28T12:00", "--until", "2026-03-28T20:00+02:00") == 3
    assert count("--until", "2026-03-29") == 12
    assert count("--since", "26h") == 5
    assert count("--location", "office") == 12
    assert count("--location", "office", "--location", "none") == 12


@pytest.mark.slow
def test_a_day_is_that_of_the_line_and_of_several_lines_that_of_tz(tmp_path: Path) -> None:
    rows = [measured(utc(2026, 10, 30) + timedelta(hours=number)) for number in range(100)]
    in_auckland = [replace(row, timezone="Pacific/Auckland") for row in rows]
    in_berlin = [replace(row, timezone="Europe/Berlin", speedtest_address=OFFICE) for row in rows]
    keep(in_auckland + in_berlin, tmp_path / "results")
    day = ("--since", "2026-11-01", "--until", "2026-11-02", "--columns", "timestamp")

    def begins(*lines: str) -> str:
        named = [argument for line in lines for argument in ("--location", line)]
        ended = speedsnake(tmp_path, "export", *day, *named, TZ="Asia/Tokyo")
        assert (ended.returncode, ended.stderr) == (0, "")
        return cells(ended.stdout)[0]["timestamp"][:16]

    assert begins(HOME) == "2026-10-31T11:00"
    assert begins(OFFICE) == "2026-10-31T23:00"
    assert begins() == begins(HOME, OFFICE) == "2026-10-31T15:00"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "yesterday"), "'yesterday' is not a time: write 2026-01-31 or "),
        (("--since", "7d", "--until", "8d"), "the end must be after the start"),
        (("--format", "xml"), "xml"),
        (("--formt", "csv"), "--formt"),
    ],
)
def test_what_means_nothing_is_refused_with_64(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    ended = speedsnake(tmp_path, "export", *arguments)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert words in ended.stderr


@pytest.mark.slow
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless_unless_raw(tmp_path: Path) -> None:
    rows = [
        replace(failed(utc(2026, 3, 28) + timedelta(minutes=number)), error=text, exit_code=-9)
        for number, text in enumerate([*FORMULAS, "a=b", "'quoted", ""])
    ]
    keep(rows, tmp_path / "results")
    assert run(tmp_path, "convert").returncode == 0
    found = [row["error"] for row in cells(exported(tmp_path))]
    assert found == [*(f"'{text}" for text in FORMULAS), "a=b", "'quoted", ""]
    raw = cells(exported(tmp_path, "--raw"))
    assert [row["error"] for row in raw] == [row.error for row in rows]
    assert {row["exit_code"] for row in raw} == {"-9"}


def test_every_text_column_is_made_harmless(tmp_path: Path) -> None:
    texts = [
        column.name for column in schema.COLUMNS if column.kind == "text" and column.name not in ("status", "extra")
    ]
    row = measured(utc(2026, 3, 28))
    common = {name: "=cmd()" for name in texts if hasattr(row, name) and name != "speedtest_address"}
    row = replace(row, **common, raw=row.raw | {name: "=cmd()" for name in texts if not hasattr(row, name)})
    keep([row], tmp_path / "results")
    (found,) = cells(exported(tmp_path))
    assert {name for name in texts if found[name] == "'=cmd()"} == set(texts) - {"speedtest_address"}


def test_a_file_is_there_all_at_once_and_replaces_what_was_there(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "all.csv").write_text("old")
    exported(tmp_path, "-o", "all.csv")
    assert len(cells((tmp_path / "all.csv").read_text())) == 29
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.slow
def test_an_export_that_fails_leaves_no_half_file_and_says_why(tmp_path: Path) -> None:
    fill(tmp_path)
    bad = next(tmp_path.glob("uploads/location=office/*/*/*/*.parquet"))
    bad.write_bytes(bad.read_bytes()[:-100])
    (tmp_path / "all.csv").write_text("old")
    ended = speedsnake(tmp_path, "export", "-o", "all.csv")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"the export failed: {bad.relative_to(tmp_path)} cannot be read" in ended.stderr
    assert (tmp_path / "all.csv").read_text() == "old"
    assert list(tmp_path.glob(".*")) == []
    ended = speedsnake(tmp_path, "export", "-o", "no-folder/all.csv", "--location", "none")
    assert (ended.returncode, os.strerror(errno.ENOENT) in ended.stderr) == (1, True)


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    exported(tmp_path, "--format", "json", "-o", "pipe")
    reader.join(PATIENCE)
    assert (read, (tmp_path / "pipe").is_fifo()) == (["[]\n"], True)


@pytest.mark.slow
def test_parquet_is_refused_to_a_terminal_and_given_to_a_pipe(tmp_path: Path) -> None:
    with Terminal(tmp_path, "export", "--format", "parquet") as terminal:
        assert terminal.end() == 64
    assert terminal.text == "Parquet cannot be shown in a terminal: name a file with -o, or use a pipe\n"
    ended = subprocess.run(
        [SPEEDSNAKE, "export", "--format", "parquet"],
        cwd=tmp_path,
        env=variables(tmp_path),
        capture_output=True,
        timeout=PATIENCE * 2,
        check=True,
    )
    assert pq.read_table(io.BytesIO(ended.stdout)).schema.equals(SCHEMA)


SMALL_PIPE = 4096
"""Bytes: smaller than every export below, so that the command must wait for its reader."""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path, form: str) -> None:
    keep(day_of(utc(2026, 3, 28), 144), tmp_path / "results")
    with subprocess.Popen(
        [SPEEDSNAKE, "export", "--format", form],
        cwd=tmp_path,
        env=variables(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pipesize=SMALL_PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE) == 1


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    keep(day_of(utc(2026, 3, 28), 720), tmp_path / "results")
    os.mkfifo(tmp_path / "pipe")
    with Terminal(tmp_path, "export", "-o", "pipe") as terminal, (tmp_path / "pipe").open("rb", buffering=0) as pipe:
        assert pipe.read(1)  # it has written, and waits when the pipe is full
        terminal.type(b"\x03")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.text


@pytest.mark.slow
def test_each_row_comes_once_while_a_daemon_measures_and_converts(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin", result=changed(V1_2_0, ("2024-03-09T14:25:36Z", NOW)) + "\n")
    keep([row for day in range(20) for row in day_of(utc(2026, 1, 1) + timedelta(days=day), 20)], tmp_path / "results")
    with DaemonProcess(tmp_path, tmp_path / "bin", SLEEP_SECONDS="0.2") as daemon:
        daemon.first_rows()
        for _ in range(3):
            found = cells(exported(tmp_path, "--until", "2026-02-01"))
            assert len(found) == 400
            assert len({(row["timestamp"], row["started_at"]) for row in found}) == 400
        assert daemon.stop() == 0
