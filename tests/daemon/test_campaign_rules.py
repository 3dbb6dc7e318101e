"""Which tests of a campaign count, and what is planned for any order of good, bad and missed tests."""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from speedtest.campaigns import local, plans
from speedtest.campaigns.fit import unfit
from speedtest.campaigns.order import Order, OutcomeKind, Planned, PlannedOutcome
from speedtest.campaigns.samples import SAMPLES
from speedtest.measurement import Measurement

GOOD = Measurement(
    timestamp=datetime(2026, 3, 2, tzinfo=UTC),
    status="ok",
    download_mbps=10.0,
    data_bytes=100_000_000,
    link="ethernet",
    link_mbps=1000.0,
    other_bytes=9_999_999,
    cpu_percent=85.0,
    raw={"isp": "Example Net AG"},
)


def ordered(link_mbps: float) -> Order:
    """Return an order for a line of this speed whose provider is Example Net."""
    return Order(
        id="one",
        profile="de-bnetza",
        location="line",
        timezone="Europe/Berlin",
        start=date(2026, 3, 2),
        made=GOOD.timestamp,
        link_mbps=link_mbps,
        expected_isps=("example net",),
    )


@pytest.fixture(autouse=True, scope="module")
def berlin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def changed(**columns: object) -> Measurement:
    row = Measurement(timestamp=GOOD.timestamp, status="ok")
    for name in Measurement.__struct_fields__:
        setattr(row, name, columns.get(name, getattr(GOOD, name)))
    return row


def test_a_slow_test_by_cable_on_a_quiet_line_counts() -> None:
    assert unfit(GOOD, ordered(1000.0)) is None
    assert (
        unfit(Measurement(timestamp=GOOD.timestamp, status="ok"), ordered(1000.0)) is None
    )  # what is unknown refuses nothing


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"link": "wifi"}, "Wi-Fi"),
        ({"link": "cellular"}, "cellular"),
        ({"link": "tunnel"}, "tunnel"),
        ({"raw": {"interface_isVpn": "true"}}, "VPN"),
        ({"link_mbps": 100.0}, "100 Mbit/s"),
        ({"other_bytes": 10_000_000}, "10%"),
        ({"cpu_percent": 85.1}, "busy"),
        ({"raw": {"isp": "Mobile Ltd"}}, "through Mobile Ltd"),
        ({"raw": {"client_isp": "Mobile Ltd"}}, "through Mobile Ltd"),
    ],
)
def test_a_test_that_something_else_may_have_made_slow_does_not_count(columns: dict[str, object], words: str) -> None:
    assert words in (unfit(changed(**columns), ordered(250.0)) or "")


def outcome(test: Planned, result: OutcomeKind) -> PlannedOutcome:
    return PlannedOutcome(due=test.due, block=test.block, result=result, ended=test.due + timedelta(seconds=40))


BAD: tuple[OutcomeKind, ...] = ("failed", "refused", "missed", "skipped")
BEFORE_SUMMER, BEFORE_WINTER = date(2026, 3, 27), date(2026, 10, 23)


@settings(max_examples=40, deadline=None)
@given(
    profile=st.sampled_from(sorted(SAMPLES)),
    start=st.sampled_from([BEFORE_SUMMER, BEFORE_WINTER]),
    bad=st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["failed", "refused", "missed", "skipped"])), max_size=6
    ),
)
def test_whatever_goes_wrong_the_sample_comes_about_by_the_rule(
    profile: str, start: date, bad: list[tuple[int, OutcomeKind]]
) -> None:
    wrong = dict(bad)
    outcomes: list[PlannedOutcome] = []
    now = local.instant(start, "00:00") - timedelta(hours=1)
    for number in itertools.count():
        plan = plans.of(profile, start, outcomes, now)
        if plan.complete:
            break
        test = plan.tests[0]
        assert test.due > now
        assert [later for later in plan.tests if later.due <= test.due] == [test]
        outcomes.append(outcome(test, wrong.get(number, "counted")))
        now = outcomes[-1].ended
        assert number < 400
    good = [each.due for each in outcomes if each.result == "counted"]
    assert len(good) >= SAMPLES[profile].enough
    assert all(later - earlier >= timedelta(minutes=5) for earlier, later in itertools.pairwise(good))
    if not bad:
        assert len(outcomes) == len(good)


def test_without_trouble_the_plan_is_the_sample() -> None:
    now = local.instant(BEFORE_SUMMER, "00:00")
    shown = {
        profile: {f"{local.day_of(test.due):%d}" for test in plans.of(profile, BEFORE_SUMMER, (), now).tests}
        for profile in SAMPLES
    }
    assert shown["de-bnetza"] == {"27", "29", "31"}
    assert shown["hr-hakom"] == {"27", "28", "30"}  # from Saturday to Sunday there are only 23 hours
    assert shown["cz-ctu"] == {"27"}
    assert len(shown["us-caf"]) == 7
