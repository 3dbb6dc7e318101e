"""CSV files become one table: at once where possible, else file by file, with the same rows either way."""

import json
import time
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from samples import HOME, OFFICE, day_of, failed, measured, utc

from speedtest.data import results, schema, table
from speedtest.data.csv_rows import Source
from speedtest.data.table import SCHEMA, parse, parse_days

NOON = utc(2026, 3, 29, 12, 0, 5)


def source(text: str | bytes, name: str = "speedtest_12-00-05.csv") -> Source:
    return Source(name, text.encode() if isinstance(text, str) else text)


def parsed(*texts: str | bytes) -> list[dict[str, Any]]:
    """Parse files that must all be readable."""
    rows, unreadable = parse([source(text, f"speedtest_{number}.csv") for number, text in enumerate(texts)], HOME)
    assert unreadable == {}
    assert rows.drop_columns([table.SOURCE]).schema.equals(SCHEMA)
    return rows.to_pylist()


def refused(text: str | bytes) -> str:
    """Parse a file that must not be readable, between two that are, and return the reason."""
    good = [source(results.encode(measured(NOON, seed=number)).data, f"speedtest_{number}.csv") for number in range(2)]
    rows, unreadable = parse([good[0], source(text, "speedtest_bad.csv"), good[1]], HOME)
    assert rows.num_rows == 2
    assert list(unreadable) == ["speedtest_bad.csv"]
    return unreadable["speedtest_bad.csv"]


def rows_by_source(rows: pa.Table) -> list[dict[str, Any]]:
    return sorted(rows.to_pylist(), key=lambda row: row[table.SOURCE])


def row_text(**fields: str) -> str:
    return f"{','.join(fields)}\n{','.join(fields.values())}\n"


def test_a_row_of_ookla_has_its_values_in_columns_of_their_types() -> None:
    measurement = measured(NOON)
    (row,) = parsed(results.encode(measurement).data)
    assert row["timestamp"] == NOON
    assert row["download_mbps"] == measurement.download_mbps
    assert row["download_bandwidth"] == int(measurement.raw["download_bandwidth"] or 0)
    assert row["ping_latency"] == float(measurement.raw["ping_latency"] or 0)
    assert (row["interface_isVpn"], row["result_persisted"]) == (False, True)
    assert row["server_name"] == 'Example "Fibre"'
    assert (row["attempt"], row["error"], row["extra"]) == (1, None, None)


def test_rows_come_in_time_order() -> None:
    rows = parsed(*[results.encode(measurement).data for measurement in reversed(day_of(utc(2026, 3, 28), 20))])
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)


def test_empty_text_and_null_are_told_apart() -> None:
    measurement = measured(NOON)
    measurement.raw |= {"isp": "", "server_name": None}
    (row,) = parsed(results.encode(measurement).data)
    assert (row["isp"], row["server_name"]) == ("", None)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("download_bandwidth", "11718750.5"),
        ("download_bandwidth", "nan"),
        ("download_bandwidth", "9223372036854775808"),
        ("download_bandwidth", "1_000"),
        ("ping_latency", "nan"),
        ("ping_latency", "inf"),
        ("ping_latency", "fast"),
        ("interface_isVpn", "yes"),
        ("started_at", "yesterday"),
        ("attempt", "2147483648"),
    ],
)
def test_a_value_that_does_not_fit_its_column_goes_into_extra_and_the_row_stays(column: str, text: str) -> None:
    (row,) = parsed(row_text(timestamp="2026-03-29T12:00:05Z", status="ok", **{column: text}))
    assert (row[column], json.loads(row["extra"])) == (None, {column: text})


def test_a_field_of_no_column_goes_into_extra() -> None:
    (row,) = parsed(row_text(timestamp="2026-03-29T12:00:05Z", status="ok", server_url2="http://x", extra="1"))
    assert json.loads(row["extra"]) == {"server_url2": "http://x", "extra": "1"}


def test_whole_numbers_at_the_ends_of_their_range_fit() -> None:
    (row,) = parsed(
        row_text(timestamp="2026-03-29T12:00:05Z", status="ok", download_bytes=str(2**63 - 1), attempt="-1")
    )
    assert (row["download_bytes"], row["attempt"], row["extra"]) == (2**63 - 1, -1, None)


