"""A verdict as a document: what it says, that nothing in it can do harm, and that every change in it is found."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from standins.authority import Authority
from verdicts import LINE, at, contract, every, good, keep, run

from speedtest.data import partitions
from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.evidence import bundle, document, words
from speedtest.evidence.bundle import Bundle
from speedtest.verdicts.profiles import PROFILES
from speedtest.verdicts.texts import SHARED

HOSTILE = "</script><script>alert(1)</script>\x1b[31m"
CONTRACT = """
[contract]
provider = "Example <b>Net</b>"
tariff = "</script><script>alert(1)</script>"
holder = "Erika Mustermann"
[contract.download]
maximum = 100
normal = 80
minimum = 50
"""
SPEEDS = [95, 92, 85, 84, 82, 81, 80, 80, 79.5, 78]


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A line whose normal speed is not reached in 6 of 30 tests, with hostile texts in its rows."""
    contract(tmp_path, CONTRACT)
    raw = {"server_id": "1001", "server_name": HOSTILE, "isp": f"Net {HOSTILE}"}
    for day in (2, 4, 6):
        when = date(2026, 3, day)
        keep(every(at(when, "11:00"), 10, SPEEDS[:5], raw=raw), tmp_path)
        keep(every(at(when, "19:00"), 10, SPEEDS[5:], raw=raw), tmp_path)
    keep(every(at(date(2026, 3, 4), "14:00"), 10, [None], error=f"Cannot open {HOSTILE}"), tmp_path)
    return tmp_path


def written(line: Path, name: str = "evidence.html", *arguments: str) -> Path:
    path = line / name
    ended = run(line, "verdict", "--profile", "de-bnetza", "-o", str(path), *arguments)
    assert ended.exit_code == 3, ended.output
    return path


def verified(line: Path, path: Path, *arguments: str) -> tuple[int, dict[str, str]]:
    """Return the exit code of --verify, and what each check has found."""
    ended = run(line, "verdict", "--verify", str(path), *arguments)
    found = re.findall(r"^(\S.{20}\S*) +(holds|fails|unknown):", ended.output, re.MULTILINE)
    return ended.exit_code, {name.strip(): finds for name, finds in found}


def bundle_of(path: Path) -> Bundle:
    return bundle.found_in(path.read_bytes())


def test_the_document_names_the_official_tool_first_and_shows_every_test(line: Path) -> None:
    text = written(line, "evidence.html", "--language", "en").read_text()
    order = ["breitbandmessung.de", "Indicative", "not legal advice", ">fail<", "Erika Mustermann", "79.50"]
    assert sorted(order, key=text.index) == order
    assert text.count("Mar 2, 2026") + text.count("Mar 4, 2026") + text.count("Mar 6, 2026") >= 31
    for needed in ("Vfg. 99/2021", "2021-12-08", "No law says the following", "Signature", "SHA-256"):
        assert needed in text


def test_without_a_choice_the_document_is_in_the_language_of_the_country(line: Path) -> None:
    text = written(line).read_text()
    assert '<html lang="de">' in text
    assert "Mindestens 27 von 30 Messungen" in text
    assert "von 24 von 30 Messungen erreicht, nötig sind 27" in text
    assert "79,50" in text
    assert "Einzelne Sätze gibt es nur auf Englisch" not in text


def test_no_text_of_a_row_or_a_contract_is_markup_or_a_control_character(line: Path) -> None:
    text = written(line).read_text()
    assert "<script>alert" not in text
    assert text.count("<script") == text.count("</script>") == 1
    assert "<b>Net</b>" not in text
    assert "\x1b" not in text
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in text
    assert bundle_of(line / "evidence.html").verdict.contract.tariff == "</script><script>alert(1)</script>"


def test_the_same_bundle_makes_the_same_document(line: Path) -> None:
    path = written(line)
    assert document.html(bundle_of(path)) == path.read_text()


def test_a_document_that_nobody_has_changed_holds(line: Path) -> None:
    code, found = verified(line, written(line))
    assert code == 0
    assert found == {
        "document": "holds",
        "list of files": "holds",
        "files": "holds",
        "stamp": "unknown",
        "verdict": "holds",
    }


def test_rows_and_conversions_that_come_later_change_nothing(line: Path) -> None:
    path = written(line)
    keep(every(at(date(2031, 3, 9), "11:00"), 10, [10.0] * 5), line)
    assert not convert(Folders(line / "results", line / "uploads"), LINE, date(2031, 3, 10))
    code, found = verified(line, path)
    assert (code, found["verdict"], found["document"]) == (0, "holds", "holds")


def test_a_test_that_runs_while_the_document_is_made_changes_nothing(line: Path) -> None:
    now = datetime.now(UTC)
    keep([good(now - timedelta(minutes=minutes)) for minutes in (30, 20, 10)], line)
    path = line / "evidence.html"
    run(line, "verdict", "--profile", "eu-minimum", "-o", str(path))
    start = now - timedelta(seconds=10)
    keep([good(start, timestamp=start)], line)  # many programs name the start of the test
    code, found = verified(line, path)
    assert (code, found["verdict"]) == (0, "holds")


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("79,50", "89,50", "document"),
        ("Erika Mustermann", "Erich Mustermann", "document"),
        ('"minimum":50.0', '"minimum":90.0', "verdict"),
        ('"value":79.5', '"value":19.5', "verdict"),
    ],
)
def test_a_changed_document_is_found(line: Path, old: str, new: str, check: str) -> None:
    path = written(line)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    if check == "verdict":  # who changes the data can also make the text fit
        path.write_text(document.html(bundle_of(path)))
    code, found = verified(line, path)
    assert (code, found[check]) == (1, "fails")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "x"),
        ("since", "2026-01-01"),
        ("since", "0001-01-01T00:00:00+14:00"),
        ("until", "9999-12-31T23:00:00-14:00"),
        ("made", "2026-01-01T00:00:00"),
        ("language", "../../x"),
    ],
)
def test_a_document_with_values_that_none_has_is_told(line: Path, name: str, value: str) -> None:
    path = written(line)
    text, count = re.subn(rf'"{name}":(null|"[^"]*")', f'"{name}":"{value}"', path.read_text(), count=1)
    assert count
    path.write_text(text)
    ended = run(line, "verdict", "--verify", str(path))
    assert ended.exit_code == 1
    assert "cannot be checked: what it holds for programs is damaged" in ended.output


