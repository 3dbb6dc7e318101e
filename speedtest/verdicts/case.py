"""What a profile judges, and what it says of it."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from speedtest.verdicts import local_time
from speedtest.verdicts.contract import Contract, Direction
from speedtest.verdicts.row_filter import Filtered
from speedtest.verdicts.rows import Indices, LineRows
from speedtest.verdicts.texts import SHARED
from speedtest.verdicts.types import CampaignState, RuleVerdict, Said, VerdictValue

type Bound = Literal["since", "until"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a line, those that count, and the contract."""

    rows: LineRows
    filtered: Filtered
    contract: Contract
    until: int
    """The instant before which rows were looked at."""
    chosen: frozenset[Bound] = frozenset()
    """The bounds of the period that a person chose."""

    @property
    def fit(self) -> Indices:
        """The rows that count, in the order of their starts."""
        return self.filtered.fit

    @property
    def measured(self) -> tuple[Direction, ...]:
        """The directions that can be judged, as far as the tests go."""
        return self.filtered.measured

    def interval_minutes(self) -> float | None:
        """Return how far apart the tests are, by what most of the newest rows say; None if they do not."""
        newest = self.rows.interval[-100:]
        known = newest[~np.isnan(newest)]
        return float(np.median(known)) / 60 if len(known) else None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The tests that a rule is applied to, in groups (days, cycles), oldest first. No speed decides what is in it."""

    groups: tuple[Indices, ...]
    state: CampaignState = "complete"

    @property
    def rows(self) -> Indices:
        """All its tests."""
        return np.concatenate(self.groups) if self.groups else np.zeros(0, np.intp)


def flaw(rows: LineRows, sample: Sample) -> Said | None:
    """Return why a sample is of two lines or of two zones, None if it is of one."""
    providers, zones = rows.isp.among(sample.rows), rows.zone.among(sample.rows)
    if len(providers) > 1:
        return SHARED.say("two_lines", providers=", ".join(providers))
    return SHARED.say("zones_differ", zones=", ".join(zones)) if len(zones) > 1 else None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile says of a case."""

    rules: list[RuleVerdict]
    sample: Sample | None = None
    how: Said | None = None
    """How the sample was chosen."""
    choices: list[Said] = []
    others: dict[VerdictValue, int] = {}
    notices: list[Said] = []
    steps: list[Said] = []


def local_days(rows: LineRows, indices: Indices) -> list[tuple[int, Indices]]:
    """Return the tests of each local day, by the day's number, oldest first."""
    days = rows.day[indices]
    order = np.argsort(days, kind="stable")
    numbers, firsts = np.unique(days[order], return_index=True)
    parts: Sequence[Indices] = np.split(indices[order], firsts[1:]) if len(numbers) else []
    return [(int(number), part) for number, part in zip(numbers, parts, strict=True)]


def days_of(rows: LineRows, sample: Sample) -> list[str]:
    """Return the local days of a sample, ISO 8601."""
    return [local_time.day(int(number)).isoformat() for number in np.unique(rows.day[sample.rows])]
