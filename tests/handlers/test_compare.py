"""`speedsnake compare`: two periods or two locations, and whether they differ."""

import json
import random
from datetime import date, timedelta
from pathlib import Path

import pytest
from command import speedsnake
from samples import HOME, OFFICE, utc
from views import folders, good

START = utc(2026, 3, 2)
FEBRUARY = ("--versus-since", "2026-03-02T00:00Z", "--versus-until", "2026-03-12T00:00Z")
MARCH = ("--since", "2026-03-12T00:00Z", "--until", "2026-03-22T00:00Z")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty days at home, the last ten of them 38 Mbit/s faster, and an office like the first ten."""
    folder, chance = tmp_path_factory.mktemp("lake"), random.Random(1)
    rows = []
    for number in range(20 * 8):
        due = START + number * timedelta(hours=3)
        faster = 38 if number >= 80 else 0
        rows.append(good(due, download_mbps=chance.gauss(200, 5) + faster, upload_mbps=chance.gauss(40, 1)))
        rows.append(
            good(due, OFFICE, download_mbps=chance.gauss(200, 5), engine="librespeed" if number < 8 else "ookla")
        )
    rows.append(good(START + timedelta(days=15, minutes=5), link="wifi", download_mbps=1.0))
    folders(folder, rows, date(2026, 3, 20))
    return folder


def compare(folder: Path, *arguments: str) -> str:
    ended = speedsnake(folder, "compare", *arguments, RESULT_DIR="results", UPLOAD_DIR="uploads")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_two_periods_differ_by_so_much_with_an_interval(lake: Path) -> None:
    found = json.loads(compare(lake, "--location", HOME, *MARCH, *FEBRUARY, "--json"))
    (engine,) = found["engines"]
    down, up = engine["differences"][:2]
    assert down["finding"] == "more"
    assert 33 < down["interval"]["low"] < 38 < down["interval"]["high"] < 43
    assert (up["finding"], up["interval"]["low"] < 0 < up["interval"]["high"]) == ("no-difference", True)
    assert (found["this"]["tests"], found["this"]["left_out"]) == (81, 1)
    text = compare(lake, "--location", HOME, *MARCH, *FEBRUARY)
    assert "download                  +3" in text
    assert "Mbit/s (95 %: 3" in text
    assert "this may be chance" in text
    assert (
        json.loads(compare(lake, "--location", HOME, *MARCH, *FEBRUARY, "--json", "--all-tests"))["this"]["left_out"]
        == 0
    )


@pytest.mark.slow
def test_without_another_period_it_is_the_one_before_and_two_locations_have_the_same(lake: Path) -> None:
    before = json.loads(compare(lake, "--location", HOME, *MARCH, "--json"))
    assert (before["other"]["since"], before["other"]["until"]) == ("2026-03-02T00:00:00Z", "2026-03-12T00:00:00Z")
    places = json.loads(compare(lake, "--location", HOME, *MARCH, "--versus-location", OFFICE, "--json"))
    assert (places["other"]["location"], places["other"]["since"]) == (OFFICE, places["this"]["since"])
    assert places["engines"][0]["differences"][0]["finding"] == "more"


def test_few_days_tell_nothing(lake: Path) -> None:
    text = compare(lake, "--location", HOME, "--since", "2026-03-15T00:00Z", "--until", "2026-03-20T00:00Z")
    assert "successful tests, 1 of them marked and left out, against" in text
    assert "cannot tell from 5 days" in text
    assert "95 %" not in text


def test_programs_are_compared_with_themselves_only(lake: Path) -> None:
    early = ("--since", "2026-03-02T00:00Z", "--until", "2026-03-03T00:00Z")
    text = compare(lake, "--location", HOME, *early, "--versus-location", OFFICE)
    assert "nothing to compare" in text
    assert "on one side only, so not compared: librespeed, ookla" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "then"), "'then' is not a time"),
        ((*MARCH, "--versus-since", "2026-03-01", "--versus-until", "2026-03-13"), "overlap"),
        (("--since", "2026-03-05", "--until", "2026-03-04"), "2026-03-05"),
        (("--since", "0001-01-03T00:00Z"), "choose a later start"),
    ],
)
def test_a_period_that_cannot_be_compared_is_told(lake: Path, arguments: tuple[str, ...], words: str) -> None:
    ended = speedsnake(lake, "compare", "--location", HOME, *arguments, RESULT_DIR="results", UPLOAD_DIR="uploads")
    assert (ended.returncode, ended.stdout) == (64, "")
    assert words in ended.stderr


def test_without_rows_it_says_so(tmp_path: Path) -> None:
    ended = speedsnake(tmp_path, "compare")
    assert ended.returncode == 64
    assert "no rows to compare" in ended.stderr
