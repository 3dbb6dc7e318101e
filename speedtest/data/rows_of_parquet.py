"""Read a Parquet file of the lake row by row, each with its source, for readers that know nothing of Arrow."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from speedtest.data.parquet import SOURCES_KEY, Damaged


def read(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of a file, each with its source, in the order of the file. Raises Damaged if it cannot be read.

    Rows of a file that lists no sources, because another program wrote it, are known by its name and their number.
    """
    try:
        with pq.ParquetFile(path) as file:
            listed = (file.metadata.metadata or {}).get(SOURCES_KEY.encode(), b"").decode().splitlines()
            rows = file.read(use_threads=False).to_pylist()
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise Damaged(path, error) from error
    if len(listed) != len(rows):
        listed = [f"{path.name}#{number}" for number in range(len(rows))]
    return list(zip(listed, rows, strict=True))
