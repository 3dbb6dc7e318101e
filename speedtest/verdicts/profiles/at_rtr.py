"""Austria: a complete set of measuring cycles, as the RTR certifies them.

RTR's pages on the certified measurement of netztest.at: three cycles on three days within 14 calendar days, each of two
hours with a test every 15 minutes, and at least 18 successful tests in them. What follows from the figures is left to
the single case, so there is no pass and no fail: this profile says whether the set is complete, and its figures.

Two hours from the first start to the last are nine tests, the text taken literally; RTR's own tool makes eight.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import numpy as np

from speedtest.verdicts import checks, counting, sampling
from speedtest.verdicts.case import Case, Judged, Sample, flaw
from speedtest.verdicts.contract import DIRECTIONS, Contract, Direction, Speeds
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.row_filter import FIT, REASONS
from speedtest.verdicts.rows import NEVER, Indices
from speedtest.verdicts.texts import Phrases, speed
from speedtest.verdicts.types import CampaignState, LegalSource, OfficialTool, RuleVerdict, Said

CYCLE, CYCLES, STEP_MINUTES, TOLERANCE_SECONDS = 9, 3, 15.0, 90.0
WITHIN_DAYS, NEED_GOOD = 14, 18
_OF = {"lowest": "minimum", "median": "normal", "best": "maximum"}

PHRASES = Phrases(
    "at-rtr",
    {
        "title": "Austria: three measuring cycles, as the RTR certifies them",
        "binds": "providers",
        "sample": "The newest three cycles on three local days within 14 calendar days: each is nine slots in a row, 15"
        " minutes apart. The set is complete with 18 successful tests in them.",
        "choice.distance": "15 minutes may be 90 seconds more or less; of each day the newest cycle",
        "cycle": "A figure, no rule: the RTR's pages name no speed that decides.",
        "figures": "{day}: {have} of {of} tests; lowest {lowest}, median {median}, best {best} Mbit/s",
        "no_good": "{day}: none of {of} tests succeeded",
        "complete": "the set is complete: {cycles} cycles, {have} successful tests",
        "incomplete": "the set is incomplete: {cycles} of 3 cycles on days of their own within 14 calendar days,"
        " {have} of 18 successful tests",
        "no_cycle": "no nine slots in a row are 15 minutes apart: set SLEEP_SECONDS=900",
        "step.tool": "Measure with netztest.at, certified: three cycles. That is prima-facie evidence.",
        "step.complain": "Ask the provider, then the RTR's conciliation. Its form asks for pictures of the set-up.",
    },
)


_NOT_TRIED = ("skipped", "once", "no_zone", "retest", "other_engine")


class _Tried(NamedTuple):
    """The slots in which a test was made, whether it counts or not."""

    rows: Indices
    slots: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    days: "np.ndarray[tuple[int], np.dtype[np.int64]]"


def _tried(case: Case) -> _Tried:
    """Return the slots, oldest first: of each its test that counts, else the first that failed or is unfit."""
    no = [*map(REASONS.index, _NOT_TRIED), FIT]
    others = np.flatnonzero(~np.isin(case.filtered.reason, no) & (case.rows.slot != NEVER))
    others = others[case.rows.zone.codes[others] >= 0]
    rows = np.concatenate((case.fit, others))
    _, firsts = np.unique(case.rows.slot[rows], return_index=True)
    found = rows[firsts]
    return _Tried(found, case.rows.slot[found], case.rows.slot_day[found])


def _cycles(case: Case) -> dict[int, Indices]:
    """Return the newest cycle of each local day that has one."""
    tried = _tried(case)
    found: dict[int, Indices] = {}
    for day in np.unique(tried.days):
        members = np.flatnonzero(tried.days == day)
        slots = tried.slots[members]
        for last in range(len(members) - 1, CYCLE - 2, -1):
            if chain := sampling.chain(slots, last, CYCLE, STEP_MINUTES, TOLERANCE_SECONDS):
                found[int(day)] = tried.rows[members[chain]]
                break
    return found


def _good(case: Case, rows: Indices) -> Indices:
    return rows[case.filtered.reason[rows] == FIT]


def _flaw(case: Case, sample: Sample) -> Said | None:
    """Return why the tests that count are of two lines or of two zones."""
    return flaw(case.rows, Sample(groups=(_good(case, sample.rows),)))


def _newest(case: Case) -> Sample | None:
    """Return the newest set of three cycles; if there is none, the newest cycles that could become one."""
    cycles = _cycles(case)
    chosen = next(sampling.spread_days([*cycles], apart=1, within=WITHIN_DAYS), None)
    if chosen is None and cycles:
        newest = max(cycles)
        chosen = tuple(sorted(day for day in cycles if day > newest - WITHIN_DAYS))
    if chosen is None:
        return None
    groups = tuple(cycles[day] for day in chosen)
    good = len(_good(case, np.concatenate(groups)))
    state: CampaignState = "complete" if len(groups) == CYCLES and good >= NEED_GOOD else "incomplete"
    return Sample(groups=groups, state=state)


def _figures(case: Case, sample: Sample, direction: Direction) -> Iterator[RuleVerdict]:
    terms: Speeds = case.contract.speeds(direction)
    speeds = case.rows.speed(direction)
    for number, cycle in enumerate(sample.groups, 1):
        good = _good(case, cycle)
        day = str(np.datetime64(int(case.rows.slot_day[cycle[0]]), "D"))
        values = speeds[good][~np.isnan(speeds[good])]
        figures = counting.spread(values, None) if len(values) else {}
        shares = {
            f"{name}_of_{figure}": figures[name] / limit
            for name, figure in _OF.items()
            if figures and (limit := getattr(terms, figure))
        }
        shown = {name: speed(value) for name, value in figures.items()}
        reason = (
            PHRASES.say("figures", day=day, have=len(values), of=len(cycle), **shown)
            if shown
            else PHRASES.say("no_good", day=day, of=len(cycle))
        )
        yield RuleVerdict(
            id=f"cycle{number}",
            direction=direction,
            verdict="not_assessed",
            text=PHRASES.say("cycle"),
            basis="verified",
            reason=reason,
            have=len(values),
            of=len(cycle),
            figures=figures | shares,
        )


def _state(case: Case, sample: Sample | None) -> Said:
    if sample is None:
        return PHRASES.say("no_cycle")
    return _flaw(case, sample) or PHRASES.say(
        sample.state, cycles=len(sample.groups), have=len(_good(case, sample.rows))
    )


def _judge(case: Case) -> Judged:
    sample = _newest(case)
    rules = [each for direction in DIRECTIONS for each in _figures(case, sample, direction)] if sample else []
    if sample and _flaw(case, sample):
        sample = Sample(groups=sample.groups, state="incomplete")
    return Judged(
        rules=rules,
        sample=sample,
        how=PHRASES.say("sample"),
        choices=[PHRASES.say("choice.distance")],
        notices=[_state(case, sample)],
    )


def _checks(contract: Contract) -> list[RuleVerdict]:
    return [*checks.all_stated(contract)]


PROFILE = Profile(
    name="at-rtr",
    country="AT",
    language="de",
    phrases=PHRASES,
    rule_version="2026-11-26/1",
    checked_on=date(2026, 11, 26),
    confidence="high",
    sources=(LegalSource(name="RTR, pages on the certified measurement", dated="read 2026"),),
    tool=OfficialTool(name="RTR-Netztest, certified measurement", url="https://www.netztest.at"),
    own_tests="supporting",
    needs=("maximum", "normal", "minimum"),
    steps=("step.tool", "step.complain"),
    judge=_judge,
    checks=_checks,
)
