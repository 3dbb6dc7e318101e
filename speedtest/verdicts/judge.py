"""Judge a line: rows and a contract in, a verdict out. The order of the rows and this machine's zone change nothing."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from speedtest.values.thresholds import CPU_PERCENT, OTHER_SHARE
from speedtest.verdicts import algebra, case as cases, describe, local_time, row_filter, rows as line_rows
from speedtest.verdicts.case import Bound, Case, Judged, Sample
from speedtest.verdicts.contract import DIRECTIONS, Contract, Speeds
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.row_filter import FIT, REASONS
from speedtest.verdicts.rows import LineRows, Mask
from speedtest.verdicts.texts import SHARED
from speedtest.verdicts.types import (
    ChosenCampaign,
    Excluded,
    LakeFiles,
    NextStep,
    RuleVerdict,
    Said,
    Verdict,
    VerdictValue,
    Wired,
)

_MOST_LISTED = 100
_NOT_LISTED = frozenset({"skipped", "other_engine", "retest"})
_MOST_SERVERS = 10


def judge(  # noqa: PLR0913 (what is judged, by which rules, and what narrows it)
    rows: pa.Table,
    contract: Contract,
    profile: Profile,
    *,
    location: str,
    since: datetime | None = None,
    until: datetime | None = None,
    engine: str | None = None,
    chosen: frozenset[Bound] = frozenset(),
    files: LakeFiles | None = None,
) -> Verdict:
    """Return what the profile says of these rows of one location.

    `rows` has the columns `verdicts.rows.COLUMNS` of the lake, in any order. Those before `since` or from `until` on
    are left out. `engine` is the only one whose tests count, instead of the one with most. `chosen` are the
    bounds of the period that a person chose.
    """
    found = line_rows.of(_between(rows, since, until))
    case = Case(
        rows=found,
        filtered=row_filter.fit(found, contract, engine),
        contract=contract,
        until=local_time.instant(until) if until else int(found.start.max(initial=0)) + 1,
        chosen=chosen,
    )
    judged = profile.judge(case)
    campaign = _campaign(case, judged, since)
    wired = _wired(case, judged.sample)
    because = _indicative(profile, contract, wired)
    value = algebra.overall(rule.verdict for rule in judged.rules)
    return _verdict(
        profile,
        contract,
        judged.rules,
        value,
        because=because,
        location=location,
        since=_written(since),
        until=_written(until),
        campaign=campaign,
        excluded=_excluded(case, judged.sample) if profile.samples else None,
        wired=wired,
        notices=[*(_notices(case, campaign) if profile.samples else []), *judged.notices, *_flags(profile, contract)],
        next_step=NextStep(tool=profile.tool, steps=[*map(profile.phrases.say, profile.steps), *judged.steps]),
        files=files,
    )


def contract_only(contract: Contract, profile: Profile) -> Verdict:
    """Return what the profile says of the contract's own figures. No row is looked at."""
    checks = profile.checks(contract)
    value = algebra.overall(check.verdict for check in checks)
    none = [] if checks else [SHARED.say("check.none", country=profile.country)]
    return _verdict(
        profile,
        contract,
        checks,
        value,
        because=[],
        location=None,
        since=None,
        until=None,
        campaign=None,
        excluded=None,
        wired=None,
        notices=none,
        next_step=NextStep(tool=profile.tool, steps=[]),
        files=None,
        contract_only=True,
    )


def _verdict(  # noqa: PLR0913 (the fields of a verdict)
    profile: Profile,
    contract: Contract,
    rules: list[RuleVerdict],
    value: VerdictValue,
    *,
    because: list[Said],
    location: str | None,
    since: str | None,
    until: str | None,
    campaign: ChosenCampaign | None,
    excluded: Excluded | None,
    wired: Wired | None,
    notices: list[Said],
    next_step: NextStep,
    files: LakeFiles | None,
    contract_only: bool = False,
) -> Verdict:
    partly = value == "pass" and any(rule.verdict == "not_assessed" for rule in rules)
    always = [
        SHARED.say("checked", date=profile.checked_on.isoformat(), confidence=profile.confidence),
        *([SHARED.say("second_hand")] if profile.second_hand else []),
        SHARED.say("advice"),
    ]
    return Verdict(
        profile=profile.name,
        title=profile.phrases.say("title"),
        country=profile.country,
        rule_version=profile.rule_version,
        checked_on=profile.checked_on,
        confidence=profile.confidence,
        sources=list(profile.sources),
        indicative=bool(because),
        indicative_because=because,
        contract_only=contract_only,
        location=location,
        since=since,
        until=until,
        overall=value,
        summary=SHARED.say("overall.pass_assessed" if partly else f"overall.{value}"),
        rules=rules,
        campaign=campaign,
        excluded=excluded,
        wired=wired,
        notices=[*notices, *always],
        next_step=next_step,
        contract=contract,
        files=files,
    )


def _between(rows: pa.Table, since: datetime | None, until: datetime | None) -> pa.Table:
    """Leave out the rows outside the period, by their timestamps, as everywhere."""
    times = rows["timestamp"].cast(pa.int64()).to_numpy()
    inside = np.ones(len(times), bool)
    inside &= times >= local_time.instant(since) if since else True
    inside &= times < local_time.instant(until) if until else True
    return rows.filter(pa.array(inside))


