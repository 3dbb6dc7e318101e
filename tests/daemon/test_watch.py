"""The watch over a simulated line: what it finds, what it does not invent, and what it tells of it."""

import random

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from watching import DAY, FIRST, ROUTER, Plan, Simulation, compared, seeded, watched, without_kernel

from speedtest.daemon.judge import SETTLE_SECONDS
from speedtest.daemon.line import LOST_ROUNDS
from speedtest.daemon.watch import LineBefore
from speedtest.data.watch_state import LineOutage
from speedtest.probing.routes import Way, Ways


@pytest.fixture(autouse=True)
def _without_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kernel(monkeypatch)


def found(simulation: Simulation) -> list[LineOutage]:
    return simulation.watch.take_ended()


def test_an_outage_of_four_seconds_is_found_with_its_start_and_its_end() -> None:
    (outage,) = found(watched([(60.5, 64.6, "line")], 120))
    assert 60.5 <= outage.started_elapsed - FIRST <= 61.5
    assert 64.6 - 60.5 - 1 <= outage.seconds <= 64.6 - 60.5 + 1
    assert outage.place == "beyond-router"
    assert f"the router {ROUTER} answered" in outage.words


def test_two_lost_rounds_are_no_outage_but_lost_probes() -> None:
    simulation = watched([(60.5, 62.4, "all")], 120)
    assert not found(simulation)
    seen = simulation.watch.since_last_slot()
    assert seen["down_seconds"] == 0
    assert (seen["probes_lost"] or 0) >= 3 * (LOST_ROUNDS - 1)


def test_a_silent_router_that_used_to_answer_is_told_from_one_that_never_does() -> None:
    (outage,) = found(watched([(60.5, 70, "all")], 120))
    assert outage.place == "router"
    (outage,) = found(watched([(60.5, 70, "all"), (0, 120, ROUTER)], 120))
    assert outage.place == "unknown-place"
    assert f"the router {ROUTER} never answers" in outage.words


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        (Ways(told=True), "there was no default route"),
        (Ways(told=True, ipv4=Way("eth0", ROUTER, carrier=False)), "eth0 had no carrier"),
    ],
)
def test_a_link_that_is_gone_is_told(ways: Ways, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = watched([(60, 80, "all")], 60)
    without_kernel(monkeypatch, ways)
    simulation.until(75)
    without_kernel(monkeypatch)
    simulation.until(100)
    (outage,) = found(simulation)
    assert outage.place == "link"
    assert outage.words.endswith(words)


def test_the_place_is_the_one_that_most_rounds_saw() -> None:
    (outage,) = found(watched([(60, 160, "line"), (130, 140, "all")], 200))
    assert outage.place == "beyond-router"
    (outage,) = found(watched([(60, 160, "line"), (62, 150, "all")], 200))
    assert outage.place == "router"


@pytest.mark.parametrize("seed", range(2))
def test_thirty_percent_of_loss_in_each_direction_is_no_outage_and_is_told(seed: int) -> None:
    simulation = Simulation(Plan(loss=0.51, numbers=random.Random(seed)), WATCH_SECONDS="10")
    simulation.until(86_400)
    assert not found(simulation)
    seen = simulation.watch.since_last_slot()
    assert seen["probes_sent"]
    assert 0.45 < (seen["probes_lost"] or 0) / seen["probes_sent"] < 0.57


def test_slow_answers_are_no_outage_and_no_loss() -> None:
    simulation = Simulation(Plan(latency=2.5), WATCH_SECONDS="10")
    simulation.until(3600)
    assert not found(simulation)
    seen = simulation.watch.since_last_slot()
    assert seen["probes_lost"] == 0
    assert seen["probe_latency_ms"] == 2500


def test_a_time_of_suspension_is_not_watched_and_no_outage() -> None:
    simulation = watched([], 60)
    simulation.skip(3600)
    simulation.until(3720)
    assert not found(simulation)
    assert 115 <= (simulation.watch.since_last_slot()["watched_seconds"] or 0) <= 125
    assert [news.event for news in simulation.watch.take_news()] == ["line_unwatched"]


def test_a_network_that_needs_seconds_after_a_suspension_is_no_outage() -> None:
    simulation = watched([(60, 3680, "all")], 60)
    simulation.skip(3600)
    simulation.until(3750)
    assert not found(simulation)


def test_an_outage_into_a_suspension_ends_when_it_was_last_seen() -> None:
    simulation = watched([(60, 8000, "line")], 100)
    simulation.skip(3600)
    simulation.until(3760)
    first, *_ = found(simulation)
    assert 38 <= first.seconds <= 42
    assert "the watch was interrupted" in first.words
    assert simulation.watch.seen().state == "down"
    (still,) = simulation.watch.seen().open
    assert still.started_elapsed - FIRST >= 3700 + SETTLE_SECONDS


def test_silence_under_a_test_that_succeeds_is_no_outage() -> None:
    simulation = watched([(60, 80, "line")], 60)
    began = simulation.watch.test_began()
    simulation.until(78)
    assert simulation.watch.test_ended(began, failed=False) == "up"
    simulation.until(79.5)
    assert not found(simulation)


@pytest.mark.parametrize(("silent", "number"), [(8.0, 0), (15.0, 1)])
def test_silence_under_a_test_that_fails_is_an_outage_from_ten_seconds_on(silent: float, number: int) -> None:
    simulation = watched([(60, 60 + silent, "line")], 59)
    began = simulation.watch.test_began()
    simulation.until(60 + silent + 3)
    simulation.watch.test_ended(began, failed=True)
    outages = found(simulation)
    assert len(outages) == number
    assert all(silent - 1 <= outage.seconds <= silent + 1 for outage in outages)


def test_a_test_that_begins_while_the_line_is_down_says_so() -> None:
    simulation = watched([(60, 90, "line")], 70)
    began = simulation.watch.test_began()
    simulation.until(80)
    assert simulation.watch.test_ended(began, failed=True) == "down"


def test_probes_under_a_test_are_not_counted() -> None:
    simulation = watched([], 60)
    simulation.watch.since_last_slot()
    began = simulation.watch.test_began()
    simulation.until(90)
    simulation.watch.test_ended(began, failed=False)
    assert simulation.watch.since_last_slot()["probes_sent"] == 0


def test_answers_after_the_first_one_that_ends_an_outage_are_not_counted() -> None:
    """The round ends with the first answer, and is not counted; what comes later in it must not be either."""
    lost = [(10.5 + 10 * number, 11.4 + 10 * number, "8.8.8.8") for number in range(10)]
    before = watched(lost, 120).watch.since_last_slot()["probes_lost"]
    assert (before or 0) >= 8
    after = watched([*lost, *((130 + at, 140 + at, "line") for at in range(0, 100, 20))], 300)
    assert len(found(after)) == 5
    assert after.watch.since_last_slot()["probes_lost"] == before


def test_the_row_of_a_slot_tells_what_was_seen_since_the_slot_before() -> None:
    simulation = watched([(100, 160, "line")], 600, WATCH_SECONDS="10")
    seen = simulation.watch.since_last_slot()
    assert 588 <= (seen["watched_seconds"] or 0) <= 605
    assert 50 <= (seen["down_seconds"] or 0) <= 61
    assert seen["probe_latency_ms"] == seen["probe_latency_p95_ms"] == 20
    assert seen["router_latency_ms"] == 20
    again = simulation.watch.since_last_slot()
    assert (again["watched_seconds"], again["probes_sent"], again["probe_latency_ms"]) == (0, 0, None)


@pytest.mark.slow
@pytest.mark.parametrize("interval", [1, 10])
def test_a_day_with_30_outages_is_found_as_it_was(interval: int) -> None:
    spans = seeded(interval, number=30, seconds=DAY)
    simulation = watched(spans, DAY, WATCH_SECONDS=str(interval))
    told = compared(simulation, spans, interval)
    assert (told.certain_found, told.invented) == (told.certain, 0)
    assert told.places == {("all", "router"), ("line", "beyond-router")}
    assert all(0 <= start <= interval for start in told.starts)
    assert all(-1 <= end <= 1.1 for end in told.ends)
    assert told.seconds == pytest.approx(told.real_seconds, rel=0.01)
    real_seconds = told.real_seconds
    assert simulation.watch.since_last_slot()["down_seconds"] == pytest.approx(real_seconds, rel=0.01)


@pytest.mark.slow
@hypothesis_settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(3, 300), st.floats(0.1, 90)), max_size=8),
    st.sampled_from(["line", "all"]),
    st.sampled_from([1, 5, 10]),
)
def test_no_outage_is_invented_and_none_overlaps_another(
    parts: list[tuple[float, float]], what: str, interval: int
) -> None:
    at, spans = 5.0, list[tuple[float, float, str]]()
    for gap, length in parts:
        spans.append((at + gap, at + gap + length, what))
        at += gap + length
    simulation = watched(spans, at + 60, WATCH_SECONDS=str(interval))
    outages = found(simulation)
    ends = [0.0]
    for outage in outages:
        start, end = outage.started_elapsed - FIRST, outage.started_elapsed - FIRST + outage.seconds
        assert start >= ends[-1]
        assert any(real[0] <= start < real[1] for real in spans)
        ends.append(end)
    seen = simulation.watch.since_last_slot()
    assert seen["watched_seconds"] == pytest.approx(simulation.clock.at - FIRST, abs=interval + 1.1)
    assert seen["down_seconds"] == pytest.approx(sum(outage.seconds for outage in outages), abs=0.01)