@pytest.mark.parametrize(
    "text",
    ["2026-03-29T12:00:05Z", "2026-03-29T12:00:05", "2026-03-29 14:00:05+02:00", "2026-03-29T12:00:05.000000000Z"],
)
def test_a_timestamp_is_read_in_each_form_that_programs_print(text: str) -> None:
    assert parsed(row_text(timestamp=text, status="ok"))[0]["timestamp"] == NOON


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n", "no row"),
        (b"timestamp,status\n", "no row"),
        (b"timestamp,status", "cut short"),
        (b"timestamp,status\n2026-03-29T12:00:05Z,ok", "cut short"),
        (b"timestamp,status\n2026-03-29T12:00:05Z\n", "1 fields, but the header has 2"),
        (b"timestamp,status\n2026-03-29T12:00:05Z,ok,1\n", "3 fields, but the header has 2"),
        (b"timestamp,status\n,ok\n", "no valid timestamp: ''"),
        (b"timestamp,status\nnever,ok\n", "no valid timestamp: 'never'"),
        (b"timestamp,status\n2026-02-30T00:00:00Z,ok\n", "no valid timestamp"),
        (b"time,status\n2026-03-29T12:00:05Z,ok\n", "no column timestamp"),
        (b"\ntimestamp,status\n2026-03-29T12:00:05Z,ok\n", "no column timestamp"),
        (b"timestamp,sta\rtus\n2026-03-29T12:00:05Z,ok\n", "broken by a carriage return"),
        (b"timestamp,status,status\n2026-03-29T12:00:05Z,ok,ok\n", "twice: status"),
        (b"timestamp,status\n2026-03-29T12:00:05Z,\0\n", "NUL"),
        (b"timestamp,status\n2026-03-29T12:00:05Z,\xff\n", "not UTF-8"),
        (b'timestamp,status\n2026-03-29T12:00:05Z,"ok\n', "not valid CSV"),
        (b'timestamp,status\n2026-03-29T12:00:05Z,"ok"x\n', "not valid CSV"),
        (b'timestamp,"status\n2026-03-29T12:00:05Z,ok\n', "no closing quote"),
        (b"<html><body>502</body></html>\n", "no row"),
        (b"timestamp,speedtest_address\n2026-03-29T12:00:05Z,../up\n", "'../up' cannot be the name of a folder"),
        (b'timestamp,speedtest_address\n2026-03-29T12:00:05Z,""\n', "'' cannot be the name of a folder"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_told_apart_with_the_reason(text: bytes, reason: str) -> None:
    assert reason in refused(text)


def test_a_bad_file_does_not_send_the_rest_of_its_header_down_the_slow_way(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed_alone: list[str] = []
    one_by_one = schema.parse

    def parse_value(text: str, kind: schema.Kind) -> schema.Value:
        parsed_alone.append(text)
        return one_by_one(text, kind)

    monkeypatch.setattr(schema, "parse", parse_value)
    good = results.encode(measured(NOON)).data
    files = [source(good, f"speedtest_{number}.csv") for number in range(50)]
    rows, unreadable = parse([*files, source(good[:-20] + b"\n", "speedtest_cut.csv")], HOME)
    assert (rows.num_rows, list(unreadable)) == (50, ["speedtest_cut.csv"])
    assert len(parsed_alone) < len(SCHEMA)


@pytest.mark.slow
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    results.encode(measured(NOON, seed=1)).data,
                    results.encode(measured(NOON - timedelta(minutes=10), seed=2)).data,
                    results.encode(failed(NOON)).data,
                    row_text(timestamp="2026-03-29T12:00:05Z", status="ok", download_mbps="1.5").encode(),
                    row_text(timestamp="2026-03-29T12:00:05Z", status="ok", download_mbps="nan").encode(),
                    row_text(timestamp="2026-03-29T12:00:05Z", download="8000000").encode(),
                    b"timestamp,status,download_mbps\n2026-03-29T12:00:05Z,ok\n",
                    b"timestamp,status,download_mbps\n2026-03-29T12:00:05Z,ok,1,2\n",
                    b"timestamp,status,speedtest_address\n2026-03-29T12:00:05Z,ok,../x\n",
                    b"timestamp,status\n2026-03-29T12:00:05Z,ok\n2026-03-29T12:00:04Z,ok\n",
                    b"timestamp,status\n",
                ]
            ),
            max_size=5,
        ),
        max_size=4,
    )
)
def test_days_that_are_parsed_together_are_what_each_is_by_itself(days: list[list[bytes]]) -> None:
    files = [[source(data, f"speedtest_{number}.csv") for number, data in enumerate(day)] for day in days]
    together = parse_days(files, HOME)
    alone = [parse(day, HOME) for day in files]
    assert [day.unreadable for day in together] == [day.unreadable for day in alone]
    for found, wanted in zip(together, alone, strict=True):
        times: list[Any] = found.table["timestamp"].to_pylist()
        assert times == sorted(times)
        assert rows_by_source(found.table) == rows_by_source(wanted.table)


