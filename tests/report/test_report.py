"""The report says how the line did, from the files of the lake. Its HTML file needs no other file."""

import hashlib
import html
import json
import re
import shutil
import subprocess
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import override

import pytest
from daemon import run
from samples import HOME, OFFICE, utc
from views import INTERVAL, failed, folders, good, skipped

from speedtest.measurement import Measurement

START = utc(2026, 3, 27)
HOSTILE = {
    '<script>alert("1")</script>': '<script>alert("1")</script>',
    "=cmd|' /C calc'!A0": "=cmd|' /C calc'!A0",
    "\x1b[31mred\x1b[0m\x07\x08": "\\x1b[31mred\\x1b[0m\\x07\\x08",
    "\u202egnp.exe": "\\u202egnp.exe",
    "x" * 10_000: "x" * 200 + "…",
    "]]></style><img src=x onerror=alert(1)>": "]]></style><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}": "{{ 7 * 7 }}",
}
"""Values in rows, and how the report shows them."""


def report(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the lake in a folder."""
    return run(folder, "report", *arguments, programs=None, RESULT_DIR="results", UPLOAD_DIR="uploads", **more)


def written(folder: Path, *arguments: str, **more: str) -> str:
    """Return the report that the command writes."""
    ended = report(folder, *arguments, "-o", "report.html", **more)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    return (folder / "report.html").read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """Return the text that a reader sees, on one line."""
    body = re.sub(r"<style>.*?</style>|<title>.*?</title>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days at home with an outage, two of them converted, and a few rows of an office. For tests that read."""
    folder = tmp_path_factory.mktemp("lake")
    rows: list[Measurement] = []
    for number in range(3 * 144):
        due = START + number * INTERVAL
        rows.append(
            failed(due, words="no route to host") if 60 <= number < 75 else skipped(due) if number == 80 else good(due)
        )
    folders(folder, [*rows, *(good(START + number * INTERVAL, OFFICE) for number in range(3))], date(2026, 3, 29))
    return folder


def test_the_terminal_gets_a_summary_of_each_line(lake: Path) -> None:
    ended = report(lake, "--until", "2026-03-30T02:00")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.index(HOME) < ended.stdout.index(OFFICE)
    assert "432: 416 successful, 15 failed, 1 skipped, 0 not measured; uptime 96.5 %" in ended.stdout
    assert "1 outage of 2 h 30 min on 27 Mar 2026" in ended.stdout
    assert "no route to host" in ended.stdout


def test_the_sections_stand_in_the_order_of_the_questions(lake: Path) -> None:
    page = written(lake, "--location", HOME, PLAN_DOWNLOAD_MBPS="400", PLAN_UPLOAD_MBPS="100")
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Against the plan",
        "Uptime",
        "Throughput over time",
        "Latency, idle and under load",
        "Packet loss",
        "By hour and weekday",
        "Outages",
        "Providers",
        "By program and server",
        "Data used",
        "How it was measured",
    ]
    words = words_of(page)
    assert words.index("uptime was 96.5 %") < words.index("Against the plan")
    assert "27 Mar 2026 11:00 27 Mar 2026 13:30 2 h 30 min unknown 15 no route to host" in words  # local time in Berlin
    assert "the plan is 400 Mbit/s" in words


def test_without_a_plan_nothing_is_said_about_one(lake: Path) -> None:
    assert "plan" not in words_of(written(lake)).casefold()


