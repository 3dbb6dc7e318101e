"""A rule that counts the tests of a sample against a figure of the contract, and how its verdict comes to be."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from speedtest.verdicts import describe
from speedtest.verdicts.case import Case, Sample
from speedtest.verdicts.contract import DIRECTIONS, Contract, Direction
from speedtest.verdicts.rows import Floats, Indices, LineRows
from speedtest.verdicts.texts import SHARED, Phrases
from speedtest.verdicts.types import Basis, DecidingRow, RuleVerdict, Said, VerdictValue


class Facing(msgspec.Struct, frozen=True, kw_only=True):
    """A sample facing a figure of the contract in one direction."""

    rows: LineRows
    fit: Indices
    """All tests that count."""
    sample: Sample
    direction: Direction
    figure: float
    """What the contract says, Mbit/s."""
    contract: Contract

    def speeds(self, indices: Indices | None = None) -> Floats:
        """Return the speeds of these tests, or of all of the sample."""
        return self.rows.speed(self.direction)[self.sample.rows if indices is None else indices]

    def days(self) -> list[Floats]:
        """Return the speeds of each group."""
        return [self.speeds(group) for group in self.sample.groups]


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found."""

    verdict: VerdictValue
    reason: Said
    threshold: float | None = None
    have: int | None = None
    need: int | None = None
    """It passes with at least so many."""
    of: int | None = None
    figures: dict[str, float] = {}
    deciding: Sequence[int] = ()
    """Rows."""


def _never(_figure: float) -> Said | None:
    return None


class SampleRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. Its text is the phrase with its id."""

    id: str
    figure: str | None
    """The name of the contract's figure, a field of `contract.Speeds`."""
    count: Callable[[Facing], RuleOutcome]
    directions: tuple[Direction, ...] = DIRECTIONS
    basis: Basis = "verified"
    refused: Callable[[float], Said | None] = _never
    """Return why the rule is not for a line with this figure of the contract, None if it is."""


def applied(case: Case, phrases: Phrases, rules: Sequence[SampleRule], sample: Sample) -> Iterator[RuleVerdict]:
    """Yield the verdict of each rule on a sample."""
    for rule, direction, figure, missing in _each(case, rules):
        if missing:
            yield without(phrases, rule, direction, "not_assessed", missing)
            continue
        facing = _facing(case, sample, direction, figure)
        yield _verdict(phrases, rule, facing, rule.count(facing))


def values(case: Case, rules: Sequence[SampleRule], sample: Sample) -> Iterator[VerdictValue]:
    """Yield only what `applied` finds, without its texts and rows."""
    for rule, direction, figure, missing in _each(case, rules):
        if not missing:
            facing = _facing(case, sample, direction, figure)
            yield rule.count(facing).verdict


def _facing(case: Case, sample: Sample, direction: Direction, figure: float) -> Facing:
    return Facing(
        rows=case.rows, fit=case.fit, sample=sample, direction=direction, figure=figure, contract=case.contract
    )


def unassessed(
    case: Case, phrases: Phrases, rules: Sequence[SampleRule], verdict: VerdictValue, why: Said
) -> Iterator[RuleVerdict]:
    """Yield this verdict for each rule whose figure is known, for the same reason."""
    for rule, direction, _, missing in _each(case, rules):
        yield without(phrases, rule, direction, "not_assessed" if missing else verdict, missing or why)


def without(phrases: Phrases, rule: SampleRule, direction: Direction, verdict: VerdictValue, why: Said) -> RuleVerdict:
    """Return a verdict that nothing was counted for."""
    return RuleVerdict(
        id=rule.id, direction=direction, verdict=verdict, text=phrases.say(rule.id), basis=rule.basis, reason=why
    )


def with_rows(rows: LineRows, rule: RuleVerdict, decide: Sequence[int], threshold: float | None) -> RuleVerdict:
    """Return a rule's verdict with these rows and their speeds."""
    speeds = rows.speed(rule.direction or "download")
    found = [describe.deciding(rows, row, float(speeds[row]), threshold) for row in decide]
    return msgspec.structs.replace(rule, deciding_rows=found, threshold=threshold)


def _each(case: Case, rules: Sequence[SampleRule]) -> Iterator[tuple[SampleRule, Direction, float, Said | None]]:
    """Yield each rule with each of its directions, the contract's figure, and why it cannot be assessed."""
    for direction in DIRECTIONS:
        for rule in rules:
            if direction not in rule.directions:
                continue
            figure = getattr(case.contract.speeds(direction), rule.figure) if rule.figure else 0.0
            missing = None
            if figure is None:
                missing = SHARED.say("figure_missing", figure=f"contract.{direction}.{rule.figure}")
            elif why := rule.refused(figure):
                missing = why
            elif direction not in case.measured:
                missing = SHARED.say("not_measured", direction=direction)
            yield rule, direction, figure or 0.0, missing


def _verdict(phrases: Phrases, rule: SampleRule, facing: Facing, outcome: RuleOutcome) -> RuleVerdict:
    return RuleVerdict(
        id=rule.id,
        direction=facing.direction,
        verdict=outcome.verdict,
        text=phrases.say(rule.id),
        basis=rule.basis,
        reason=outcome.reason,
        have=outcome.have,
        need=outcome.need,
        of=outcome.of,
        threshold=outcome.threshold,
        figures=outcome.figures,
        deciding_rows=deciding(facing, outcome),
    )


def deciding(facing: Facing, outcome: RuleOutcome) -> list[DecidingRow]:
    """Return the rows that decide, with their speeds."""
    speeds = facing.rows.speed(facing.direction)
    return [describe.deciding(facing.rows, row, float(speeds[row]), outcome.threshold) for row in outcome.deciding]
