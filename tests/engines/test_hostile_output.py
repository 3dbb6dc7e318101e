"""Hostile output: reading it costs little time and memory, and the attempt is still a row in the lake."""

import json
import re
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, strategies as st
from samples import HOME, ookla_result, utc

from speedtest.data import results
from speedtest.data.csv_rows import Source
from speedtest.data.results import LARGEST_FILE
from speedtest.data.table import parse
from speedtest.engines import ENGINES
from speedtest.engines.output import documents, flatten, texts
from speedtest.engines.plausible import WHY_NULL
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


ANYTHING = st.none() | st.booleans() | st.floats(max_value=1e5) | st.integers(max_value=10**5) | st.text(max_size=5)
OTHER_FIELDS = ["ping", "jitter", "bytes_sent", "bytes_received", "packetLoss", "title", "error_count"]
_IPERF3 = {
    "start": {"timestamp": {"timesecs": 1_795_454_515}},
    "end": {"sum_sent": {"bytes": 1000}, "sum_received": {"bits_per_second": 8e6}},
}
_FLAT = {"timestamp": "2026-11-23T10:00:00Z", "download": 8e6, "upload": 8e6}
_OWN = {"timestamp": "2026-11-23T10:00:00Z", "download_mbps": 8, "upload_mbps": 8}
GOOD: dict[str, list[dict[str, Any]]] = {
    "ookla": [ookla_result(NOON)],
    "speedtest-cli": [_FLAT],
    "librespeed": [_FLAT | {"download": 8, "upload": 8}],
    "iperf3": [_IPERF3] * 4,
    "http": [_OWN],
    "ndt7": [_OWN],
}
"""For each engine, the least that is a result, for each step."""


def changed(**fields: Any) -> bytes:  # noqa: ANN401 (whatever a program may print)
    return json.dumps(ookla_result(NOON) | fields).encode()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (changed(ping={"latency": 600_000.0}), "a latency of 600000 ms"),
        (changed(upload={"bandwidth": 0}), "an upload speed of 0 Mbit/s"),
        (changed(upload={"bandwidth": -5e6}), "an upload speed of -40 Mbit/s"),
        (changed(download={"bandwidth": 2e11}), "a download speed of 1.6e+06 Mbit/s, more than 1000000"),
    ],
)
def test_a_speed_that_cannot_be_true_is_rejected_and_the_fields_are_kept(result: bytes, words: str) -> None:
    with pytest.raises(Failure, match="rejected") as raised:
        read(result)
    assert words.removeprefix("an ") in raised.value.words
    assert raised.value.raw["server_country"] == "Switzerland"


@pytest.mark.parametrize(
    ("fields", "lost", "reason"),
    [
        ({"ping": {"latency": -1.0}}, "latency_ms", "latency_ms: -1 is below 0"),
        ({"ping": {"latency": 20_001.0}}, "latency_ms", "latency_ms: 20001 is longer than the test"),
        ({"ping": {"latency": 5, "jitter": -0.1}}, "jitter_ms", "jitter_ms: -0.1 is below 0"),
        ({"ping": {"latency": 5, "jitter": 6.11e8}}, "jitter_ms", "jitter_ms: 611000000 is longer than the test"),
        ({"packetLoss": -1}, "packet_loss_percent", "packet_loss_percent: -1 is below 0"),
        ({"packetLoss": 100.5}, "packet_loss_percent", "packet_loss_percent: 100.5 is more than all"),
        ({"packetLoss": "N/A"}, "packet_loss_percent", 'packetLoss is "N/A": Expected'),
        ({"packetLoss": "0.5"}, "packet_loss_percent", 'packetLoss is "0.5": Expected'),
        ({"packetLoss": [1]}, "packet_loss_percent", "packetLoss is [1]: Expected"),
        (
            {"download": {"bandwidth": 10**6, "bytes": -(10**9)}},
            "data_bytes",
            "download_bytes is -1000000000: Expected",
        ),
        ({"download": {"bandwidth": 10**6, "bytes": 10**17}}, "data_bytes", "more than any line carries in that time"),
    ],
)
def test_any_other_figure_that_cannot_be_true_is_null_and_the_row_says_which_and_why(
    fields: dict[str, Any], lost: str, reason: str
) -> None:
    row = read(changed(**fields))
    assert (row.status, getattr(row, lost)) == ("ok", None)
    assert reason in (row.raw[WHY_NULL] or "")
    assert (row.raw[WHY_NULL] or "").count(": ") == 1, "no other figure was lost"
    assert row.upload_mbps
    ((printed, value),) = fields.items()
    kept = row.raw[printed] if printed == "packetLoss" else row.raw[f"{printed}_{list(value)[-1]}"]
    assert kept == json.dumps(value).strip('"') if printed == "packetLoss" else str(list(value.values())[-1])


@pytest.mark.parametrize("seconds", [20_000.0, 20_000])
def test_a_figure_at_its_bound_is_believed(seconds: float) -> None:
    row = read(changed(ping={"latency": seconds, "jitter": seconds}, packetLoss=100))
    assert (row.latency_ms, row.jitter_ms, row.packet_loss_percent) == (seconds, seconds, 100)
    assert WHY_NULL not in row.raw


@pytest.mark.parametrize("engine", ENGINES)
@given(fields=st.dictionaries(st.sampled_from(OTHER_FIELDS), ANYTHING, max_size=6))
def test_no_figure_beside_the_speeds_and_the_time_makes_a_good_test_fail(engine: str, fields: dict[str, Any]) -> None:
    printed = [json.dumps(step | fields).replace("Infinity", "inf").encode() for step in GOOD[engine]]
    row = ENGINES[engine].read([Finished("exit", 0, each, b"", 20.0) for each in printed])
    assert row.status == "ok"
    figures = (row.latency_ms, row.jitter_ms, row.download_latency_ms, row.upload_latency_ms, row.packet_loss_percent)
    assert all(figure is None or 0 <= figure <= 20_000 for figure in figures)
    assert row.data_bytes is None or 0 <= row.data_bytes <= 2**62


@pytest.mark.parametrize("printed", ["nan", "-nan", "NaN", "inf", "-Infinity"])
def test_what_is_no_number_hides_no_other_figure_and_stays_as_printed(printed: str) -> None:
    text = changed(packetLoss=0, isp='a "nan": nan, inf').replace(
        b'"packetLoss": 0', b'"packetLoss": %b' % printed.encode()
    )
    row = read(text)
    assert (row.status, row.packet_loss_percent, row.raw["packetLoss"]) == ("ok", None, printed)
    assert row.raw["isp"] == 'a "nan": nan, inf'
    assert row.latency_ms == ookla_result(NOON)["ping"]["latency"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("printed", [b"Z\xfcrich", rb"Z\ud800rich", rb"Z\udfffrich", b"Z\xed\xa0rich"])
def test_a_text_that_is_no_unicode_costs_no_test(engine: str, printed: bytes) -> None:
    steps = [json.dumps(step | {"isp": "ISP"}).encode().replace(b"ISP", printed) for step in GOOD[engine]]
    row = ENGINES[engine].read([Finished("exit", 0, each, b"", 20.0) for each in steps])
    assert row.status == "ok"
    assert any(re.fullmatch("Z\ufffd+rich", value or "") for name, value in row.raw.items() if name.endswith("isp"))


@given(text=st.text())
def test_a_text_that_is_unicode_stays_as_printed(text: str) -> None:
    assert texts(flatten(next(documents(json.dumps({"isp": text}).encode()))))["isp"] == text


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
