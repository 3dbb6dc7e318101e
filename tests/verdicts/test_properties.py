"""What is true of every profile, tried with lines that hypothesis makes up."""

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from verdicts import at, bad, contract, every, figures, good, keep, verdict

from speedtest.data.table import SCHEMA
from speedtest.measurement import Measurement
from speedtest.verdicts import algebra, texts
from speedtest.verdicts.contract import Contract, Dates, Speeds, share
from speedtest.verdicts.judge import judge
from speedtest.verdicts.profiles import PROFILES
from speedtest.verdicts.rows import COLUMNS
from speedtest.verdicts.types import Verdict

SPEEDS = Speeds(maximum=100, normal=80, minimum=50, required=90, advertised=100)
TERMS = Contract(
    download=SPEEDS,
    upload=SPEEDS,
    monthly_fee=40,
    maximum_latency_ms=30,
    dates=Dates(complaint=date(2026, 1, 2), fault_reported=date(2026, 3, 3)),
)
RANKS = {"fail": 0, "insufficient": 1, "not_assessed": 2, "pass": 2}
ALL = [name for name in PROFILES if name not in ("us-bead", "ba-rak")]
"""Without two that count as another profile does."""
BY_SPEED = [name for name in ALL if PROFILES[name].samples and name != "at-rtr"]


def table_of(rows: Sequence[Measurement]) -> pa.Table:
    """Return rows as the lake does."""
    plain = [{name: value for name, value in _columns(row).items() if name in COLUMNS} for row in rows]
    return pa.Table.from_pylist(plain, schema=pa.schema([SCHEMA.field(name) for name in COLUMNS]))


def _columns(row: Measurement) -> dict[str, Any]:
    return msgspec.structs.asdict(row) | row.raw


def judged(rows: Sequence[Measurement], name: str) -> Verdict:
    return judge(table_of(rows), TERMS, PROFILES[name], location="line")


def line(seed: int, days: int = 16, zone: str = "Europe/Berlin") -> list[Measurement]:
    """Return a line with tests every 15 minutes over a change of the clocks, some failed, some low, some unfit."""
    chance = random.Random(seed)
    low = chance.choice([0.0, 0.03, 0.2, 0.6])
    lost = chance.choice([0.0, 0.0, 0.01])
    rows = []
    for row in every(at(date(2026, 3, 20), "00:00"), 15, [95.0] * 96 * days, timezone=zone):
        if chance.random() < lost:
            assert row.started_at
            rows.append(bad(row.started_at, timezone=zone))
            continue
        row.download_mbps = round(chance.uniform(30, 95) if chance.random() < low else chance.uniform(80, 110), 2)
        row.upload_mbps = round(chance.uniform(75, 110), 2)
        row.link = "wifi" if chance.random() < lost else "ethernet"
        rows.append(row)
    return rows


def core(found: Verdict) -> object:
    """Return what a verdict says, without what lies outside the sample."""
    rules = [(rule.id, rule.direction, rule.verdict, rule.have, rule.need, rule.deciding_rows) for rule in found.rules]
    return found.overall, rules, found.campaign and (found.campaign.days, found.campaign.rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_SPEED)
@given(seed=st.integers(0, 10**6), more=st.sampled_from([0.01, 1.0, 50.0]), share_=st.sampled_from([0.01, 0.5, 1.0]))
@settings(max_examples=5, deadline=None)
def test_a_higher_speed_never_makes_a_rule_worse(name: str, seed: int, more: float, share_: float) -> None:
    rows = line(seed)
    chance = random.Random(seed)
    raised = [
        msgspec.structs.replace(row, download_mbps=row.download_mbps + more)
        if row.download_mbps and chance.random() < share_
        else row
        for row in rows
    ]
    before, after = judged(rows, name), judged(raised, name)
    for old, new in zip(before.rules, after.rules, strict=True):
        assert RANKS[new.verdict] >= RANKS[old.verdict], old.id
    assert before.campaign
    assert after.campaign
    assert [row.utc for row in after.campaign.rows] == [row.utc for row in before.campaign.rows]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=3, deadline=None)
def test_rows_outside_the_sample_change_nothing(name: str, seed: int) -> None:
    rows = line(seed)
    last = max(row.timestamp for row in rows)
    around: list[Measurement] = [
        *every(at(date(2025, 11, 1), "00:00"), 15, [1.0] * 96 * 2),  # older
        good(last - timedelta(days=1), slot=None, attempt=None, download_mbps=1.0, upload_mbps=1.0),  # by hand
        good(last - timedelta(days=2), engine="librespeed", download_mbps=1.0, upload_mbps=1.0),
        *(
            msgspec.structs.replace(row, attempt=2, download_mbps=1.0, upload_mbps=1.0)
            for row in rows
            if row.status == "ok"
        ),
        Measurement(timestamp=last - timedelta(hours=1), started_at=last, status="outage", speedtest_address="line"),
    ]
    if PROFILES[name].samples:
        assert core(judged(rows + around, name)) == core(judged(rows, name))
    else:
        older = around[: 96 * 2]
        assert core(judged(rows + older, name)) == core(judged(rows, name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=3, deadline=None)
def test_neither_the_order_of_rows_nor_this_machine_s_zone_matters(name: str, seed: int) -> None:
    rows = line(seed, 12)
    shuffled = random.Random(seed).sample(rows, len(rows))
    before = msgspec.json.encode(judged(rows, name))
    for zone in ("Pacific/Kiritimati", "America/Adak"):
        with machine_zone(zone):
            assert msgspec.json.encode(judged(shuffled, name)) == before


@contextmanager
def machine_zone(zone: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = zone
        time.tzset()
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def test_neither_the_order_of_files_nor_tz_matters_to_the_command(tmp_path: Path) -> None:
    terms = figures(maximum=100, normal=80, minimum=50)
    rows = line(7, 8)
    found = []
    for number, (order, zone) in enumerate([(rows, "UTC"), (rows[::-1], "Pacific/Kiritimati")]):
        folder = tmp_path / str(number)
        contract(folder, terms)
        for part in (order[::2], order[1::2]):
            keep(part, folder)
        found.append(verdict(folder, "de-bnetza", TZ=zone))
        del found[-1]["files"], found[-1]["contract"]
    assert found[0] == found[1]


@given(
    value=st.decimals(0, 1000, places=6).map(float),
    limit=st.decimals("0.1", 1000, places=3).map(float),
)
def test_a_figure_is_never_shown_on_the_other_side_of_its_limit(value: float, limit: float) -> None:
    shown = float(texts.speed(value, limit))
    assert (shown > limit, shown < limit) == (value > limit, value < limit)
    assert abs(shown - value) <= 0.005


@given(st.decimals("0.01", 100_000, places=2))
def test_ninety_percent_is_exact(maximum: Decimal) -> None:
    reached = float(maximum * 9 / 10)
    assert reached >= share("0.9", float(maximum))


@given(st.lists(st.sampled_from(["pass", "fail", "insufficient", "not_assessed"])))
def test_the_overall_verdict(values: list[Any]) -> None:
    found = algebra.overall(values)
    assert (found == "fail") == ("fail" in values)
    assert (found == "pass") == ("pass" in values and not {"fail", "insufficient"} & {*values})
    assert (found == "not_assessed") == ({*values} <= {"not_assessed"})
    assert algebra.overall(reversed(values)) == found


def test_every_sentence_of_a_profile_is_there() -> None:
    for profile in PROFILES.values():
        for name in ("title", "binds", *profile.steps):
            assert profile.phrases.say(name).id.startswith(profile.name)
