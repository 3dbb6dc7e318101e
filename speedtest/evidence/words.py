"""The words of a document in one language.

`languages/NAME.toml` has everything that is said in one language: `labels` of the document, `said` (the sentences of
verdicts by their ids, see `verdicts.texts`) and `words` that stand in sentences as values. English needs no `said`: a
verdict brings it along. A sentence that a language does not have is said in English, and never half translated.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from string import Formatter

import msgspec
from babel import Locale, dates, numbers

from speedtest.logging import harmless
from speedtest.verdicts.texts import speed
from speedtest.verdicts.types import Said

FOLDER = Path(__file__).parent / "languages"
ENGLISH = "en"
_DAY, _FIGURE = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"\d+\.\d+")
_HARD_SPACE = "\u00a0"


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language, as its file has it."""

    labels: dict[str, str]
    said: dict[str, str] = {}
    words: dict[str, str] = {}


def languages() -> list[str]:
    """Return the names of the languages (ISO 639)."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def catalogue(language: str) -> Catalogue:
    """Return a language's file."""
    return msgspec.convert(tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8")), Catalogue)


def names_in(text: str) -> set[str]:
    """Return the names of the values that stand in a sentence."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


class Words:
    """Says things in one language."""

    def __init__(self, language: str) -> None:
        """Take a language of `languages`."""
        self._locale = Locale.parse(language)
        self._found = catalogue(language)
        self._english = catalogue(ENGLISH)
        self.language = language

    def label(self, name: str, **values: object) -> str:
        """Return a label of the document."""
        return self._found.labels.get(name, self._english.labels[name]).format(**values)

    def said(self, said: Said) -> str:
        """Return a sentence of the verdict; in English if this language does not have it."""
        text = self._found.said.get(said.id)
        if text is not None:
            text = text.format(**{name: self._value(value) for name, value in said.values.items()})
        return harmless(said.text if text is None else text).replace(" %", _HARD_SPACE + "%")

    def has(self, said: Said) -> bool:
        """Return whether this language has a sentence."""
        return self.language == ENGLISH or said.id in self._found.said

    def word(self, word: str) -> str:
        """Return a single word of a verdict, such as `high`."""
        return self._found.words.get(word, word.replace("_", " "))

    def number(self, value: float, limit: float | None = None) -> str:
        """Return a figure with two digits or more, never on the wrong side of its limit."""
        text = speed(value, limit)
        return numbers.format_decimal(text, f"#,##0.{'0' * len(text.partition('.')[2])}", locale=self._locale)

    def plain(self, value: float) -> str:
        """Return a figure of a contract as it is printed there."""
        return numbers.format_decimal(repr(value), "#,##0.###############", locale=self._locale)

    def day(self, day: date | str) -> str:
        """Return a day."""
        day = date.fromisoformat(day) if isinstance(day, str) else day
        return dates.format_date(day, "long", locale=self._locale)

    def instant(self, when: str | datetime) -> str:
        """Return an instant as it is written, with its difference to UTC."""
        when = datetime.fromisoformat(when) if isinstance(when, str) else when
        offset = f"{when:%z}"
        zone = "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"
        return f"{dates.format_date(when.date(), 'medium', locale=self._locale)} {when:%H:%M:%S} {zone}"

    def _value(self, value: str | float) -> str:
        """Return a value of a sentence as this language writes it: days and figures too."""
        text = str(value)
        if _DAY.fullmatch(text):
            return self.day(text)
        if _FIGURE.fullmatch(text):
            return numbers.format_decimal(text, f"#,##0.{'0' * len(text.partition('.')[2])}", locale=self._locale)
        return self._found.words.get(text, text)


def translations(language: str) -> Mapping[str, str]:
    """Return the sentences of verdicts that a language has."""
    return catalogue(language).said