def test_a_test_that_fails_at_once_inside_an_outage_says_that_the_line_was_down() -> None:
    simulation = watched([(60, 90, "line")], 75.5)
    began = simulation.watch.test_began()
    assert simulation.watch.test_ended(began, failed=True) == "down"


def test_a_test_in_a_silence_that_is_no_outage_yet_says_nothing_of_the_line() -> None:
    simulation = watched([(60, 90, "line")], 61.5)
    began = simulation.watch.test_began()
    assert simulation.watch.test_ended(began, failed=True) is None


def test_what_was_seen_since_the_slot_before_outlives_a_restart() -> None:
    before = watched([(100, 160, "line")], 300)
    after = Simulation(Plan(), WATCH_SECONDS="1")
    left = before.watch.seen()
    after.watch.carry(left.slot_watched_seconds, left.slot_down_seconds)
    after.until(60)
    seen = after.watch.since_last_slot()
    assert (seen["watched_seconds"] or 0) == pytest.approx(360, abs=3)
    assert (seen["down_seconds"] or 0) == pytest.approx(60, abs=2)
    assert (after.watch.since_last_slot()["down_seconds"] or 0) == 0


def test_while_the_line_is_down_no_latency_of_before_is_told() -> None:
    seen = watched([(60, 200, "line")], 150).watch.seen()
    assert (seen.state, seen.latency_ms, seen.loss_ratio, seen.outages) == ("down", None, None, 1)
    assert seen.down_seconds == pytest.approx(90, abs=2)


def test_an_error_of_ours_during_a_test_does_not_leave_the_watch_in_doubt() -> None:
    simulation = watched([(60, 75, "line")], 50)
    with pytest.raises(ZeroDivisionError), LineBefore(simulation.watch):
        _ = 1 / 0
    simulation.until(100)
    assert len(found(simulation)) == 1
