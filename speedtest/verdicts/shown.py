"""A verdict for a person at a terminal: the official tool first, then the verdict, the rules, and what they rest on."""

from collections.abc import Iterator

import msgspec

from speedtest.verdicts.contract import DIRECTIONS, Contract, Speeds
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.texts import speed
from speedtest.verdicts.types import ChosenCampaign, DecidingRow, Excluded, LegalSource, RuleVerdict, Verdict

_MOST_ROWS = 10
_LEFT_OUT = {
    "failed": "failed",
    "skipped": "skipped",
    "once": "made by hand or after an outage",
    "no_zone": "without a time zone",
    "retest": "a repeated test of a slot",
    "other_engine": "by another program",
    "wifi": "over Wi-Fi",
    "cellular": "over a cellular network",
    "vpn": "through a tunnel",
    "busy": "on a busy machine",
    "other_traffic": "beside other traffic",
    "slow_link": "on a link slower than the contract",
    "other_provider": "through another provider",
    "no_figure": "without the figure",
}
_WORDS = {
    "pass": "pass",
    "fail": "FAIL",
    "insufficient": "insufficient",
    "not_assessed": "not assessed",
}

type ShownLine = tuple[str, str, str]
"""A name, a text, and the verdict that it is about, or an empty text."""


def lines(verdict: Verdict) -> Iterator[ShownLine]:
    """Yield the lines of a verdict."""
    yield from _head(verdict)
    for rule in verdict.rules:
        if _is_told(verdict, rule):
            yield from _rule(rule)
    if verdict.campaign:
        yield from _campaign(verdict.campaign)
    if verdict.excluded:
        yield from _excluded(verdict.excluded)
    yield from (("next step", step.text, "") for step in verdict.next_step.steps)
    yield from (("note", notice.text, "") for notice in verdict.notices)
    yield from (("source", _source(source), "") for source in verdict.sources)
    if verdict.files:
        files = verdict.files
        yield "files read", f"{files.parquet} Parquet, {files.csv} CSV, SHA-256 of their list {files.digest}", ""


def _head(verdict: Verdict) -> Iterator[ShownLine]:
    yield verdict.profile, verdict.title.text, ""
    if tool := verdict.next_step.tool:
        yield "official tool", f"{tool.name}{f', {tool.url}' if tool.url else ''}", ""
    yield from (("", why.text, "") for why in verdict.indicative_because)
    kind = "indicative: " if verdict.indicative else ""
    yield "verdict", f"{kind}{verdict.summary.text}", verdict.overall
    yield "contract", _contract(verdict.contract), ""
    if verdict.location:
        yield "location", verdict.location, ""


def _is_told(verdict: Verdict, rule: RuleVerdict) -> bool:
    """Leave out rules about a direction that the contract file says nothing of, if it says something of the other."""
    both = {direction: verdict.contract.speeds(direction) != Speeds() for direction in DIRECTIONS}
    return rule.direction is None or rule.verdict != "not_assessed" or both[rule.direction] or not any(both.values())


def _source(source: LegalSource) -> str:
    return f"{source.name} ({source.dated}){f', {source.url}' if source.url else ''}"


def _contract(contract: Contract) -> str:
    fee = f"{contract.monthly_fee:.2f} {contract.currency or 'EUR'} a month" if contract.monthly_fee else None
    dates = msgspec.structs.asdict(contract.dates)
    named = [text for text in (contract.provider, contract.tariff, fee) if text]
    named += [f"{name.replace('_', ' ')} {day}" for name, day in dates.items() if day]
    for direction in DIRECTIONS:
        figures = msgspec.structs.asdict(contract.speeds(direction))
        told = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in figures.items() if value)
        named += [f"{direction} {told} Mbit/s"] if told else []
    return "; ".join(named) or "not known: set CONTRACT_FILE (`speedsnake contract init` writes one)"


