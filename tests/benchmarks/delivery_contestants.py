"""Deliver UPLOAD_DIR once, as the contestant that the argument names, and print what it took."""

import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec


def main() -> None:
    """Run the contestant that the argument names."""
    work = {"SpeedSnake": speedsnake, "bare puts": bare, "boto3": obvious}[sys.argv[1]]()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(msgspec.json.encode({"seconds": seconds, "peak_mib": peak}).decode() + "\n")


def _files() -> dict[str, Path]:
    base = Path(os.environ["UPLOAD_DIR"])
    return {str(path.relative_to(base)): path for path in sorted(base.rglob("*.parquet"))}


def speedsnake() -> Callable[[], object]:
    from speedtest.delivery import retention, run  # noqa: F401 (imports do not count)
    from speedtest.handlers import deliver

    def work() -> None:
        sys.argv = ["deliver"]
        try:
            deliver.main()
        except SystemExit as end:
            if end.code:
                raise

    return work


def bare() -> Callable[[], object]:
    import obstore
    from obstore.store import S3Store

    def work() -> None:
        bucket, _, folder = os.environ["DELIVER_TO"].removeprefix("s3://").partition("/")
        store = S3Store(
            bucket,
            prefix=folder,
            endpoint=os.environ["DELIVER_ENDPOINT"],
            access_key_id=os.environ["DELIVER_ACCESS_KEY"],
            secret_access_key=os.environ["DELIVER_SECRET_KEY"],
            client_options={"allow_http": True},
        )

        def put(key: str, path: Path) -> None:
            obstore.put(store, key, path.read_bytes())

        with ThreadPoolExecutor(8) as workers:
            list(workers.map(put, *zip(*_files().items(), strict=True)))

    return work


def obvious() -> Callable[[], object]:
    import boto3

    def work() -> None:
        bucket, _, folder = os.environ["DELIVER_TO"].removeprefix("s3://").partition("/")
        client = boto3.client(
            "s3",
            endpoint_url=os.environ["DELIVER_ENDPOINT"],
            aws_access_key_id=os.environ["DELIVER_ACCESS_KEY"],
            aws_secret_access_key=os.environ["DELIVER_SECRET_KEY"],
            region_name="us-east-1",
        )
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder}/")
        there = {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}
        missing = {key: path for key, path in _files().items() if there.get(f"{folder}/{key}") != path.stat().st_size}

        def put(key: str, path: Path) -> None:
            client.put_object(Bucket=bucket, Key=f"{folder}/{key}", Body=path.read_bytes())

        with ThreadPoolExecutor(10) as workers:
            list(workers.map(put, *zip(*missing.items(), strict=True)))

    return work


if __name__ == "__main__":
    main()
