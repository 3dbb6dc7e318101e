"""Conditions that tests tell: each begins when N of the last M tests were bad, and is over when as many were good.

The tests are counted anew when a condition begins or ends, so that one test cannot do both. A slot in which a retry or
another program succeeded is a good one.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime

from speedtest.alerts import words
from speedtest.alerts.changes import Changes
from speedtest.alerts.conditions import Lasting, TestVerdict, Words
from speedtest.alerts.limits import Limits
from speedtest.alerts.rows import AlertRow
from speedtest.values import amounts

_BAD = {
    "slow": "slow",
    "unusual": "slower than usual",
    "latency": "high latency",
    "bufferbloat": "high latency under load",
    "loss": "packet loss",
    "failing": "tests fail",
}
_GOOD = {
    "slow": "fast again",
    "unusual": "as fast as usual again",
    "latency": "latency normal again",
    "bufferbloat": "latency under load normal again",
    "loss": "no packet loss any more",
    "failing": "tests succeed again",
}


def judge(changes: Changes, tests: Sequence[AlertRow]) -> None:
    """Take note of what new tests say, in the order in which they were made."""
    limits = Limits(changes.settings, changes.zone, changes.now)
    for kind in limits.off:
        changes.known.verdicts.pop(kind, None)
        changes.known.lasting.pop(kind, None)
    for _, slot in itertools.groupby(tests, key=lambda row: row["slot"]):
        rows = list(slot)
        _failing(changes, rows)
        for row in rows:
            for said in limits.of(row):
                verdict = TestVerdict(row["started_at"], said.is_bad, said.figures)
                _count(changes, said.kind, verdict, limits.words(said.kind))
        changes.known.cursor = rows[-1]["started_at"]


def _failing(changes: Changes, rows: list[AlertRow]) -> None:
    """Judge whether the tests of a slot failed. While the line was down, that is no news."""
    known, last = changes.known, rows[-1]
    good = next((row for row in rows if row["status"] == "ok"), None)
    verdicts = known.verdicts.get("failing", [])
    if known.failed_slot is not None and last["slot"] == known.failed_slot:  # a retry that came after the last run
        if good is None:
            return
        if verdicts and verdicts[-1].is_bad:
            verdicts.pop()
    known.failed_slot = None if good else last["slot"]
    if good is None and last["line"] == "down":
        return
    row = good or last
    _count(changes, "failing", TestVerdict(row["started_at"], good is None, _outcome(row)), None)


def _outcome(row: AlertRow) -> str:
    if row["status"] == "ok":
        return f"{row['engine']}: {amounts.amount(row['download_mbps'])} Mbit/s down"
    return words.said(f"{row['engine']} ({row['error_kind']}): {row['error'] or 'no words'}")


def _count(changes: Changes, kind: str, verdict: TestVerdict, limit: str | None) -> None:
    """Count one more test; begin or end the condition if that makes it so."""
    some, of = changes.settings.alert_tests
    lasting = changes.known.lasting.get(kind)
    verdicts = changes.known.verdicts.setdefault(kind, [])
    verdicts.append(verdict)
    del verdicts[:-of]
    turned = [each for each in verdicts if each.is_bad != (lasting is not None)]
    if len(turned) < some:
        return
    at = turned[0].at
    facts = [("Limit", limit)] if limit else []
    facts += [(words.minute(each.at, changes.zone), each.figures) for each in turned]
    if lasting:
        length = amounts.duration((at - lasting.begun).total_seconds())
        changes.ended(kind, at, _words(changes, _GOOD[kind], [("Lasted", length), *facts], at))
    else:
        told = _words(changes, _BAD[kind], facts, at)
        changes.began(kind, Lasting(kind=kind, begun=at, words=told))
    verdicts.clear()


def _words(changes: Changes, what: str, facts: list[tuple[str, str]], at: datetime) -> Words:
    some, of = changes.settings.alert_tests
    subject = f"{changes.location}: {what} since {words.minute(at, changes.zone)}"
    return Words(subject, f"{subject}: {some} of the last {of} tests say so.", (*facts,))
