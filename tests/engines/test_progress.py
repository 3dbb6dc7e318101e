"""Progress lines are reported wherever the output is cut, and all other output is kept."""

import itertools
import json

import pytest
from hypothesis import given, strategies as st
from standins import ookla_texts as texts
from standins.ookla_results import V1_2_0

from speedtest.engines import ENGINES
from speedtest.engines.engine import Progress
from speedtest.engines.progress import LONGEST_LINE, Listener

READ = ENGINES["ookla"].progress
EVENTS = texts.TEST_START + texts.DOWNLOADING + texts.UPLOADING
TOLD = [
    Progress("start"),
    Progress("latency", 1.0, latency_ms=15.3),
    Progress("download", 0.42, 250.0),
    Progress("upload", 0.64, 12.0),
]
assert READ


def heard(chunks: list[bytes]) -> tuple[bytes, list[Progress]]:
    told: list[Progress] = []
    assert READ
    listener = Listener(READ, told.append)
    return b"".join([*map(listener, chunks), listener(b"")]), told


@given(st.lists(st.integers(0, len(EVENTS) + len(V1_2_0)), max_size=30))
def test_progress_is_told_and_the_result_kept_wherever_the_output_is_cut(cuts: list[int]) -> None:
    printed = (EVENTS + V1_2_0).encode()
    edges = [0, *sorted(cuts), len(printed)]
    chunks = [printed[start:end] for start, end in itertools.pairwise(edges) if start < end]
    assert heard(chunks) == (V1_2_0.encode(), TOLD)


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=20))
def test_whatever_is_no_progress_is_kept_byte_for_byte(chunks: list[bytes]) -> None:
    assert heard(chunks) == (b"".join(chunks), [])


def test_a_line_without_end_is_not_held_back_for_ever() -> None:
    listener = Listener(lambda _: None, lambda _: None)
    assert len(listener(b"x" * (LONGEST_LINE + 1))) == LONGEST_LINE + 1
    assert listener(b"y") == b""
    assert listener(b"") == b"y"


@pytest.mark.parametrize(
    "line",
    [
        V1_2_0,
        '{"error":"Cannot open socket"}',
        texts.NO_SOCKET.strip(),
        '{"type":"download","download":{"bandwidth":"fast","progress":0.5}}',
        '{"type":"download","download":{"bandwidth":1,"progress":"half"}}',
        '{"type":"unheard-of"}',
        "no json",
        "",
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_progress_as_documented_is_not_taken_for_it(line: str) -> None:
    assert READ
    assert READ(line.encode()) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_part_is_never_less_than_nothing_nor_more_than_all(progress: float) -> None:
    assert READ
    told = READ(json.dumps({"type": "upload", "upload": {"bandwidth": 1, "progress": progress}}).encode())
    assert told is None or 0 <= told.part <= 1
