"""Hold the figures of a contract against each other, where the law says how they relate. No measurement is needed."""

from collections.abc import Callable, Iterator

import msgspec

from speedtest.verdicts.contract import DIRECTIONS, Contract, Direction, Speeds
from speedtest.verdicts.texts import SHARED, Phrases, speed
from speedtest.verdicts.types import Basis, RuleVerdict, VerdictValue

FOUR_FIGURES = ("maximum", "normal", "minimum", "advertised")
"""What Reg. (EU) 2015/2120 Art. 4 (1) (d) asks a contract for a fixed line to state."""


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """What the law says of two figures of one direction. Its text is the phrase with its id."""

    id: str
    figure: str
    of: str
    """The figure that the limit is made from. Both are fields of `contract.Speeds`."""
    limit: Callable[[float], float] = float
    at_most: bool = False
    """Whether the figure may not be above the limit, instead of not below it. Equality passes."""
    basis: Basis = "verified"


def related(phrases: Phrases, contract: Contract, *relations: Relation) -> Iterator[RuleVerdict]:
    """Yield whether each relation holds, for each direction with figures. A figure that is missing is not assessed."""
    for relation in relations:
        for direction in stated(contract):
            yield _related(phrases, relation, direction, contract.speeds(direction))


def _related(phrases: Phrases, relation: Relation, direction: Direction, speeds: Speeds) -> RuleVerdict:
    value, whole = getattr(speeds, relation.figure), getattr(speeds, relation.of)
    verdict: VerdictValue = "not_assessed"
    limit = None
    if value is None or whole is None:
        lacks = relation.figure if value is None else relation.of
        why = SHARED.say("figure_missing", figure=f"contract.{direction}.{lacks}")
    else:
        limit = relation.limit(whole)
        verdict = "pass" if (value <= limit if relation.at_most else value >= limit) else "fail"
        said = "check.ok" if verdict == "pass" else "check.above" if relation.at_most else "check.below"
        why = SHARED.say(said, what=relation.figure, value=speed(value, limit), limit=speed(limit))
    return RuleVerdict(
        id=relation.id,
        direction=direction,
        verdict=verdict,
        text=phrases.say(relation.id),
        basis=relation.basis,
        reason=why,
        threshold=limit,
    )


def all_stated(contract: Contract) -> Iterator[RuleVerdict]:
    """Yield for each direction and figure whether the contract file has it. One that it lacks is not assessed."""
    for direction in DIRECTIONS:
        for figure in FOUR_FIGURES:
            is_there = getattr(contract.speeds(direction), figure) is not None
            lacks = SHARED.say("check.not_stated", figure=f"contract.{direction}.{figure}")
            yield RuleVerdict(
                id=f"stated.{figure}",
                direction=direction,
                verdict="pass" if is_there else "not_assessed",
                text=SHARED.say(f"stated.{figure}"),
                basis="verified",
                reason=SHARED.say("check.stated") if is_there else lacks,
            )


def stated(contract: Contract) -> list[Direction]:
    """Return the directions that have a figure; the download if none has."""
    return [each for each in DIRECTIONS if contract.speeds(each) != Speeds()] or ["download"]
