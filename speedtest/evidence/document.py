"""The document of evidence: one HTML file without scripts or requests, made to be printed.

The same bundle always makes the same document, so that a document can be checked by making it again. Every text of a
row or of a contract is escaped, and control characters in it are shown as such.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from speedtest.evidence import bundle as bundles
from speedtest.evidence.bundle import Bundle
from speedtest.evidence.words import Words
from speedtest.logging import harmless
from speedtest.verdicts.contract import DIRECTIONS
from speedtest.verdicts.types import Excluded, RuleVerdict, Said, Verdict

TEMPLATES = Path(__file__).parent / "templates"
_SPEEDS = ("maximum", "normal", "minimum", "advertised", "required", "next_lower_maximum")
_PARTIES = (
    ("holder", "holder"),
    ("address", "address"),
    ("provider", "provider"),
    ("tariff", "tariff"),
    ("document_of_contract", "document"),
    ("contract_number", "contract_number"),
    ("customer_number", "customer_number"),
    ("fault_ticket", "fault_ticket"),
    ("complaint_ticket", "complaint_ticket"),
)
_COUNTS = tuple(name for name in Excluded.__struct_fields__ if name not in ("scope", "rows"))
_LONGEST = 300


def html(bundle: Bundle) -> str:
    """Return the document."""
    words = Words(bundle.language)
    data = bundles.encode(bundle)
    verdict = bundle.verdict
    return (
        _templates(words)
        .get_template("document.html")
        .render(
            words=words,
            bundle=bundle,
            verdict=verdict,
            style=Markup((TEMPLATES / "document.css").read_text(encoding="utf-8")),  # noqa: S704 (our own file)
            data=Markup(bundles.in_html(data)),  # noqa: S704 (it cannot end its element)
            element=bundles.ELEMENT,
            checksum=bundles.checksum(data),
            parties=list(_parties(verdict, words)),
            figures=list(_figures(verdict, words)),
            excluded=list(_excluded(verdict, words)),
            others=_others(verdict, words),
            in_english=_in_english(verdict, words),
        )
    )


def _templates(words: Words) -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "said": words.said,
        "text": _text,
        "number": words.number,
        "plain": words.plain,
        "day": words.day,
        "instant": words.instant,
        "word": words.word,
    }
    found.filters.update(filters)
    return found


def _text(value: object) -> str:
    """Return a text of a row or of a contract on one line, without control characters, cut if it is too long."""
    text = str(value)
    return harmless(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _parties(verdict: Verdict, words: Words) -> Iterator[tuple[str, str]]:
    """Yield what the head of a letter needs. What is missing is shown as missing, to be completed by hand."""
    contract = verdict.contract
    for label, field in _PARTIES:
        value = getattr(contract, field)
        if value or label in ("holder", "address", "provider", "tariff", "contract_number"):
            yield words.label(label), _text(value) if value else ""
    for label, day in (
        ("signed", contract.signed),
        ("fault_reported", contract.dates.fault_reported),
        ("complaint", contract.dates.complaint),
    ):
        if day:
            yield words.label(label), words.day(day)
    if verdict.location:
        yield words.label("location"), _text(verdict.location)


def _figures(verdict: Verdict, words: Words) -> Iterator[tuple[str, list[str]]]:
    """Yield a line for each figure of the contract that one direction has."""
    for name in _SPEEDS:
        values = [getattr(verdict.contract.speeds(direction), name) for direction in DIRECTIONS]
        if any(value is not None for value in values):
            shown = [words.label("not_stated") if value is None else f"{words.plain(value)} Mbit/s" for value in values]
            yield words.label(name), shown
    if latency := verdict.contract.maximum_latency_ms:
        yield words.label("maximum_latency_ms"), [f"{words.plain(latency)} ms", ""]


def _excluded(verdict: Verdict, words: Words) -> Iterator[tuple[str, int]]:
    if verdict.excluded:
        counts = msgspec.structs.asdict(verdict.excluded)
        yield from ((words.label(f"excluded_{name}"), counts[name]) for name in _COUNTS if counts[name])


def _others(verdict: Verdict, words: Words) -> str:
    if verdict.campaign is None:
        return ""
    since = words.instant(verdict.campaign.others_since)
    found = verdict.campaign.others
    if not found:
        return words.label("others_none", since=since)
    told = ", ".join(f"{words.label(f'overall_{name}')}: {count}" for name, count in sorted(found.items()))
    return words.label("others_some", count=sum(found.values()), since=since, verdicts=told)


def _in_english(verdict: Verdict, words: Words) -> bool:
    """Return whether the document says something in English because its language does not have it."""
    return not all(words.has(said) for said in sentences(verdict))


def sentences(verdict: Verdict) -> Iterator[Said]:
    """Yield every sentence of a verdict."""
    yield from (verdict.title, verdict.summary, *verdict.indicative_because, *verdict.notices, *verdict.next_step.steps)
    for rule in verdict.rules:
        yield from _of_rule(rule)
    if verdict.campaign:
        yield from (verdict.campaign.rule, *verdict.campaign.choices)


def _of_rule(rule: RuleVerdict) -> Iterator[Said]:
    yield rule.text
    if rule.reason:
        yield rule.reason
