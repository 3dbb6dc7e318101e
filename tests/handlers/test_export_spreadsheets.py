"""`speedsnake export` for people with a spreadsheet: a real LibreOffice sees dates, numbers and texts, no formulas."""

import csv
import io
import json
import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import Terminal, speedsnake
from daemon import run
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace
from openpyxl.utils.escape import unescape
from samples import day_of, failed, keep, measured, utc
from standins import office

from speedtest.data import formats, schema, spreadsheets
from speedtest.data.table import SCHEMA
from speedtest.values.separators import Separators

WINTER = utc(2026, 11, 20, 13, 3, 5)
COLUMNS = "timestamp,status,download_mbps,data_bytes,server_name,isp,error,interface_isVpn"
HOSTILE = "=cmd|' /C calc'!A1"
GERMAN = (("--for-spreadsheet", "--locale", "de_DE"), "de-DE", ";")
ENGLISH = (("--for-spreadsheet",), "en-US", ",")


def fill(folder: Path) -> None:
    good = replace(measured(WINTER), timezone="Europe/Zurich", download_mbps=93.25)
    bad = replace(failed(WINTER + timedelta(minutes=10)), timezone="Europe/Zurich", error=HOSTILE)
    keep([good, bad], folder / "results")


def exported(folder: Path, name: str, *arguments: str) -> Path:
    ended = speedsnake(folder, "export", "-o", name, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return folder / name


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "language", "separator"), [GERMAN, ENGLISH])
def test_libreoffice_sees_dates_numbers_and_texts_in_csv(
    tmp_path: Path, arguments: tuple[str, ...], language: str, separator: str
) -> None:
    fill(tmp_path)
    path = exported(tmp_path, "rows.csv", "--columns", COLUMNS, *arguments)
    head, good, bad = office.opened(path, tmp_path / "office", language, separator)
    assert head == [*COLUMNS.split(","), "timezone"]
    assert good[:3] == [datetime(2026, 11, 20, 14, 3, 5), "ok", 93.25]  # noqa: DTZ001 (as a spreadsheet has it)
    assert isinstance(good[3], int | float)
    assert good[4:] == ['Example "Fibre"', "Föhn & Söhne, Internet", None, False, "Europe/Zurich +01:00"]
    assert bad[6] == f"'{HOSTILE}"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["de-DE", "en-US"])