def _rule(rule: RuleVerdict) -> Iterator[ShownLine]:
    own = {"choice": " (our own rule, no law)", "inference": " (our reading)", "second-hand": " (second-hand)"}
    name = f"{rule.id} {rule.direction or ''}".rstrip()
    reason = f": {rule.reason.text}" if rule.reason else ""
    limit = "" if rule.threshold is None else f" Limit: {rule.threshold:.15g} {rule.unit}."
    yield name, f"{_WORDS[rule.verdict]}{reason}", rule.verdict
    yield "", f"Rule: {rule.text.text}{own.get(rule.basis, '')}{limit}", ""
    for row in rule.deciding_rows[:_MOST_ROWS]:
        yield "", _row(row, rule), ""
    if len(rule.deciding_rows) > _MOST_ROWS:
        yield "", f"and {len(rule.deciding_rows) - _MOST_ROWS} more: --json has them all", ""


def _row(row: DecidingRow, rule: RuleVerdict) -> str:
    value = row.error or "failed" if row.value is None else f"{speed(row.value, row.threshold)} {rule.unit}"
    server = f", {row.server}" if row.server else ""
    return f"  {row.started_at} ({row.utc})  {value}{server}  {row.folder}"


def _campaign(campaign: ChosenCampaign) -> Iterator[ShownLine]:
    days = campaign.days if len(campaign.days) <= _MOST_ROWS else [campaign.days[0], "…", campaign.days[-1]]
    state = "" if campaign.state == "complete" else ", incomplete"
    yield "sample", f"{len(campaign.rows)} tests on {', '.join(days)} ({campaign.zone}){state}", ""
    yield "", f"from {campaign.rows[0].started_at} to {campaign.rows[-1].started_at}", ""
    yield "", campaign.rule.text, ""
    for choice in campaign.choices:
        yield "", f"our own choice, no law: {choice.text}", ""
    told = ", ".join(f"{_WORDS[name]} in {count}" for name, count in sorted(campaign.others.items()))
    total = sum(campaign.others.values())
    yield "other samples", f"{total} since {campaign.others_since}{f': {told}' if told else ''}", ""


def _excluded(excluded: Excluded) -> Iterator[ShownLine]:
    counts = msgspec.structs.asdict(excluded)
    told = [f"{counts[name]} {words}" for name, words in _LEFT_OUT.items() if counts[name]]
    where = "on the days of the sample" if excluded.scope == "campaign" else "in the whole period"
    yield "left out", f"{', '.join(told) or 'nothing'} {where}", ""
    for row in [row for row in excluded.rows if row.reason in ("failed", "once")][-_MOST_ROWS:]:
        yield "", f"  {row.started_at}  {_LEFT_OUT[row.reason]}{f': {row.error}' if row.error else ''}", ""


def listing(profile: Profile) -> Iterator[ShownLine]:
    """Yield the lines of a profile in the list of all."""
    yield profile.name, profile.phrases.say("title").text, ""
    yield "", f"country {profile.country}; binds {profile.phrases.say('binds').text}", ""
    for source in profile.sources:
        yield "", f"source: {_source(source)}", ""
    off = "; off without --allow-second-hand" if profile.second_hand else ""
    yield "", f"checked on {profile.checked_on}; confidence {profile.confidence}{off}", ""
    yield "", f"official tool: {profile.tool.name if profile.tool else 'none'}", ""
    yield "", f"needs {', '.join(profile.needs)}", ""


def described(profile: Profile) -> dict[str, object]:
    """Return a profile for other programs."""
    return {
        "profile": profile.name,
        "title": profile.phrases.say("title").text,
        "country": profile.country,
        "binds": profile.phrases.say("binds").text,
        "sources": profile.sources,
        "rule_version": profile.rule_version,
        "checked_on": profile.checked_on,
        "confidence": profile.confidence,
        "official_tool": profile.tool,
        "own_tests": profile.own_tests,
        "needs": profile.needs,
        "second_hand": profile.second_hand,
    }
