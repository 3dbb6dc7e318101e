"""The footer of a Parquet file, read without pyarrow, says what pyarrow says."""

import contextlib
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from samples import HOME, day_of, keep, utc

from speedtest.data.conversion import convert
from speedtest.data.parquet import sources_of
from speedtest.data.partitions import Folders
from speedtest.delivery import footer
from speedtest.delivery.footer import NoParquet


def parquet(metadata: dict[str, str], rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"a": list(range(rows)), "b": ["x"] * rows, "c": [0.5] * rows, "d": [True] * rows})
    with pq.ParquetWriter(sink, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata)
    return sink.getvalue().to_pybytes()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("0123456789abcdef é-", min_size=1, max_size=40), max_size=20), st.integers(0, 50))
def test_rows_and_sources_are_those_that_were_written(sources: list[str], rows: int) -> None:
    found = footer.read(parquet({"other": "é", "speedsnake.sources": "\n".join(sources)}, rows))
    assert (found.rows, found.sources) == (rows, sources)


def test_a_file_of_a_conversion_lists_its_sources(tmp_path: Path) -> None:
    keep(day_of(utc(2026, 3, 1), 3), tmp_path / "results")
    convert(Folders(tmp_path / "results", tmp_path / "uploads"), HOME, date(2026, 3, 2))
    (path,) = (tmp_path / "uploads").rglob("*.parquet")
    found = footer.read(path.read_bytes())
    assert (found.rows, set(found.sources)) == (3, sources_of(path))


GOOD = parquet({"speedsnake.sources": "a"}, 3)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_read_but_never_anything_else(data: st.DataObject) -> None:
    good = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(0, len(good)))])
    for each in (bytes(good), cut):
        with contextlib.suppress(NoParquet):
            footer.read(each)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff" * 20 + b"\xff\xff\xff\x7fPAR1", b"{}"])
def test_what_is_no_parquet_is_refused(data: bytes) -> None:
    with pytest.raises(NoParquet):
        footer.read(data)