class Requests(HTMLParser):
    """Collects everything in a page that could make a browser send a request or run a script."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.elements: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            if name in {"src", "href", "srcset", "action", "data", "background"} or name.startswith("on"):
                self.found.append(f"{tag} {name}={value}")


def test_the_file_asks_for_nothing_and_runs_nothing(lake: Path) -> None:
    page = written(lake)
    seen = Requests()
    seen.feed(page)
    assert not seen.found
    assert not seen.elements & {"script", "link", "iframe", "object", "embed", "base", "form", "img"}
    assert not re.findall(r"url\(|@import", page)
    assert "default-src 'none'" in page


@pytest.mark.slow
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_value_is_shown_and_does_nothing(tmp_path: Path, hostile: str) -> None:
    rows = [good(START, engine_version=hostile), good(START + INTERVAL, timezone=hostile, engine=hostile)]
    rows += [failed(START + 2 * INTERVAL, words=hostile[:500], error_kind=hostile)]
    rows[0].raw |= {"server_name": hostile, "server_id": hostile}
    folders(tmp_path, rows)
    page = written(tmp_path)
    seen = Requests()
    seen.feed(page)
    assert not seen.found
    assert not seen.elements & {"script", "img"}
    assert len(page) < 200_000
    for shown in (page, report(tmp_path).stdout):
        assert HOSTILE[hostile] in html.unescape(shown)
        assert not {letter for letter in shown if letter < " " and letter != "\n"} | {"\u202e"} & set(shown)


def test_the_digest_is_that_of_sha256sum(lake: Path) -> None:
    page = written(lake, "--location", OFFICE, "--until", "2026-03-29")
    command = f"cd uploads && find location={OFFICE} -name '*.parquet' | sort | xargs sha256sum"
    listed = subprocess.run(["/bin/sh", "-c", command], cwd=lake, capture_output=True, check=True).stdout
    assert hashlib.sha256(listed).hexdigest() in page
    assert "1 Parquet file and 0 CSV files" in page


def test_the_figures_as_json_are_those_of_the_terminal(lake: Path) -> None:
    home, office = json.loads(report(lake, "--json", "--since", "2026-03-27", "--until", "2026-03-30T02:00").stdout)
    assert (home["location"], home["slots"]["ok"], office["slots"]["ok"]) == (HOME, 416, 3)


def test_a_period_is_asked_for_as_a_person_writes_it(lake: Path) -> None:
    asked = ("--location", HOME, "--since", "2026-03-28", "--until", "2026-03-29T00:00")
    (found,) = json.loads(report(lake, "--json", *asked).stdout)
    assert (found["rows"], found["slots"]["not_measured"]) == (144, 0)


@pytest.mark.slow
def test_a_lake_without_rows_has_a_report(tmp_path: Path) -> None:
    assert "No rows were found" in report(tmp_path).stdout
    assert "No rows were found" in words_of(written(tmp_path, "--since", "7d"))


@pytest.mark.slow
def test_a_period_without_rows_says_so(lake: Path) -> None:
    assert (
        "Nothing was measured in this period." in report(lake, "--since", "2026-05-01", "--until", "2026-05-02").stdout
    )
    assert "Nothing was measured" in words_of(written(lake, "--since", "2026-05-01", "--until", "2026-05-02"))


@pytest.mark.parametrize("row", [good(START), failed(START), skipped(START), good(START, slot=None, attempt=None)])
def test_one_row_is_enough_for_a_report(tmp_path: Path, row: Measurement) -> None:
    folders(tmp_path, [row])
    words = words_of(written(tmp_path))
    assert "How it was measured" in words
    assert "nan" not in words.casefold().split()


def test_nothing_but_failures_is_a_report_about_failures(tmp_path: Path) -> None:
    folders(tmp_path, [failed(START + number * INTERVAL) for number in range(12)])
    words = words_of(written(tmp_path, "--until", "2026-03-27T03:00"))
    assert "12 tests failed. 1 outage of 1 h 50 min" in words
    assert "Uptime is 0 %" in words
    assert "27 Mar 2026 01:00 unknown" in words


@pytest.mark.parametrize(
    ("arguments", "more", "code", "said"),
    [
        (["--since", "yesterday"], {}, 64, "'yesterday'"),
        (["--since", "2026-03-28", "--until", "2026-03-28"], {}, 64, "2026-03-28"),
        (["--json", "-o", "report.html"], {}, 64, "--json"),
        ([], {"PLAN_DOWNLOAD_MBPS": "fast"}, 78, "PLAN_DOWNLOAD_MBPS='fast'"),
        (["-o", "no/such/folder.html"], {}, 1, "no/such/folder.html"),
    ],
)
def test_what_cannot_be_done_is_told(
    lake: Path, arguments: list[str], more: dict[str, str], code: int, said: str
) -> None:
    ended = report(lake, *arguments, **more)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr


@pytest.mark.slow
def test_a_damaged_file_is_named(lake: Path, tmp_path: Path) -> None:
    lake = shutil.copytree(lake, tmp_path / "lake")
    (damaged,) = lake.glob(f"uploads/location={OFFICE}/**/*.parquet")
    damaged.write_bytes(b"PAR1")
    ended = report(lake)
    assert ended.returncode == 1
    assert damaged.name in ended.stderr


@pytest.mark.slow
def test_ten_years_make_a_report_of_the_same_size(tmp_path: Path) -> None:
    rows = [good(START - timedelta(days=37 * number), interval_seconds=37 * 86400.0) for number in range(100)]
    folders(tmp_path, rows)
    page = written(tmp_path, "--until", "2026-03-28")
    assert len(page) < 200_000
    assert "From 16 Mar 2016 to 27 Mar 2026 uptime was 100 %" in words_of(page)