def test_quoted_commas_quotes_and_line_ends_do_not_send_a_row_down_the_slow_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(table, "_parse_alone")
    texts = ["a,b", 'a "b"', "a\nb", '"', ",", "\n", '",\n"']
    rows = [failed(NOON) for _ in texts]
    for row, text in zip(rows, texts, strict=True):
        row.error = text
    assert [row["error"] for row in parsed(*[results.encode(row).data for row in rows])] == texts


def test_one_file_that_is_not_plain_costs_a_day_of_a_row_every_five_seconds_next_to_nothing() -> None:
    header = "timestamp,status,download_mbps\n"
    good = [source(f"{header}2026-03-29T12:00:05Z,ok,{n}.5\n", f"speedtest_{n}.csv") for n in range(17_280)]
    started = time.process_time()
    rows, unreadable = parse([*good, source(f"{header}2026-03-29T12:00:05Z,ok\n", "speedtest_cut.csv")], HOME)
    assert time.process_time() - started < 3
    assert (rows.num_rows, list(unreadable)) == (17_280, ["speedtest_cut.csv"])


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b"\n" * 200_000,
        b",".join(b"%d" % number for number in range(40_000)) + b"\n1\n",
        b"timestamp," * 40_000 + b"\n1\n",
    ],
    ids=["a quote without end", "many names", "one name again and again"],
)
def test_a_header_full_of_anything_is_refused_in_no_time(text: bytes) -> None:
    started = time.process_time()
    assert refused(text)
    assert time.process_time() - started < 5


def test_a_header_whose_quoted_name_holds_a_line_end_is_read() -> None:
    (row,) = parsed('timestamp,status,"a\nb"\n2026-03-29T12:00:05Z,ok,"x\ny"\n')
    assert json.loads(row["extra"]) == {"a\nb": "x\ny"}


def test_a_file_with_several_rows_counts_as_several_each_with_its_source() -> None:
    text = "timestamp,status\n2026-03-29T12:00:05Z,ok\n2026-03-29T12:00:06Z,ok\n\n"
    rows = parsed(text)
    assert [row["timestamp"].second for row in rows] == [5, 6]
    assert [row["source"].rpartition("#")[2] for row in rows] == ["0", "1"]
    assert {table.file_of(row["source"]) for row in rows} == {"speedtest_0.csv"}


def test_rows_without_a_location_get_the_configured_one() -> None:
    first, second = parsed(
        row_text(timestamp="2026-03-29T12:00:05Z", status="ok"), results.encode(failed(NOON, OFFICE)).data
    )
    assert {first["speedtest_address"], second["speedtest_address"]} == {HOME, OFFICE}


ORIGINAL_OOKLA = {
    "type": "result",
    "timestamp": "2025-01-23T10:30:45Z",
    "ping_jitter": "0.824",
    "ping_latency": "8.928",
    "download_bandwidth": "109643056",
    "download_bytes": "996186976",
    "download_latency_iqm": "9.719",
    "upload_bandwidth": "103091745",
    "upload_bytes": "1065890503",
    "upload_latency_iqm": "16.415",
    "packetLoss": "0",
    "interface_isVpn": "False",
    "server_id": "40788",
}
ORIGINAL_PYTHON = {
    "download": "20362205.216706",
    "upload": "6426336.491038609",
    "ping": "12.445",
    "timestamp": "2025-01-23T10:30:45.906721Z",
    "bytes_sent": "8208384",
    "bytes_received": "31958486",
    "share": "",
}


def test_a_row_of_the_original_program_gets_the_common_columns_that_can_be_derived() -> None:
    (row,) = parsed(row_text(**ORIGINAL_OOKLA))
    assert (row["status"], row["engine"], row["speedtest_address"]) == ("ok", "ookla", HOME)
    assert (row["download_mbps"], row["upload_mbps"]) == (109643056 * 8 / 1e6, 103091745 * 8 / 1e6)
    assert (row["latency_ms"], row["jitter_ms"], row["packet_loss_percent"]) == (8.928, 0.824, 0.0)
    assert (row["download_latency_ms"], row["upload_latency_ms"]) == (9.719, 16.415)
    assert row["data_bytes"] == 996186976 + 1065890503
    assert (row["started_at"], row["engine_version"], row["attempt"], row["timezone"]) == (None, None, None, None)
    assert (row["interface_isVpn"], row["server_id"]) == (False, "40788")


def test_what_a_row_of_the_original_program_says_itself_is_not_replaced_by_what_is_derived() -> None:
    (row,) = parsed(row_text(**ORIGINAL_OOKLA | {"timestamp": "2026-03-29T12:00:05.123456789Z"}))
    assert row["timestamp"] == NOON.replace(microsecond=123456)


