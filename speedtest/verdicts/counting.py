"""Count the tests of a sample against a limit. Values are compared unrounded, and no text grants a tolerance.

A speed that equals its limit has reached it, and is not below it.
"""

import numpy as np

from speedtest.verdicts.rows import Floats, Indices
from speedtest.verdicts.rules import Facing, RuleOutcome
from speedtest.verdicts.texts import SHARED, percent, speed


def enough_days(facing: Facing, limit: float, need: int) -> RuleOutcome:
    """Pass if on so many days at least one test reached the limit."""
    days = facing.days()
    have = sum(bool((day >= limit).any()) for day in days)
    best = [int(group[np.argmax(day)]) for group, day in zip(facing.sample.groups, days, strict=True)]
    return RuleOutcome(
        verdict="pass" if have >= need else "fail",
        reason=SHARED.say("count.days_reached", have=have, of=len(days), need=need),
        threshold=limit,
        have=have,
        need=need,
        of=len(days),
        figures=figures(facing),
        deciding=best,
    )


def enough_tests(facing: Facing, limit: float, need: int) -> RuleOutcome:
    """Pass if so many tests reached the limit. Those that did not decide."""
    speeds = facing.speeds()
    have = int((speeds >= limit).sum())
    return RuleOutcome(
        verdict="pass" if have >= need else "fail",
        reason=SHARED.say("count.tests_reached", have=have, of=len(speeds), need=need),
        threshold=limit,
        have=have,
        need=need,
        of=len(speeds),
        figures=figures(facing),
        deciding=below(facing.sample.rows, speeds, limit),
    )


def few_days_below(facing: Facing, limit: float, fails: int) -> RuleOutcome:
    """Fail if on so many days at least one test was below the limit. `have` counts the other days."""
    days = facing.days()
    bad = sum(bool((day < limit).any()) for day in days)
    worst = [int(group[np.argmin(day)]) for group, day in zip(facing.sample.groups, days, strict=True)]
    return RuleOutcome(
        verdict="fail" if bad >= fails else "pass",
        reason=SHARED.say("count.days_below", days=bad, of=len(days), fails=fails),
        threshold=limit,
        have=len(days) - bad,
        need=len(days) - fails + 1,
        of=len(days),
        figures=figures(facing) | {"days_below": float(bad)},
        deciding=worst,
    )


def none_below(facing: Facing, limit: float) -> RuleOutcome:
    """Fail if any test was below the limit."""
    speeds = facing.speeds()
    low = below(facing.sample.rows, speeds, limit)
    share = percent(float(speeds.min()), limit)
    reason = (
        SHARED.say("count.below", below=len(low), of=len(speeds), share=share, lowest=speed(speeds.min(), limit))
        if low
        else SHARED.say("count.none_below", of=len(speeds))
    )
    return RuleOutcome(
        verdict="fail" if low else "pass",
        reason=reason,
        threshold=limit,
        have=len(speeds) - len(low),
        need=len(speeds),
        of=len(speeds),
        figures=figures(facing),
        deciding=low,
    )


def enough_share(facing: Facing, limit: float, need_percent: int) -> RuleOutcome:
    """Pass if at least this share of the tests reached the limit; exactly this share is enough."""
    speeds = facing.speeds()
    of = len(speeds)
    return enough_tests(facing, limit, -(-of * need_percent // 100))


def below(indices: Indices, values: Floats, limit: float) -> list[int]:
    """Return the rows whose value is below the limit."""
    return [int(row) for row in indices[values < limit]]


def figures(facing: Facing) -> dict[str, float]:
    """Return the lowest, the median and the highest speed, and what share of the contract's figure each is."""
    return spread(facing.speeds(), facing.figure)


def spread(speeds: Floats, figure: float | None) -> dict[str, float]:
    """Return the lowest, the median and the highest of these, and their shares of a figure."""
    found = {"lowest": float(speeds.min()), "median": float(np.median(speeds)), "best": float(speeds.max())}
    shares = {f"{name}_share": value / figure for name, value in found.items()} if figure else {}
    return found | shares
