"""From real bytes on loopback to every reader: the real speedtest-cli, the daemon, CSV, Parquet and its readers."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from daemon import DaemonProcess, rows, until
from standins.service import Service

from speedtest.data import schema
from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders

TESTS = 3
WATCHED = """\
#!/bin/sh
# The real program, unmodified. Its output is also kept in a file.
[ "$1" = --version ] && exec {program} "$@"
out={folder}/$(date +%s%N).json
{program} "$@" >"$out"
code=$?
cat "$out"
exit $code
"""


@pytest.fixture(scope="module")
def measured(speedtest_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Let the daemon measure a few times; return its folder and what the program printed, flattened."""
    folder = tmp_path_factory.mktemp("home")
    watched = folder / "bin" / "speedtest-cli"
    watched.parent.mkdir()
    watched.write_text(WATCHED.format(program=shlex.quote(str(speedtest_cli)), folder=shlex.quote(str(folder))))
    watched.chmod(0o755)
    with (
        Service() as service,
        DaemonProcess(
            folder, watched.parent, SPEEDTEST_ENGINE="speedtest-cli", SLEEP_SECONDS="0.5", **service.environment
        ) as daemon,
    ):
        until(lambda: len(daemon.logged("measured")) >= TESTS, "tests")
        assert daemon.stop() == 0
        assert service.sent > TESTS * 1_000_000
        assert service.received > TESTS * 1_000_000
    printed = [flat(json.loads(text)) for path in sorted(folder.glob("*.json")) if (text := path.read_text())]
    return folder, sorted(printed, key=lambda result: result["timestamp"])


def flat(result: dict[str, Any]) -> dict[str, Any]:
    nested = {f"{outer}_{name}": value for outer in ("server", "client") for name, value in result.pop(outer).items()}
    return result | nested


def as_printed(row: dict[str, Any]) -> dict[str, Any]:
    """Return the program's own fields of a row, in the form that the program prints."""
    names = {column.name for column in schema.FLATTENED}
    fields = {name: value for name, value in row.items() if name in names and value is not None}
    fields |= {name: str(fields[name]) for name in ("server_lat", "server_lon", "client_lat", "client_lon")}
    return fields | {"timestamp": f"{row['timestamp']:%Y-%m-%dT%H:%M:%S.%fZ}", "share": None}


def expected(printed: dict[str, Any]) -> dict[str, Any]:
    """Return what was printed, with coordinates in the form of numbers."""
    places = ("server_lat", "server_lon", "client_lat", "client_lon")
    return printed | {name: str(float(printed[name])) for name in places}


def test_every_value_that_the_program_printed_reaches_every_reader(measured: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, printed = measured
    waiting = rows(folder)
    assert len(printed) >= TESTS
    found = [as_printed(row) for row in waiting if row["status"] != "skipped"]
    assert found == [expected(result) for result in printed[: len(found)]]

    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    lake = Folders(folder / "results", folder / "uploads")
    assert convert(lake, "unused", tomorrow) == 0
    assert list(folder.glob("results/year=*")) == []
    assert rows(folder) == waiting

    files = f"{folder}/uploads/*/*/*/*/*.parquet"
    columns = ", ".join(f'"{column.name}"' for column in schema.COLUMNS)
    duck = duckdb.sql(f"select {columns} from read_parquet('{files}') order by timestamp")
    assert duck
    polar = pl.read_parquet(files).sort("timestamp").select(column.name for column in schema.COLUMNS)
    for read in (duck.to_arrow_table().to_pylist(), polar.to_dicts()):
        assert [{name: value for name, value in row.items() if value is not None} for row in read] == waiting


def test_the_common_columns_are_what_the_program_measured(measured: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, printed = measured
    for row, result in zip([row for row in rows(folder) if row["status"] != "skipped"], printed, strict=False):
        assert (row["status"], row["engine"], row["engine_version"]) == ("ok", "speedtest-cli", "2.1.3")
        assert row["download_mbps"] == result["download"] / 1e6 > 1
        assert row["upload_mbps"] == result["upload"] / 1e6 > 1
        assert row["latency_ms"] == result["ping"]
        assert row["data_bytes"] == result["bytes_sent"] + result["bytes_received"]
        assert row["started_at"] <= row["timestamp"]
