"""Choose the sample that a rule is applied to: the newest conforming one, without a look at any speed.

All other conforming samples that share no test with it, or with each other, are judged by the same rules and counted,
so that nobody can say that the worst was picked.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np

from speedtest.verdicts import algebra, rules
from speedtest.verdicts.case import Case, Judged, Sample, flaw
from speedtest.verdicts.local_time import MINUTE, Instants
from speedtest.verdicts.rules import SampleRule
from speedtest.verdicts.texts import SHARED, Phrases
from speedtest.verdicts.types import Said, VerdictValue


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How a profile chooses its sample. The phrase `sample` says how; the phrases `choices` name what is our own."""

    find: Callable[[Case], Iterator[Sample]]
    """Yield the conforming samples, the newest first, none with a test of another."""
    missing: Callable[[Case], Said]
    """Say what is missing, when there is none."""
    choices: tuple[str, ...] = ()


def judged(case: Case, phrases: Phrases, sampling: Sampling, applied: Sequence[SampleRule]) -> Judged:
    """Return what these rules say of the newest sample, and how the others would have been judged."""
    samples = sampling.find(case)
    chosen = next(samples, None)
    how, choices = phrases.say("sample"), [phrases.say(name) for name in sampling.choices]
    if chosen is None:
        why = sampling.missing(case) if len(case.fit) else SHARED.say("no_tests")
        found = [*rules.unassessed(case, phrases, applied, "insufficient", why)]
        return Judged(rules=found, how=how, choices=choices)
    broken = flaw(case.rows, chosen)
    found = (
        rules.unassessed(case, phrases, applied, "insufficient", broken)
        if broken
        else rules.applied(case, phrases, applied, chosen)
    )
    others = Counter(_overall(case, applied, sample) for sample in samples)
    return Judged(rules=[*found], sample=chosen, how=how, choices=choices, others=dict(others))


def _overall(case: Case, applied: Sequence[SampleRule], sample: Sample) -> VerdictValue:
    return "insufficient" if flaw(case.rows, sample) else algebra.overall(rules.values(case, applied, sample))


def spread_days(days: Sequence[int], *, apart: int, within: int, count: int = 3) -> Iterator[tuple[int, ...]]:
    """Yield groups of `count` days, the newest first, that share no day. The days of a group come oldest first.

    Neighbours are at least `apart` days from each other, and all lie within so many calendar days, both ends included.
    Of each group the last day is the newest possible, then the one before it, and so on.
    """
    newest_first = sorted(days, reverse=True)
    place = 0
    while place < len(newest_first):
        last = newest_first[place]
        chosen = [last]
        for day in islice(newest_first, place + 1, None):
            if len(chosen) == count or day < last - within + 1:
                break
            if day <= chosen[-1] - apart:
                chosen.append(day)
        if len(chosen) == count:
            yield tuple(reversed(chosen))
            place = newest_first.index(chosen[-1], place) + 1
        else:
            place += 1


def chain(starts: Instants, last: int, count: int, minutes: float, tolerance_seconds: float) -> list[int] | None:
    """Return the places of `count` starts that end with the start at `last`, each so many minutes after the one before.

    Of several that fit the tolerance, the one nearest to it is taken, then the later one. None if there is no chain.
    """
    step, slack = int(minutes * MINUTE), int(tolerance_seconds * 1_000_000)
    found = [last]
    while len(found) < count:
        wanted = starts[found[-1]] - step
        low, high = np.searchsorted(starts, [wanted - slack, wanted + slack + 1])
        if low >= high:
            return None
        near = range(int(low), min(int(high), found[-1]))
        if not near:
            return None
        found.append(min(near, key=lambda place: (abs(int(starts[place] - wanted)), -place)))
    return found[::-1]