def test_libreoffice_sees_the_same_in_a_workbook_in_every_language(tmp_path: Path, language: str) -> None:
    fill(tmp_path)
    path = exported(tmp_path, "rows.xlsx", "--format", "xlsx", "--columns", COLUMNS)
    _, good, bad = office.opened(path, tmp_path / "office", language)
    assert good[:3] == [datetime(2026, 11, 20, 14, 3, 5), "ok", 93.25]  # noqa: DTZ001 (as a spreadsheet has it)
    assert good[4:] == ['Example "Fibre"', "Föhn & Söhne, Internet", None, False, "Europe/Zurich +01:00"]
    assert bad[6] == HOSTILE


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "xlsx"])
def test_only_the_named_columns_are_written_in_their_order(tmp_path: Path, form: str) -> None:
    fill(tmp_path)
    names = ["upload_mbps", "status", "isp"]
    path = exported(tmp_path, f"rows.{form}", "--format", form, "--columns", " , ".join([*names, "status"]))
    match form:
        case "csv":
            found = list(pd.read_csv(path).columns)
        case "json":
            found = list(pd.read_json(path).columns)
        case "parquet":
            found = pq.read_schema(path).names
        case _:
            found = list(pd.read_excel(path).columns)
    assert found == names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--columns", "timestamp,downlod_mbps"), "'downlod_mbps': did you mean download_mbps?"),
        (("--columns", " , "), "--columns names no column"),
        (("--for-spreadsheet", "--format", "json"), "--for-spreadsheet is for CSV and xlsx"),
        (("--locale", "de_DE"), "--locale is for CSV with --for-spreadsheet"),
        (("--locale", "de_DE", "--format", "xlsx"), "--locale is for CSV with --for-spreadsheet"),
        (("--for-spreadsheet", "--locale", "german"), "write a language and a country, such as de_DE"),
    ],
)
def test_what_means_nothing_is_refused_with_64_and_advice(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    ended = speedsnake(tmp_path, "export", *arguments)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert words in ended.stderr


def test_a_workbook_is_refused_to_a_terminal(tmp_path: Path) -> None:
    with Terminal(tmp_path, "export", "--format", "xlsx") as terminal:
        assert terminal.end() == 64
    assert "name a file with -o" in terminal.text


def test_csv_for_a_spreadsheet_begins_with_a_byte_order_mark_also_without_rows(tmp_path: Path) -> None:
    path = exported(tmp_path, "rows.csv", "--for-spreadsheet", "--columns", "isp,latency_ms")
    assert path.read_bytes() == b"\xef\xbb\xbfisp,latency_ms\r\n"


def test_the_hour_that_comes_twice_is_told_apart_by_the_zone_column(tmp_path: Path) -> None:
    before = utc(2026, 10, 25, 0, 30)
    keep(
        [replace(failed(before + timedelta(hours=n)), timezone="Europe/Zurich") for n in range(2)], tmp_path / "results"
    )
    text = exported(tmp_path, "rows.csv", "--for-spreadsheet", "--columns", "timestamp").read_text("utf-8-sig")
    assert text.splitlines()[1:] == [
        "2026-10-25 02:30:00,Europe/Zurich +02:00",
        "2026-10-25 02:30:00,Europe/Zurich +01:00",
    ]


@pytest.mark.slow
def test_a_converted_year_of_rows_fits_into_a_workbook_with_every_column(tmp_path: Path) -> None:
    keep([row for n in range(10) for row in day_of(utc(2026, 1, 1) + timedelta(days=n), 144)], tmp_path / "results")
    assert run(tmp_path, "convert").returncode == 0
    sheet = openpyxl.load_workbook(exported(tmp_path, "all.xlsx", "--format", "xlsx"), read_only=True).worksheets[0]
    assert (sheet.max_row, sheet.max_column) == (1441, len(SCHEMA))


# ------------------------------------------------------------------------------------- written and read back

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=40)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS | st.sampled_from([HOSTILE, "+1", "-1", "@x", "\t=1", "_x0041_", "https://a.b", "1e5", "", "007"]),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "instant": st.datetimes(datetime(1901, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
}
ZONES = st.sampled_from([None, "Europe/Zurich", "Pacific/Auckland", "Asia/Kathmandu", "America/St_Johns", "no/zone"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            column.name: ZONES if column.name == "timezone" else st.none() | KINDS[column.kind]
            for column in schema.COLUMNS[:23]
        }
        | {"timestamp": KINDS["instant"]}
    ),
    max_size=3,
)
NAMES = [column.name for column in schema.COLUMNS[:23]]


def written(rows: list[dict[str, Any]], form: formats.FormatName, **options: Any) -> bytes:  # noqa: ANN401 (passed on)
    out = io.BytesIO()
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    assert formats.write([table], form, out, columns=NAMES, **options) == len(rows)
    return out.getvalue()


def as_instant(local: datetime, zone: str) -> datetime:
    sign, hours, minutes = re.findall(r"([+-])(\d\d):(\d\d)$", zone)[0]
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return (local + offset if sign == "-" else local - offset).replace(tzinfo=UTC)


def to_the_second(row: dict[str, Any]) -> list[Any]:
    """Return what a spreadsheet must give back of a row; the zone is compared by its instants."""
    return [
        value.replace(microsecond=0) if isinstance(value, datetime) else value
        for name, value in row.items()
        if name != "timezone" and name in NAMES
    ]