def test_a_changed_row_is_found(line: Path) -> None:
    path = written(line)
    _, folder = next(iter(partitions.days(line / "results")))
    for row in folder.iterdir():
        row.write_bytes(row.read_bytes().replace(b"79.5", b"89.5"))
    code, found = verified(line, path)
    assert (code, found["files"], found["verdict"]) == (1, "fails", "fails")


def test_a_file_that_is_no_document_is_told(line: Path) -> None:
    (line / "other.html").write_text("<p>hello")
    ended = run(line, "verdict", "--verify", str(line / "other.html"))
    assert ended.exit_code == 1
    assert "no document" in ended.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "x.docx"), "FILE.html or FILE.pdf"),
        (("-o", "x.html", "--language", "tlh"), "de"),
        (("-o", "x.html", "--stamp", "ftp://example.net"), "URL"),
    ],
)
def test_wrong_arguments_end_with_64(line: Path, arguments: tuple[str, ...], words: str) -> None:
    ended = run(line, "verdict", "--profile", "de-bnetza", *arguments)
    assert ended.exit_code == 64
    assert words in ended.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority(tmp_path_factory.mktemp("authority") / "tsa") as made:
        yield made


@pytest.mark.slow
def test_a_stamped_document_says_when_and_its_stamp_is_checked(line: Path, authority: Authority) -> None:
    path = written(line, "evidence.html", "--stamp", authority.url)
    assert "Test Time-Stamp Authority" in path.read_text()
    code, found = verified(line, path, "--stamp-ca", str(authority.root))
    assert (code, found["stamp"]) == (0, "holds")
    code, found = verified(line, path)  # this system does not know the authority
    assert (code, found["stamp"]) == (1, "fails")
    text = path.read_text().replace(bundle_of(path).manifest[:8], "01234567")
    path.write_text(text)
    code, found = verified(line, path, "--stamp-ca", str(authority.root))
    assert (found["stamp"], found["list of files"]) == ("fails", "fails")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # WeasyPrint leaves a file open
def test_a_pdf_holds_the_same_and_is_checked_like_it(line: Path) -> None:
    pytest.importorskip("weasyprint", reason="WeasyPrint is an optional part", exc_type=ImportError)
    path = written(line, "evidence.pdf")
    assert path.read_bytes().startswith(b"%PDF-")
    code, found = verified(line, path)
    assert (code, found["document"], found["verdict"]) == (0, "holds", "holds")


@pytest.mark.parametrize("language", words.languages())
def test_a_language_has_the_labels_of_english_and_the_values_of_each_sentence(language: str) -> None:
    english, other = words.catalogue("en"), words.catalogue(language)
    assert other.labels.keys() <= english.labels.keys()
    for name, text in other.labels.items():
        assert words.names_in(text) == words.names_in(english.labels[name]), name


CLAIMED = {"de": ("de-bnetza", "de-tkg58"), "nl": ("nl-acm",), "it": ("it-nemesys",), "cs": ("cz-ctu",)} | {
    "hr": ("hr-hakom",)
}


def sentences() -> dict[str, str]:
    """Every English sentence of a verdict, by its id."""
    of_profiles = {
        f"{profile.name}.{name}": text for profile in PROFILES.values() for name, text in profile.phrases.texts.items()
    }
    return {**SHARED.texts, **of_profiles}


@pytest.mark.parametrize("language", words.languages())
def test_a_translation_is_of_a_sentence_that_exists_and_has_its_values(language: str) -> None:
    english = sentences()
    for name, text in words.translations(language).items():
        assert name in english, name
        assert words.names_in(text) == words.names_in(english[name]), name


@pytest.mark.parametrize(("language", "profiles"), CLAIMED.items(), ids=CLAIMED)
def test_what_is_sent_to_a_country_is_whole_in_its_language(language: str, profiles: tuple[str, ...]) -> None:
    has = words.translations(language)
    labels = words.catalogue(language).labels
    assert words.catalogue("en").labels.keys() - labels.keys() <= {"utc", "server"}
    for profile in profiles:
        assert PROFILES[profile].language == language
        assert [name for name in PROFILES[profile].phrases.texts if f"{profile}.{name}" not in has] == []


def test_the_values_of_a_sentence_are_written_as_its_language_does() -> None:
    said = SHARED.say("count.below", below=1, of=200, share="99.98")
    assert (
        words.Wording("de").said(said)
        == "in 1 von 200 Messungen unterschritten, der kleinste Wert beträgt 99,98\u00a0% davon"
    )
    checked = SHARED.say("checked", date="2026-11-26", confidence="medium-high")
    assert "26. November 2026" in words.Wording("de").said(checked)
    assert "medio-alta" in words.Wording("it").said(checked)
