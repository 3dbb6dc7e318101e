"""Who answers of those that the watch asks: one target, one family, a resolver, or nobody by echo."""

import socket

import pytest
from daemon import until
from watching import FIRST, ROUTER, WAYS, Plan, Simulation, watched, without_kernel

from speedtest.data.watch_state import LineOutage
from speedtest.probing.routes import Way, Ways


@pytest.fixture(autouse=True)
def _without_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kernel(monkeypatch)


def found(simulation: Simulation) -> list[LineOutage]:
    return simulation.watch.take_ended()


def test_one_silent_target_is_no_outage_and_no_loss() -> None:
    simulation = watched([(0, 900, "9.9.9.9")], 600, WATCH_SECONDS="10")
    assert not found(simulation)
    assert [(news.event, "9.9.9.9" in news.words) for news in simulation.watch.take_news()] == [("target_silent", True)]
    seen = simulation.watch.since_last_slot()
    assert seen["probes_lost"] == 0
    assert 110 <= (seen["probes_sent"] or 0) <= 122
    assert simulation.watch.seen().silent_targets == ["9.9.9.9"]
    simulation.until(1000)
    assert [news.event for news in simulation.watch.take_news()] == ["target_back"]


def test_resolvers_that_do_not_resolve_are_an_outage_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kernel(monkeypatch, resolvers=[ROUTER])
    (outage,) = found(watched([(100, 400, f"dns {ROUTER}")], 600))
    assert outage.place == "dns"
    assert 100 <= outage.started_elapsed - FIRST <= 161
    assert 399 - 160 <= outage.seconds <= 302
    assert outage.words.endswith(f"answered, but no resolver did: {ROUTER}")
    assert outage.exact_seconds == 60


@pytest.mark.slow
@pytest.mark.parametrize(("interval", "exact"), [("1", 60), ("7", 60), ("10", 60), ("45", 60), ("90", 90)])
def test_the_start_of_an_outage_of_resolvers_is_as_exact_as_it_says(
    interval: str, exact: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_kernel(monkeypatch, resolvers=[ROUTER])
    late = 0.0
    for start in range(200, 320, 3):
        (outage,) = found(watched([(start, start + 600, f"dns {ROUTER}")], 1200, WATCH_SECONDS=interval))
        assert outage.exact_seconds == exact
        late = max(late, outage.started_elapsed - FIRST - start)
    assert exact / 2 < late <= exact


def test_one_resolver_of_two_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kernel(monkeypatch, resolvers=[ROUTER, "9.9.9.9"])
    assert not found(watched([(100, 400, f"dns {ROUTER}")], 600))


def test_ipv6_alone_is_probed_beside_and_told_when_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kernel(monkeypatch, Ways(told=True, ipv4=WAYS.ipv4, ipv6=Way("eth0", "fe80::1%eth0")))
    twins = ("2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe")
    simulation = watched([(60, 600, twin) for twin in twins], 500)
    assert not found(simulation)
    assert simulation.watch.seen().lost_families == ["ipv6"]
    assert [news.event for news in simulation.watch.take_news()] == ["family_lost"]
    assert simulation.watch.seen().silent_targets == []
    simulation.until(700)
    assert [news.event for news in simulation.watch.take_news()] == ["family_back"]


def test_ipv6_alone_keeps_the_line_up_and_the_router_does_not_speak_for_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    without_kernel(monkeypatch, Ways(told=True, ipv4=WAYS.ipv4, ipv6=Way("eth0", "fe80::1%eth0")))
    targets = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
    simulation = watched([(60, 500, target) for target in targets], 500)
    assert not found(simulation)
    assert [news.event for news in simulation.watch.take_news()] == ["family_lost"]
    assert simulation.watch.seen().lost_families == ["ipv4"]


@pytest.mark.parametrize("interval", ["1", "10"])
def test_a_network_that_lets_no_echo_through_is_no_outage_and_has_a_latency(interval: str) -> None:
    simulation = watched([(0, 4000, "echoes"), (2000, 2060, "line")], 1990, WATCH_SECONDS=interval)
    assert not found(simulation)
    assert simulation.watch.seen().methods == {"ipv4": "tcp"}
    seen = simulation.watch.since_last_slot()
    assert (seen["down_seconds"], seen["probes_lost"], seen["probe_latency_ms"]) == (0, 0, 20)
    simulation.until(4200)
    (outage,) = found(simulation)
    assert (outage.place, outage.started_elapsed - FIRST) == ("beyond-router", pytest.approx(2000, abs=float(interval)))
    assert outage.seconds == pytest.approx(60, abs=float(interval) + 1)
    assert simulation.watch.seen().methods == {"ipv4": "icmp"}
    assert not simulation.watch.take_news()[2:], "nothing but that the line was down and is up"


def test_a_silent_target_is_told_by_the_name_that_was_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    simulation = Simulation(
        Plan([(0, 1e9, "192.0.2.1")]), WATCH_SECONDS="10", WATCH_TARGETS="1.1.1.1,nosuch.example.net"
    )

    def sees_it() -> bool:
        simulation.watch.watch_once()
        return "192.0.2.1" in simulation.watch.seen().targets

    until(sees_it, "resolved name")
    simulation.until(600 + simulation.clock.at)
    (news,) = simulation.watch.take_news()
    assert news.words.startswith("the target nosuch.example.net (192.0.2.1) does not answer")
