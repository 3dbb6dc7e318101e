"""Every sentence of a verdict, in English. What is about one profile stands in that profile's module, as its `Phrases`.

A sentence is `Said` by its id, so that another language needs the same ids and nothing else: `{name}` stands for a
value. Speeds come as texts from `speed`, with enough digits to stand on the right side of their limit.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from speedtest.verdicts.types import Said

_DIGITS = range(2, 18)


class Phrases(msgspec.Struct, frozen=True):
    """Sentences by id. `prefix` stands before the ids of one profile."""

    prefix: str
    texts: Mapping[str, str]

    def say(self, name: str, **values: str | float) -> Said:
        """Return a sentence with these values; one that this profile does not have is among those of all."""
        if name not in self.texts:
            return SHARED.say(name, **values)
        key = f"{self.prefix}.{name}" if self.prefix else name
        return Said(key, self.texts[name].format(**values), values)


def speed(value: float, limit: float | None = None) -> str:
    """Return a figure with two digits behind the point, or with as many more as it needs not to reach its limit."""
    exact, bound = Decimal(repr(float(value))), None if limit is None else Decimal(repr(float(limit)))
    for digits in _DIGITS:
        text = f"{exact:.{digits}f}"
        if bound is None or _side(Decimal(text), bound) == _side(exact, bound):
            return text
    return str(exact)


def percent(part: float, whole: float) -> str:
    """Return a share in percent with enough digits that only all is 100 % and only nothing is 0 %."""
    return speed(100 * part / whole, 100.0) if whole else "0.00"


def _side(value: Decimal, limit: Decimal) -> int:
    return (value > limit) - (value < limit)


SHARED = Phrases(
    "",
    {
        # the overall verdict
        "overall.pass": "pass",
        "overall.pass_assessed": "pass on the rules assessed",
        "overall.fail": "fail",
        "overall.insufficient": "insufficient: the rows do not allow a verdict yet",
        "overall.not_assessed": "not assessed",
        # what cannot be assessed
        "figure_missing": "the contract file does not have {figure}",
        "fact_missing": "the contract file does not have {fact}",
        "not_measured": "no test measured the {direction}",
        "two_lines": "the tests went through different providers ({providers}): these are two lines",
        "zones_differ": "the tests are from different time zones ({zones})",
        # what is missing of a sample
        "no_tests": "no test counts: see what was left out, and why",
        "no_sample": "no sample of this kind is among the {tests} tests that count",
        "interval_advice": "the tests are {minutes} minutes apart: set SLEEP_SECONDS={seconds}",
        # counts
        "count.days_reached": "reached on {have} of {of} days, {need} are needed",
        "count.tests_reached": "reached by {have} of {of} tests, {need} are needed",
        "count.days_below": "below it on {days} of {of} days; it fails from {fails}",
        "count.none_below": "not seen below in {of} tests",
        "count.below": "below it in {below} of {of} tests, the lowest at {share} % of it",
        "minimum.too_few": "not seen below, but in too few tests for a pass: {tests} of {need_tests} tests, {days} of"
        " {need_days} local days, {evening} of {need_evening} tests from 19:00 to 23:00",
        "peak.too_few": "{have} evening tests in the newest seven days; it needs {need} of {of}, one in each hour from"
        " 18:00 to 24:00",
        # how sure
        "indicative.tool": "only {tool} proves it; this verdict shows where you stand",
        "indicative.no_tool": "these tests support a complaint, they prove nothing by themselves",
        "indicative.yardstick": "this is a yardstick of the authority, not a right of the customer",
        "indicative.wired": "wired: not recorded. Tests over Wi-Fi could be among these, and they do not count",
        "advice": "This is not legal advice.",
        "checked": "The sources were last checked on {date}. Confidence: {confidence}.",
        "tcp": "Speeds are those of the payload of TCP, as the speed-test program measures them.",
        "second_hand": "This rule was not read in the original: it comes from the press, a provider or a draft.",
        "failed_inside": "On these days tests failed: {failed}; slots were skipped: {skipped}. They are not 0 Mbit/s"
        " and count neither way: outages are another matter.",
        "servers": "{count} servers measured: {servers}",
        "by_hand": "period chosen by hand",
        "engine": "tests by {engine} only; programs are never mixed",
        "one_direction": "the contract file has no figure of the {direction}, so it is not assessed",
        "looked_back": "only rows since {since} were looked at; --since looks further back",
        # choices that every profile shares
        "choice.first": "of each slot the first successful test; none made by hand, none repeated because it was slow",
        "choice.unfit": "no test over Wi-Fi, a cellular network or a tunnel, on processors above {cpu} %, beside other"
        " traffic of {other} % of the test's bytes or more, or on a link below {link} Mbit/s",
        "choice.newest": "the newest sample; every other one is judged as well and counted",
        # checks of a contract
        "check.ok": "{what} is {value}, the limit is {limit}",
        "check.below": "{what} is {value}, below {limit}",
        "check.above": "{what} is {value}, above {limit}",
        "check.stated": "the contract file has it",
        "check.not_stated": "the contract file does not have {figure}: look into the contract, which must state it",
        "stated.maximum": "A contract must state the maximum speed (Regulation (EU) 2015/2120, Article 4 (1) (d)).",
        "stated.normal": "A contract must state the speed that is normally available (the same).",
        "stated.minimum": "A contract must state the minimum speed (the same).",
        "stated.advertised": "A contract must state the advertised speed (the same).",
        "check.none": "no relation between the figures of a contract is known for {country}",
        "contract_flag": "contract: {text}",
    },
)
"""The sentences of all profiles."""
