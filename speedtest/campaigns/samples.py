"""The sample that each profile's rule wants, as times of day: what a campaign measures.

The rules of the law are days, spacing and hours. The times of day within them are a choice of SpeedSnake, made without
looking at any speed: they are those by which `speedsnake verdict` looks for a sample.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

type SampleKind = Literal["days", "hours"]

MINUTE = 60.0
HOUR = 3600.0


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Tests of one day that follow one another."""

    first: str
    """The local time of day of its first test, `HH:MM`."""
    latest: str
    """The last time of day at which a test of it may begin, also one that replaces another."""
    tests: int = 1
    every: float = 10 * MINUTE
    """Seconds from one test to the next."""
    rest: float = 0.0
    """Seconds from the end of the block before to its first test, at least."""
    unbroken: bool = False
    """Whether a test that was not made spoils all before it."""


class LegalSample(msgspec.Struct, frozen=True, kw_only=True):
    """A sample: blocks of tests on several days."""

    rule: str
    """What the rule wants, in words."""
    tool: str | None
    """The official tool, which is what counts. None: there is none."""
    url: str
    """Where that tool is, or the regulator's page."""
    kind: SampleKind = "days"
    """`hours`: a test in each quarter of each clock hour, and not blocks on several days."""
    blocks: tuple[Block, ...] = ()
    days: int = 1
    """How many measuring days."""
    apart: int = 1
    """From one measuring day to the next, in calendar days, at least."""
    hours_apart: float = 0.0
    """From the first test of a measuring day to that of the next, in hours, at least."""
    within: int = 14
    """The most calendar days from the first measuring day to the last, both counted."""
    of_a_day: int = 1
    """How many tests of a day must count to make it a measuring day."""
    enough: int
    """How many tests must count in all."""
    patience: float = 45.0
    """How long a test may wait for a quiet line, in seconds."""
    near: float = 30.0
    """How many seconds a test of the normal schedule may be away to take the place of a planned one."""

    @property
    def tests(self) -> int:
        """The tests of a day."""
        return sum(block.tests for block in self.blocks)


def _hours(first: int, last: int) -> tuple[Block, ...]:
    return tuple(Block(first=f"{hour:02}:10", latest=f"{hour:02}:50") for hour in range(first, last + 1))


SAMPLES: Mapping[str, LegalSample] = {
    "de-bnetza": LegalSample(
        rule="30 tests: 10 on each of 3 days within 14, a free day between two; 5 from 11:00 on and 5 from 19:00 on",
        tool="Breitbandmessung Desktop-App",
        url="https://breitbandmessung.de",
        blocks=(
            Block(first="11:00", latest="15:30", tests=5),
            Block(first="19:00", latest="23:30", tests=5, rest=3 * HOUR),
        ),
        days=3,
        apart=2,
        of_a_day=10,
        enough=30,
        patience=120.0,
    ),
    "cz-ctu": LegalSample(
        rule="6 tests of one day, 15 minutes apart",
        tool="NetTest, certified mode",
        url="https://nettest.ctu.gov.cz",
        blocks=(Block(first="18:00", latest="23:30", tests=6, every=15 * MINUTE, unbroken=True),),
        of_a_day=6,
        enough=6,
    ),
    "hr-hakom": LegalSample(
        rule="3 tests at 20:00 on 3 days within 5, at least 24 hours apart",
        tool="HAKOMetar",
        url="https://www.hakom.hr",
        blocks=(Block(first="20:00", latest="20:00"),),
        days=3,
        hours_apart=24.0,
        within=5,
        enough=3,
        near=0.0,
    ),
    "it-nemesys": LegalSample(
        rule="96 tests: one in each quarter of an hour of 24 hours; what is missing, in the 48 after",
        tool="Ne.Me.Sys.",
        url="https://www.misurainternet.it",
        kind="hours",
        enough=96,
        near=0.0,
    ),
    "eu-minimum": LegalSample(
        rule="20 tests on 3 days, 5 of them from 19:00 to 23:00 (a choice of SpeedSnake, not of the law)",
        tool="the official measuring tool of the country, where there is one",
        url="https://berec.europa.eu",
        blocks=(
            Block(first="08:00", latest="10:30"),
            Block(first="12:00", latest="14:30"),
            Block(first="16:00", latest="18:00"),
            Block(first="19:15", latest="22:45", tests=4, every=30 * MINUTE),
        ),
        days=3,
        of_a_day=5,
        enough=20,
    ),
    "nl-acm": LegalSample(
        rule="10 tests on 3 days or more within 7, at most 4 a day, around 8:00, 12:00, 16:00 and 20:00",
        tool=None,
        url="https://www.acm.nl",
        blocks=tuple(Block(first=f"{hour:02}:00", latest=f"{hour:02}:25") for hour in (8, 12, 16, 20)),
        days=3,
        within=7,
        of_a_day=2,
        enough=10,
    ),
    "at-rtr": LegalSample(
        rule="3 cycles on 3 days within 14, each 9 tests that are 15 minutes apart; 18 of the 27 must succeed",
        tool="RTR-Netztest, certified measurement",
        url="https://www.netztest.at",
        blocks=(Block(first="18:00", latest="23:30", tests=9, every=15 * MINUTE, unbroken=True),),
        days=3,
        of_a_day=6,
        enough=18,
    ),
    "us-caf": LegalSample(
        rule="a test in each hour from 18:00 to midnight on 7 days in a row; 35 of the 42 must succeed",
        tool=None,
        url="https://www.fcc.gov",
        blocks=_hours(18, 23),
        days=7,
        within=7,
        of_a_day=1,
        enough=35,
    ),
}
"""By profile. The profiles that are not here need no planned sample, or a date that only the user knows."""
