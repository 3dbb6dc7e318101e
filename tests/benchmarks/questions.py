"""Ask each engine the same question: what is the median download by hour of the day (UTC)?

`… NAME LAKE` prints the answer and how long it took. Only the standard library and the engine are needed.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

type Answer = dict[int, float]


def duckdb(lake: Path) -> Answer:
    import duckdb as db

    question = f"""
        select extract(hour from timestamp at time zone 'UTC') as hour, median(download_mbps)
        from read_parquet('{lake}/') group by hour"""
    return dict(db.connect().execute(question).fetchall())


def polars(lake: Path) -> Answer:
    import polars as pl

    hour = pl.col("timestamp").dt.hour()
    return dict(pl.scan_parquet(lake).group_by(hour).agg(pl.median("download_mbps")).collect().rows())


def pandas(lake: Path) -> Answer:
    import pandas as pd

    rows = pd.read_parquet(lake, columns=["timestamp", "download_mbps"])
    return rows.groupby(rows["timestamp"].dt.hour)["download_mbps"].median().to_dict()


def pyspark(lake: Path) -> Answer:
    from pyspark.sql import SparkSession, functions as f  # pyrefly: ignore[missing-import]

    spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    rows = spark.read.parquet(str(lake)).groupBy(f.hour("timestamp")).agg(f.median("download_mbps"))
    return {row[0]: row[1] for row in rows.collect()}


ENGINES: Mapping[str, Callable[[Path], Answer]] = {
    "duckdb": duckdb,
    "polars": polars,
    "pandas": pandas,
    "pyspark": pyspark,
}


def main() -> None:
    """Import one engine, then ask it."""
    name, lake = sys.argv[1:]
    importlib.import_module(name)
    start = time.perf_counter()
    answer = ENGINES[name](Path(lake))
    json.dump({"seconds": time.perf_counter() - start, "answer": sorted(answer.items())}, sys.stdout)


if __name__ == "__main__":
    main()
