"""Ask a person for what the contract says, one figure after the other, each with what it means."""

from collections.abc import Callable, Iterator
from itertools import groupby

import msgspec

from speedtest.verdicts import contract_file
from speedtest.verdicts.contract_file import ContractValues
from speedtest.verdicts.contract_keys import KEYS, ContractKey

INTRODUCTION = (
    "What does the contract say? Press Enter to leave a figure out, or to keep what the file has; - removes it.",
    "A figure that is left out is not assessed. Nothing is written before the last answer.",
)
REMOVE = "-"


class Person(msgspec.Struct, frozen=True):
    """How to speak with a person."""

    say: Callable[[str], object]
    ask: Callable[[str], str]
    """Return the line that is typed. Raises EOFError at the end of the input."""


def ask(person: Person, known: ContractValues) -> ContractValues:
    """Return the values that a person types, beginning with what is known.

    Asks again for a value that is not allowed, and for the figures of a direction that no contract can have.
    """
    for line in INTRODUCTION:
        person.say(line)
    values = dict(known)
    for section, keys in groupby(KEYS, key=lambda key: key.section):
        asked = [*keys]
        person.say("")
        person.say(f"[{section}]")
        _ask_all(person, asked, values)
        while wrong := [line for line in contract_file.impossible(values) if line.startswith(section)]:
            for line in wrong:
                person.say(line)
            _ask_all(person, asked, values)
    return values


def _ask_all(person: Person, keys: list[ContractKey], values: ContractValues) -> None:
    for key in _relevant(keys, values):
        _ask_one(person, key, values)


def _relevant(keys: list[ContractKey], values: ContractValues) -> Iterator[ContractKey]:
    """Yield the keys that matter in the country that was named so far."""
    for key in keys:
        country = values.get("contract.country")
        if key.path in values or not key.countries or country is None or country in key.countries:
            yield key


def _ask_one(person: Person, key: ContractKey, values: ContractValues) -> None:
    person.say(key.meaning)
    kept = values.get(key.path)
    shown = f" [{contract_file.as_toml(kept)}]" if kept is not None else ""
    while text := person.ask(f"{key.name}{shown}: ").strip():
        if text == REMOVE:
            values.pop(key.path, None)
            return
        try:
            values[key.path] = key.read(text)
        except (ValueError, OverflowError):
            person.say(f"{text[:100]!r} is not allowed: it must be {key.allowed}")
        else:
            return
