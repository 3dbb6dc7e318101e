"""What a profile is: one country's rule, as a declaration over the shared pieces."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Literal

import msgspec

from speedtest.verdicts.types import Assurance, LegalSource, OfficialTool

if TYPE_CHECKING:
    from speedtest.verdicts.case import Case, Judged

type OwnTests = Literal["indicative", "supporting", "yardstick", "evidence"]
"""What tests of one's own are worth: only the official tool proves; they help; they start a complaint or show where one
stands; ordinary evidence."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A country's rule. `verdicts.profiles` finds every one."""

    name: str
    country: str
    """ISO 3166, two letters; EU."""
    language: str
    """ISO 639, of what is sent there."""
    title: str
    binds: str
    """Whom the rule binds."""
    rule_version: str
    checked_on: date
    confidence: Assurance
    sources: tuple[LegalSource, ...]
    tool: OfficialTool | None
    own_tests: OwnTests
    needs: tuple[str, ...]
    """The figures of the contract, and the facts, that it needs."""
    second_hand: bool = False
    """Whether it is off unless a person allows rules that were not read in the original."""
    judge: Callable[["Case"], "Judged"]
