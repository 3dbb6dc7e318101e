"""The view of one test: its speeds over time, its marks and its grades, reached by a link from the page."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pages import HOSTILE, Page, serving, this_slot
from samples import HOME
from views import failed, folders, good

from speedtest.values.samples import Samples, pack

SPEEDS = [10.0, 60.0, *[95.0] * 80]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    rows = [good(this_slot() - timedelta(hours=number)) for number in range(4)]
    rows[0].raw |= {"samples_download": pack(Samples(100, tuple(SPEEDS))), "confidence": "high"}
    rows[0].latency_ms, rows[0].download_latency_ms, rows[0].upload_latency_ms = 10.0, 40.0, 60.0
    rows[0].link = "wifi"
    rows[1].raw |= {"samples_download": "no series", "samples_upload": HOSTILE, "confidence": HOSTILE}
    rows.append(failed(this_slot() - timedelta(hours=9), words=HOSTILE))
    with serving(folders(tmp_path_factory.mktemp("one"), rows)) as page:
        yield page


def at(page: Page, number: int) -> str:
    rows = page.get("/api/results?since=2d").json()["results"]
    return rows[number]["timestamp"]


def test_the_page_leads_to_its_last_test_with_the_curve_and_why_it_says_little(page: Page) -> None:
    link = re.search(r'href="(test\?[^"]+)"', page.get("/").text)
    assert link
    answer = page.get(f"/{link[1].replace('&amp;', '&')}")
    assert answer.status_code == 200
    text = " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())
    assert "It may say little about the line: it was made over Wi-Fi." in text
    assert "Bufferbloat B +40.0 ms, mean of download and upload; scale of DSLReports and LibreQoS" in text
    assert "of Cloudflare's AIM" in text.replace("&#39;", "'")
    assert "Confidence, by how steady the speeds were: high." in text
    (path,) = set(re.findall(r'class="line download" d="([^"]+)"[^>]*></path>', answer.text.partition("narrow")[0]))
    assert path.count("H") == len(SPEEDS)


def test_other_programs_get_the_same_as_json(page: Page) -> None:
    found = page.get("/api/test").json()
    assert found["download"] == {"milliseconds": 100, "mbps": SPEEDS}
    assert (found["upload"], found["confidence"]) == (None, "high")
    assert found["marks"] == {"wifi": "over Wi-Fi"}
    assert (found["bufferbloat_ms"], found["bufferbloat_grade"]) == (40.0, "B")
    assert found["cloudflare_aim"].keys() == {"streaming", "gaming", "calls"}
    same = page.get(f"/api/test?location={HOME}&at={found['result']['timestamp']}").json()
    assert same == found


def test_a_row_that_holds_anything_is_shown_as_text(page: Page) -> None:
    for number in (0, 3):
        answer = page.get(f"/test?location={HOME}&at={at(page, number)}&theme=dark")
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "did not keep its speeds over time" in answer.text
    assert page.get(f"/api/test?at={at(page, 3)}").json()["confidence"] is None
    assert page.get(f"/api/test?at={at(page, 0)}").json()["cloudflare_aim"] == {}


@pytest.mark.parametrize(
    ("path", "status", "advice"),
    [
        ("/api/test?at=then", 400, "is not a time"),
        ("/api/test?at=2020-01-01T00:00Z", 404, "copy `timestamp` of a row"),
        ("/test?at=2020-01-01T00:00Z", 404, "copy `timestamp` of a row"),
        ("/test?at=9999-12-31T23:59:59.999999Z", 404, "copy `timestamp` of a row"),
        ("/test?location=moon", 404, "moon"),
        ("/api/test?theme=dark", 400, "theme is not a parameter"),
        ("/api/compare?versus_location=moon", 404, "location=moon has no rows"),
        ("/api/compare?since=0001-01-01T00:00Z", 400, "choose a later start"),
    ],
)
def test_a_test_that_is_not_there_is_told(page: Page, path: str, status: int, advice: str) -> None:
    answer = page.get(path)
    assert answer.status_code == status
    assert advice in answer.text


def test_two_periods_can_be_compared(page: Page) -> None:
    found = page.get("/api/compare?since=2h&versus_since=9h&versus_until=3h").json()
    assert found["this"]["location"] == found["other"]["location"] == HOME
    assert all(each["finding"] == "cannot-tell" for engine in found["engines"] for each in engine["differences"])


@pytest.mark.slow
def test_without_rows_there_is_no_test(tmp_path: Path) -> None:
    with serving(folders(tmp_path, [])) as empty:
        assert empty.get("/api/test").status_code == 404
        assert empty.get("/api/compare").status_code == 400