def test_so_does_a_row_of_speedtest_cli() -> None:
    (row,) = parsed(row_text(**ORIGINAL_PYTHON))
    assert (row["status"], row["engine"]) == ("ok", "speedtest-cli")
    assert (row["download_mbps"], row["latency_ms"]) == (20362205.216706 / 1e6, 12.445)
    assert row["data_bytes"] == 8208384 + 31958486


def test_a_false_result_of_the_original_program_comes_back_as_failed() -> None:
    (row,) = parsed(row_text(**ORIGINAL_PYTHON | {"ping": "1800000.0"}))
    assert (row["status"], row["error_kind"], row["download_mbps"]) == ("failed", "rejected", None)
    assert row["ping"] == 1800000.0


@pytest.mark.parametrize(
    "fields",
    [
        ORIGINAL_OOKLA | {"download_bytes": str(2**62), "upload_bytes": str(2**62)},
        ORIGINAL_PYTHON | {"bytes_sent": str(2**62), "bytes_received": str(2**62)},
    ],
)
def test_an_original_row_whose_bytes_have_no_sum_keeps_its_speeds(fields: dict[str, str]) -> None:
    (row,) = parsed(row_text(**fields))
    assert (row["status"], row["data_bytes"]) == ("ok", None)
    assert row["download_mbps"] > 1
    assert 2**62 in (row["download_bytes"], row["bytes_sent"])


def test_a_row_of_ours_without_a_status_is_never_taken_for_one_of_the_original_program() -> None:
    text = row_text(**ORIGINAL_OOKLA | {"status": ""})
    assert [row["engine"] for row in parsed(text, f"{text}\n")] == [None, None]


def test_an_original_row_of_an_unknown_program_is_kept_without_common_columns() -> None:
    (row,) = parsed(row_text(timestamp="2025-01-23T10:30:45Z", dl="5"))
    assert (row["status"], row["engine"], json.loads(row["extra"])) == (None, None, {"dl": "5"})


FIELDS = [
    column.name
    for column in (*schema.COMMON, *schema.FLATTENED)
    if column.name not in ("timestamp", "speedtest_address")
]
TOKENS = [
    "",
    "0",
    "1",
    "-1",
    "5.5",
    "1e5",
    "007",
    " 5",
    "5 ",
    "+5",
    "true",
    "false",
    "True",
    "nan",
    "2026-03-29T12:00:05Z",
]
VALUES = st.sampled_from(
    [*TOKENS, "2026-03-29T12:00:05.1234567Z", "9223372036854775807", "0x10", "Bern, BE", 'a "b"', "a\nb", '"', ',",']
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "unknown", "extra"]), VALUES, max_size=8), st.booleans())
def test_parsing_at_once_and_file_by_file_gives_the_same_rows(fields: dict[str, str], quoted: bool) -> None:  # noqa: FBT001
    def field(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if text and (quoted or set(text) & set(',"\n')) else text

    names = ["timestamp", "status", *(name for name in fields if name != "status")]
    values = ["2026-03-29T12:00:05Z", "ok", *(field(fields[name]) for name in names[2:])]
    text = f"{','.join(names)}\n{','.join(values)}\n"
    at_once, alone = parsed(text)[0], parsed(f"{text}\n")[0]  # one more empty line: no longer a plain file
    assert at_once.pop("source") != alone.pop("source")
    assert at_once == alone


@given(st.binary(max_size=200))
def test_no_bytes_whatever_break_the_parser(data: bytes) -> None:
    rows, unreadable = parse([source(data)], HOME)
    assert isinstance(rows, pa.Table)
    assert rows.num_rows or unreadable


@given(st.integers(0), st.integers(0, 255))
def test_a_changed_byte_is_either_told_apart_or_read_as_a_row(at: int, byte: int) -> None:
    data = bytearray(results.encode(measured(NOON)).data)
    data[at % len(data)] = byte
    rows, unreadable = parse([source(bytes(data))], HOME)
    assert rows.num_rows == (0 if unreadable else rows.num_rows)
    assert rows.num_rows or unreadable


@pytest.mark.parametrize("text", ["0x10", "0X10", "-0x10"])
def test_a_number_in_another_notation_is_none(text: str) -> None:
    (row,) = parsed(f"timestamp,status,download_bytes,ping\n2026-03-29T12:00:05Z,ok,{text},{text}\n")
    assert (row["download_bytes"], row["ping"]) == (None, None)
    assert json.loads(row["extra"]) == {"download_bytes": text, "ping": text}


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    (row,) = parsed(b"\xef\xbb\xbf" + results.encode(measured(NOON)).data)
    assert (row["timestamp"], row["extra"]) == (NOON, None)
