"""What a profile is: one country's rule, as a declaration over the shared pieces."""

from collections.abc import Callable
from datetime import date
from typing import Literal

import msgspec

from speedtest.verdicts.case import Case, Judged
from speedtest.verdicts.contract import Contract
from speedtest.verdicts.texts import Phrases
from speedtest.verdicts.types import Assurance, LegalSource, OfficialTool, RuleVerdict

type OwnTests = Literal["indicative", "supporting", "yardstick", "evidence"]
"""What tests of one's own are worth: only the official tool proves; they support a complaint; they are a yardstick;
they are ordinary evidence."""


def _nothing(_contract: Contract) -> list[RuleVerdict]:
    return []


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A country's rule. `verdicts.profiles` finds every one."""

    name: str
    country: str
    """ISO 3166, two letters; EU."""
    language: str
    """ISO 639, of what is sent there."""
    phrases: Phrases
    """Its sentences, among them `title`, whom it `binds`, each rule by its id, and its steps."""
    rule_version: str
    checked_on: date
    """When its sources were last looked at."""
    confidence: Assurance
    sources: tuple[LegalSource, ...]
    tool: OfficialTool | None
    own_tests: OwnTests
    evidence_in: frozenset[str] = frozenset()
    """The countries in which they are ordinary evidence all the same."""
    needs: tuple[str, ...]
    """The figures of the contract, and the facts, that it needs."""
    steps: tuple[str, ...]
    """The phrases that say what to do now, in order."""
    judge: Callable[[Case], Judged]
    checks: Callable[[Contract], list[RuleVerdict]] = _nothing
    """Hold the contract's own figures against each other."""
    samples: bool = True
    """Whether it chooses a sample, which may lie anywhere in the past."""
    second_hand: bool = False
    """Whether it is off unless a person allows rules that were not read in the original."""