def _written(when: datetime | None) -> str | None:
    return local_time.written_utc(local_time.instant(when)) if when else None


def _wired(case: Case, sample: Sample | None) -> Wired | None:
    """Return whether the rows of the sample that count say that they were measured by cable."""
    if sample is None:
        return None
    rows = sample.rows[case.filtered.reason[sample.rows] == FIT]
    if not len(rows):
        return None
    known = case.rows.link.equal("ethernet")[rows]
    return "yes" if known.all() else "partly-recorded" if known.any() else "not-recorded"


def _indicative(profile: Profile, contract: Contract, wired: Wired | None) -> list[Said]:
    """Return why the verdict is only indicative; nothing if it is more."""
    tool = profile.tool.name if profile.tool else None
    reasons = {
        "indicative": SHARED.say("indicative.tool", tool=tool) if tool else SHARED.say("indicative.no_tool"),
        "supporting": SHARED.say("indicative.no_tool"),
        "yardstick": SHARED.say("indicative.yardstick"),
    }
    is_evidence = profile.own_tests == "evidence" or contract.country in profile.evidence_in
    found = [] if is_evidence else [reasons[profile.own_tests]]
    return found + ([SHARED.say("indicative.wired")] if wired not in ("yes", None) else [])


def _campaign(case: Case, judged: Judged, since: datetime | None) -> ChosenCampaign | None:
    sample = judged.sample
    if sample is None or judged.how is None or not len(sample.rows):
        return None
    rows, chosen = case.rows, sample.rows
    inside = _inside(rows, _span(rows, sample))
    first = local_time.instant(since) if since else int(rows.start.min())
    unfit = SHARED.say(
        "choice.unfit",
        cpu=f"{CPU_PERCENT:g}",
        other=f"{100 * OTHER_SHARE:g}",
        link=f"{row_filter.fastest(case.contract):g}",
    )
    tests = [describe.campaign(rows, int(row)) for row in chosen]
    return ChosenCampaign(
        state=sample.state,
        days=cases.days_of(rows, sample),
        zone=", ".join(rows.zone.among(chosen)),
        rule=judged.how,
        choices=[*judged.choices, SHARED.say("choice.newest"), SHARED.say("choice.first"), unfit],
        chosen_by_hand=bool(case.chosen),
        rows=tests,
        others=judged.others,
        others_since=local_time.written_utc(first),
        engine=case.filtered.engine or "",
        servers=sorted({test.server for test in tests if test.server}),
        failed=int((inside & _is(case, "failed")).sum()),
        skipped=int((inside & _is(case, "skipped")).sum()),
    )


def _is(case: Case, reason: str) -> Mask:
    return case.filtered.reason == REASONS.index(reason)


def _span(rows: LineRows, sample: Sample) -> tuple[int, int]:
    """Return the instants at which the first local day of a sample begins and the last one ends."""
    days = rows.day[sample.rows]
    zone: ZoneInfo = describe.zone(rows, int(sample.rows[0]))
    return local_time.midnight(int(days.min()), zone), local_time.midnight(int(days.max()) + 1, zone)


def _inside(rows: LineRows, span: tuple[int, int]) -> Mask:
    return (rows.start >= span[0]) & (rows.start < span[1])


def _excluded(case: Case, sample: Sample | None) -> Excluded:
    """Count why rows do not count: on the days of the sample, else in all that was looked at."""
    rows, reason = case.rows, case.filtered.reason
    has_days = sample is not None and len(sample.rows) > 0
    inside = _inside(rows, _span(rows, sample)) if sample and has_days else np.ones(len(rows), bool)
    counts = {name: int((inside & (reason == number)).sum()) for number, name in enumerate(REASONS)}
    listed = [number for number, name in enumerate(REASONS) if name not in _NOT_LISTED]
    newest = np.flatnonzero(inside & (reason != FIT) & np.isin(reason, listed))[-_MOST_LISTED:]
    return Excluded(
        scope="campaign" if has_days else "period",
        rows=[describe.excluded(rows, int(row), REASONS[reason[row]]) for row in newest],
        **counts,
    )


def _notices(case: Case, campaign: ChosenCampaign | None) -> list[Said]:
    """Return what a reader must know of the sample."""
    found = [
        SHARED.say("one_direction", direction=direction)
        for direction in DIRECTIONS
        if case.contract.speeds(direction) == Speeds()
    ]
    if case.chosen:
        found.append(SHARED.say("by_hand"))
    if campaign is None:
        return found
    if campaign.failed or campaign.skipped:
        found.append(SHARED.say("failed_inside", failed=campaign.failed, skipped=campaign.skipped))
    found.append(SHARED.say("engine", engine=campaign.engine))
    if (count := len(campaign.servers)) > 1:
        found.append(SHARED.say("servers", count=count, servers=", ".join(campaign.servers[:_MOST_SERVERS])))
    return [*found, SHARED.say("tcp")]


def _flags(profile: Profile, contract: Contract) -> list[Said]:
    """Return what is wrong with the contract's own figures."""
    flagged = (check for check in profile.checks(contract) if check.verdict == "fail" and check.reason)
    return [SHARED.say("contract_flag", text=check.reason.text) for check in flagged if check.reason]
