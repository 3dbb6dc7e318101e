"""Ways to convert days of CSV files to Parquet, each run in its own process: `… NAME RESULTS OUT` prints its cost.

Only SpeedSnake's is durable, verified and repeatable: it hashes what it reads, syncs what it writes, reads it back,
compares every value, and deletes the CSV files. The others only do what their manuals say.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from tests.benchmarks.harness import Cost, memory

type Work = Callable[[Path, Path], None]


def days(results: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield each day's name and its CSV files."""
    for folder in sorted(results.glob("year=*/month=*/day=*")):
        yield "-".join(part.partition("=")[2] for part in folder.parts[-3:]), sorted(folder.glob("*.csv"))


def speedsnake() -> Work:
    from speedtest.handlers import convert

    convert.prepare()
    import speedtest.data.conversion  # noqa: F401 (else `run` imports it while the time runs)

    def work(results: Path, out: Path) -> None:
        os.environ |= {"RESULT_DIR": str(results), "UPLOAD_DIR": str(out), "LOG_LEVEL": "WARNING"}
        del sys.argv[1:]
        convert.main()

    return work


def pandas() -> Work:
    import pandas as pd
    import pyarrow.parquet  # noqa: F401 (else to_parquet imports it while the time runs)

    def work(results: Path, out: Path) -> None:
        for day, files in days(results):
            frame = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
            frame.to_parquet(out / f"{day}.parquet", compression="zstd")

    return work


def duckdb() -> Work:
    import duckdb as db

    def work(results: Path, out: Path) -> None:
        with db.connect() as connection:
            for day, files in days(results):
                connection.execute(
                    f"copy (select * from read_csv('{files[0].parent}/*.csv', union_by_name=true)) "
                    f"to '{out / day}.parquet' (format parquet, compression zstd)"
                )

    return work


def polars() -> Work:
    import polars as pl

    def work(results: Path, out: Path) -> None:
        for day, files in days(results):
            frames = [pl.scan_csv(file) for file in files]
            pl.concat(frames, how="diagonal_relaxed").sink_parquet(out / f"{day}.parquet", compression="zstd")

    return work


def copy() -> Work:
    return _copy


def copy_and_delete() -> Work:
    def work(results: Path, out: Path) -> None:
        _copy(results, out)
        for folder in results.glob("year=*/month=*/day=*"):
            for name in os.listdir(folder):
                os.unlink(f"{folder}/{name}")  # noqa: PTH108 (the least work possible)

    return work


def _copy(results: Path, out: Path) -> None:
    """Read every byte and write it to one file per day, the least that any conversion must do."""
    for day, files in days(results):
        with (out / f"{day}.csvs").open("wb") as target:
            for file in files:
                with file.open("rb") as source:
                    target.write(source.read())


CONTESTANTS: Mapping[str, Callable[[], Work]] = {
    "SpeedSnake": speedsnake,
    "pandas": pandas,
    "DuckDB": duckdb,
    "Polars": polars,
    "copy": copy,
    "copy and delete": copy_and_delete,
}


def main() -> None:
    name, results, out = sys.argv[1:]
    before = time.perf_counter()
    work = CONTESTANTS[name]()
    imported = time.perf_counter() - before
    start, cpu = time.perf_counter(), time.process_time()
    work(Path(results), Path(out))
    took, took_cpu = time.perf_counter() - start, time.process_time() - cpu
    sys.stdout.buffer.write(msgspec.json.encode(Cost(took, took_cpu, imported, memory()["VmHWM"])))


if __name__ == "__main__":
    main()
