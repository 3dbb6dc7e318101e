"""A verdict, and what it is made of. `encode` writes it as one JSON object; docs/verdict.schema.json describes that.

Speeds are Mbit/s (10^6 bit/s), latencies ms. Instants are ISO 8601 with their offset: `started_at` in the local time of
the row, `utc` in UTC. Figures are never rounded; only texts are, and never across a limit. Every sentence for a person
is a `Said`: its `id` and `values` let another language say it (`verdicts.texts` has the English one).
"""

from datetime import date
from typing import Literal

import msgspec

from speedtest.verdicts.contract import Contract, Direction

type VerdictValue = Literal["pass", "fail", "insufficient", "not_assessed"]
type Assurance = Literal["high", "medium-high", "medium", "low", "second-hand"]
"""How sure we are of a profile's rules."""
type Basis = Literal["verified", "inference", "second-hand", "choice"]
"""Where a rule comes from: its text was read; a reading of its wording; press or a provider; this product's own choice,
which is never law."""
type CampaignState = Literal["complete", "incomplete"]
type Wired = Literal["yes", "partly-recorded", "not-recorded"]


class Said(msgspec.Struct, frozen=True):
    """A sentence: `text` in English, made from `id` and `values`."""

    id: str
    text: str
    values: dict[str, str | int | float] = {}


class LegalSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a profile's rules are written."""

    name: str
    dated: str
    """The date of the version that was read, as the source gives it."""
    url: str | None = None


class OfficialTool(msgspec.Struct, frozen=True, kw_only=True):
    """The measuring tool that the authority asks for."""

    name: str
    url: str | None = None


class DecidingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that decides a rule."""

    started_at: str
    utc: str
    status: Literal["ok", "failed"] = "ok"
    value: float | None
    """Mbit/s, or ms for a rule about latency; null for a failed test."""
    threshold: float | None
    server: str | None = None
    folder: str
    """The folder below UPLOAD_DIR where the row lies, or will lie when its day is complete."""
    error: str | None = None


class RuleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says of one direction."""

    id: str
    direction: Direction | None
    """null: the rule is not about a direction."""
    verdict: VerdictValue
    text: Said
    """The rule in our own words."""
    basis: Basis
    reason: Said | None = None
    """Why it is insufficient or not assessed and what is missing, or what was counted."""
    have: int | None = None
    need: int | None = None
    of: int | None = None
    threshold: float | None = None
    unit: Literal["Mbit/s", "ms"] = "Mbit/s"
    figures: dict[str, float] = {}
    """Further figures, such as `median`, `lowest` or `lowest_share` (of the contract's figure, from 0)."""
    deciding_rows: list[DecidingRow] = []


class CampaignRow(msgspec.Struct, frozen=True, kw_only=True):
    """One test of the sample, good or bad."""

    started_at: str
    utc: str
    slot: str | None
    """The instant at which it was due, UTC."""
    status: Literal["ok", "failed"]
    download_mbps: float | None
    upload_mbps: float | None
    latency_ms: float | None
    server: str | None
    link: str | None
    isp: str | None
    folder: str


class ChosenCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """The sample that the rules were applied to, and the other samples that could have been chosen."""

    state: CampaignState
    days: list[str]
    """Local days, ISO 8601."""
    zone: str
    rule: Said
    """How it was chosen. No speed plays a part in it."""
    choices: list[Said]
    """Parts of that rule that no law says: they are this product's own."""
    chosen_by_hand: bool
    """Whether `since` or `until` bounds what could be chosen."""
    rows: list[CampaignRow]
    others: dict[VerdictValue, int]
    """The verdicts of the other conforming samples that share no day with this or with each other."""
    others_since: str
    """The first instant whose rows were looked at for these."""
    engine: str
    servers: list[str]
    failed: int
    """Failed tests on its days. They are not 0 Mbit/s and count neither way."""
    skipped: int
    """Skipped slots on its days."""


class ExcludedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that does not count."""

    started_at: str
    utc: str
    reason: str
    """The name of the count in `Excluded`."""
    download_mbps: float | None
    upload_mbps: float | None
    error_kind: str | None
    error: str | None
    folder: str


class Excluded(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that could not be used, each counted once, by the first reason in this order."""

    scope: Literal["campaign", "period"]
    """The days that were counted: those of the campaign, else all that were looked at."""
    failed: int = 0
    skipped: int = 0
    once: int = 0
    """Tests made by hand, or after an outage: no slot."""
    retest: int = 0
    """Good tests of a slot after its first good one: they follow a low speed."""
    no_zone: int = 0
    """The row names no time zone, so its local day is not known."""
    other_engine: int = 0
    wifi: int = 0
    cellular: int = 0
    vpn: int = 0
    busy: int = 0
    """This machine's processors were too busy."""
    other_traffic: int = 0
    slow_link: int = 0
    other_provider: int = 0
    """Through another provider than that of `EXPECT_ISP`."""
    no_figure: int = 0
    """It did not measure what is judged."""
    rows: list[ExcludedRow] = []
    """The newest of them, at most 100, oldest first; those skipped are only counted."""


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now."""

    tool: OfficialTool | None
    steps: list[Said]


class LakeFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The files that the rows came from."""

    parquet: int
    csv: int
    size: int
    """Bytes."""
    digest: str
    """SHA-256, as `figures.evidence` makes it."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile says of a line."""

    profile: str
    title: Said
    country: str
    rule_version: str
    checked_on: date
    """When the sources were last looked at."""
    confidence: Assurance
    sources: list[LegalSource]
    indicative: bool
    """True: only the official tool proves it, or it is not recorded that the tests were made by cable."""
    indicative_because: list[Said]
    contract_only: bool
    """Whether only the contract's own figures were looked at."""
    location: str | None
    since: str | None
    until: str | None
    """The period that was looked at, UTC, the end not included."""
    overall: VerdictValue
    summary: Said
    """The overall verdict in words, such as "pass on the rules assessed"."""
    rules: list[RuleVerdict]
    campaign: ChosenCampaign | None
    excluded: Excluded | None
    wired: Wired | None
    """Whether the rows of the sample say that they were measured by cable."""
    notices: list[Said]
    """What a reader must know: caveats, marks, that this is not legal advice."""
    next_step: NextStep
    contract: Contract
    files: LakeFiles | None


def encode(verdict: Verdict) -> bytes:
    """Return the verdict as one JSON object."""
    return msgspec.json.encode(verdict)


def schema() -> str:
    """Return the JSON Schema of a verdict, which docs/verdict.schema.json holds."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Verdict)), indent=2).decode() + "\n"