def in_order(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in NAMES}


@settings(max_examples=60)
@given(ROWS, st.sampled_from([Separators(), Separators(",", ";"), Separators(".", ";")]))
def test_csv_for_a_spreadsheet_gives_the_same_values_back(rows: list[dict[str, Any]], marks: Separators) -> None:
    text = written(rows, "csv", raw=True, spreadsheet=marks).decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=marks.separator))
    assert len(found) == len(rows)
    for row, cells in zip(map(in_order, rows), found, strict=True):
        back: list[Any] = []
        for name in NAMES:
            kind, cell = schema.BY_NAME[name].kind, cells[name]
            if name == "timezone":
                continue
            if kind == "instant" and cell:
                back.append(as_instant(datetime.fromisoformat(cell), cells["timezone"]))
            elif kind == "float64" and cell:
                assert "e" not in cell
                back.append(float(cell.replace(marks.decimal, ".")))
            elif kind == "bool" and cell:
                back.append({"1": True, "0": False}[cell])
            elif kind == "text":
                back.append(cell or None)
            else:
                back.append(schema.parse(cell, kind) if cell else None)
        assert back == [value or None if isinstance(value, str) else value for value in to_the_second(row)]


@settings(max_examples=60)
@given(ROWS)
def test_a_workbook_gives_the_same_values_back_and_no_text_is_a_formula(rows: list[dict[str, Any]]) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(written(rows, "xlsx"))).worksheets[0]
    head, *found = sheet.iter_rows()
    assert [cell.value for cell in head] == NAMES
    for row, cells in zip(map(in_order, rows), found, strict=True):
        assert {cell.data_type for cell in cells} <= {"s", "n", "b", "d"}
        zone = str(cells[NAMES.index("timezone")].value)
        for name, cell in zip(NAMES, cells, strict=True):
            value, got = row[name], cell.value
            if name == "timezone":
                continue
            if isinstance(value, datetime):
                assert isinstance(got, datetime)
                assert abs(as_instant(got, zone) - value.replace(microsecond=0)) < timedelta(milliseconds=1)
            elif isinstance(value, float) and abs(value) <= spreadsheets.LARGEST:
                assert isinstance(got, int | float)
                assert math.isclose(got, value, rel_tol=1e-15, abs_tol=1e-307)
            elif isinstance(value, float) or (not isinstance(value, bool | str | None) and abs(value) > 2**53):
                assert got == str(value)
            else:
                assert (unescape(got) if isinstance(got, str) else got) == value
    assert len(found) == len(rows)


@settings(max_examples=60)
@given(ROWS)
def test_parquet_gives_the_same_values_back(rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        path.write_bytes(written(rows, "parquet"))
        assert pq.read_table(path).to_pylist() == [in_order(row) for row in rows]


@settings(max_examples=60)
@given(ROWS)
def test_json_gives_the_same_values_back(rows: list[dict[str, Any]]) -> None:
    found = json.loads(written(rows, "json"))
    for row, back in zip(map(in_order, rows), found, strict=True):
        for name, value in back.items():
            instant = schema.BY_NAME[name].kind == "instant" and value
            assert (datetime.fromisoformat(value) if instant else value) == row[name]


def test_a_text_too_long_for_a_cell_is_cut_visibly() -> None:
    sheet = openpyxl.load_workbook(
        io.BytesIO(written([{"timestamp": WINTER, "error": "🐍" * 40_000}], "xlsx"))
    ).worksheets[0]
    text = str(sheet.cell(2, NAMES.index("error") + 1).value)
    assert text.endswith("🐍…")
    assert len(text.encode("utf-16-le")) // 2 <= spreadsheets.LONGEST_TEXT


def test_more_rows_than_a_worksheet_holds_are_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 2)
    with pytest.raises(spreadsheets.TooManyRows, match="--since"):
        written([{"timestamp": WINTER}] * 3, "xlsx")
