"""Hostile output: reading it costs little time and memory, and the attempt is still a row in the lake."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from samples import HOME, ookla_result, utc

from speedtest.data import results
from speedtest.data.table import LARGEST_FILE, Source, parse
from speedtest.engines import ENGINES
from speedtest.engines.output import flatten
from speedtest.measurement import Failure, Measurement
from speedtest.process import OUTPUT_LIMIT, Finished

NOON = utc(2026, 3, 29, 12, 0, 5)
RESULT = json.dumps(ookla_result(NOON)).encode()


def read(stdout: bytes = b"", stderr: bytes = b"", code: int = 0, engine: str = "ookla") -> Measurement:
    return ENGINES[engine].read([Finished("exit", code, stdout, stderr, 20.0)])


def answer(stdout: bytes, stderr: bytes = b"", code: int = 0, engine: str = "ookla") -> Measurement | Failure:
    """Return the measurement, or the failure that reading raised."""
    try:
        return read(stdout, stderr, code, engine)
    except Failure as failure:
        return failure


def repeated(unit: bytes, size: int = OUTPUT_LIMIT // 4) -> bytes:
    return unit * (size // len(unit))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "unit", [b"[\n", b"[[error] \n", b"[error] x\n", b"{", b"{}\n", b'{"', b'{"a":', b"[", b"\n", b" ", b'"', b"\\"]
)
def test_a_stream_full_of_anything_is_read_in_no_time(engine: str, unit: bytes) -> None:
    stream = repeated(unit)
    for stdout, code in ((stream, 0), (stream, 2), (RESULT + b"\n" + stream, 0)):
        started = time.process_time()
        answer(stdout, stream, code, engine)
        assert time.process_time() - started < 5


def test_a_long_name_above_many_fields_is_refused_before_it_fills_the_memory() -> None:
    fields = b",".join(b'"%d":1' % number for number in range(1000))
    tracemalloc.start()
    with pytest.raises(Failure, match="more than"):
        flatten(b'{"%b":{%b}}' % (b"k" * 100_000, fields))
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "fields",
    [
        b'"' + b'\\"' * 523_500 + b'":1',
        b'"' + b"k" * 18 + b'":{' + b",".join(b'"%d":1' % number for number in range(39_500)) + b"}",
        b'"a\\u0000":1,"a\xef\xbf\xbd":2',
        b'"a\\u0000":1,"a":{"\\u0000":2}',
    ],
)
def test_what_is_taken_for_a_result_is_not_refused_by_the_lake_later(fields: bytes) -> None:
    row = answer(b"{%b,%b" % (fields, RESULT[1:]))
    if isinstance(row, Measurement):
        data = results.encode(row).data
        assert len(data) <= LARGEST_FILE
        assert parse([Source("speedtest_x.csv", data)], HOME)[1] == {}
    else:
        assert row.kind == "malformed"


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_that_is_none_in_utc_makes_a_rejected_row_with_its_fields(timestamp: str) -> None:
    with pytest.raises(Failure, match="outside the calendar in UTC") as raised:
        read(json.dumps(ookla_result(NOON) | {"timestamp": timestamp}).encode())
    assert (raised.value.kind, raised.value.raw["raw_timestamp"]) == ("rejected", timestamp)


@pytest.mark.parametrize("line", [b'{"type":"log","message":"\xff"}', b'{"type":"log","message":"' + b"x" * 1_010_000])
def test_a_line_that_cannot_be_kept_does_not_hide_the_result_before_it(line: bytes) -> None:
    assert read(RESULT + b"\n" + line.removesuffix(b'"}') + b'"}\n').status == "ok"


def changed(**fields: Any) -> bytes:  # noqa: ANN401 (whatever a program may print)
    return json.dumps(ookla_result(NOON) | fields).encode()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (changed(ping={"latency": 600_000.0}), "a latency of 600000 ms"),
        (changed(ping={"latency": -1.0}), "a latency of -1 ms"),
        (changed(ping={"latency": 5, "jitter": -0.1}), "a figure below 0"),
        (changed(packetLoss=-1), "a figure below 0"),
        (changed(download={"bandwidth": 10**6, "bytes": -(10**9)}), "a figure below 0"),
        (changed(upload={"bandwidth": 0}), "an upload speed of 0 Mbit/s"),
    ],
)
def test_a_figure_that_cannot_be_true_is_rejected_and_the_fields_are_kept(result: bytes, words: str) -> None:
    with pytest.raises(Failure, match="rejected") as raised:
        read(result)
    assert words.removeprefix("an ") in raised.value.words
    assert raised.value.raw["server_country"] == "Switzerland"
    assert read(changed(ping={"latency": 599_999.0})).latency_ms == 599_999.0


def test_fields_whose_flattened_names_are_the_same_are_all_kept() -> None:
    raw = read(changed(server_id="flat", error="none", raw_error="raw", nothing=None, none={"at": {"all": None}})).raw
    assert {raw["server_id"], raw["server_id_2"]} == {"flat", str(ookla_result(NOON)["server"]["id"])}
    assert (raw["raw_error"], raw["raw_error_2"]) == ("none", "raw")
    assert (raw["nothing"], raw["none_at_all"]) == (None, None)


def test_too_many_requests_are_told_by_their_words_as_well_as_by_173() -> None:
    for words, code, kind in ((b"Limit reached:\nwait", 2, "rate-limited"), (b"wait", 173, "rate-limited")):
        with pytest.raises(Failure) as raised:
            read(b"", words, code)
        assert raised.value.kind == kind
    assert read(RESULT, b"Limit reached: almost").status == "ok"
