"""The way to the internet as recorded files of the kernel tell it, and the targets that are probed by it."""

import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from daemon import until

from speedtest.probing import routes, targets
from speedtest.probing.routes import Way, Ways
from speedtest.probing.targets import ALSO, Targets

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ANY_6 = "0" * 32
NET = "eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
LINK_LOCAL = "fe80000000000000021132fffe445566"


def ipv4(name: str, router: str = "0102A8C0", metric: int = 100, flags: str = "0003", mask: str = "00000000") -> str:
    return f"{name}\t00000000\t{router}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n"


def ipv6(name: str, router: str = LINK_LOCAL, metric: str = "00000400", flags: str = "00000003") -> str:
    return f"{ANY_6} 00 {ANY_6} 00 {router} {metric} 00000001 00000000 {flags} {name:>8}\n"


REJECTED_6 = f"{ANY_6} 00 {ANY_6} 00 {ANY_6} ffffffff 00000001 00000000 00200200       lo\n"
"""What every kernel with IPv6 has, also without a way to the internet."""


def machine(root: Path, *, route: str | None = HEAD, route_6: str | None = None, **carriers: str) -> Path:
    """Make the files of a machine."""
    files: Mapping[str, str | None] = {
        "proc/net/route": route,
        "proc/net/ipv6_route": route_6,
        **{f"sys/class/net/{name}/carrier": f"{carrier}\n" for name, carrier in carriers.items()},
    }
    for name, text in files.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return root


def test_the_default_route_of_each_family_is_found_with_its_router(tmp_path: Path) -> None:
    found = routes.ways(
        root=machine(tmp_path, route=HEAD + NET + ipv4("eth0"), route_6=ipv6("eth0") + REJECTED_6, eth0="1")
    )
    assert found == Ways(told=True, ipv4=Way("eth0", "192.168.2.1"), ipv6=Way("eth0", "fe80::211:32ff:fe44:5566%eth0"))
    assert found.router == "192.168.2.1"
    assert found.lost is None


def test_of_two_routes_the_one_with_the_lower_metric_leads(tmp_path: Path) -> None:
    both = HEAD + ipv4("wlan0", "0103A8C0", 600) + ipv4("eth0", metric=100)
    assert routes.ways(root=machine(tmp_path, route=both, eth0="1", wlan0="1")).ipv4 == Way("eth0", "192.168.2.1")


def test_a_route_without_a_carrier_leads_only_if_there_is_no_other(tmp_path: Path) -> None:
    both = HEAD + ipv4("wlan0", "0103A8C0", 600) + ipv4("eth0", metric=100)
    found = routes.ways(root=machine(tmp_path, route=both, eth0="0", wlan0="1"))
    assert found.ipv4 == Way("wlan0", "192.168.3.1")
    assert found.lost is None
    found = routes.ways(root=machine(tmp_path, route=both, wlan0="0"))
    assert found.ipv4 == Way("eth0", "192.168.2.1", carrier=False)
    assert found.lost == "eth0 had no carrier"


def test_an_interface_that_is_gone_or_switched_off_has_no_carrier(tmp_path: Path) -> None:
    root = machine(tmp_path, route=HEAD + ipv4("eth0") + ipv4("eth1", metric=200), lo="1")
    (root / "sys/class/net/eth1/carrier").mkdir(parents=True)  # reading it fails, as of one that is switched off
    found = routes.ways(root=root)
    assert found.ipv4 == Way("eth0", "192.168.2.1", carrier=False)


@pytest.mark.parametrize(
    "route",
    [
        HEAD,
        HEAD + NET,
        HEAD + ipv4("eth0", flags="0002"),
        HEAD + ipv4("eth0", flags="0203"),
        HEAD + ipv4("eth0", mask="00000080"),
        HEAD + "eth0\t00000000\n" + ipv4("eth0", router="nonsense") + ipv4("eth0", metric=1, router="01"),
    ],
    ids=["empty", "only the network", "not up", "rejected", "half of the internet", "nonsense"],
)
def test_what_is_no_default_route_leads_nowhere(tmp_path: Path, route: str) -> None:
    found = routes.ways(root=machine(tmp_path, route=route, route_6=REJECTED_6, eth0="1"))
    assert (found.ipv4, found.ipv6) == (None, None)
    assert found.lost == "there was no default route"


def test_a_route_straight_into_a_link_has_no_router(tmp_path: Path) -> None:
    found = routes.ways(
        root=machine(tmp_path, route=HEAD + ipv4("ppp0", router="00000000"), route_6=ipv6("wg0", router=ANY_6))
    )
    assert found == Ways(told=True, ipv4=Way("ppp0", None), ipv6=Way("wg0", None))
    assert found.router is None


def test_ipv6_of_the_kernel_itself_is_no_way_and_a_global_router_has_no_zone(tmp_path: Path) -> None:
    refused = ipv6("eth2", metric="00000001", flags="00000203")
    two = refused + ipv6("eth0", metric="00000401") + ipv6("eth1", router="20010db8" + "0" * 23 + "1")
    found = routes.ways(root=machine(tmp_path, route_6=REJECTED_6 + ipv6("lo", router=ANY_6) + two))
    assert found.ipv6 == Way("eth1", "2001:db8::1")
    assert found.router == "2001:db8::1"


def test_only_the_routes_of_a_chosen_interface_count(tmp_path: Path) -> None:
    root = machine(tmp_path, route=HEAD + ipv4("eth0") + ipv4("wwan0", "0104A8C0", 700), eth0="1", wwan0="1", tun0="1")
    assert routes.ways("wwan0", root).ipv4 == Way("wwan0", "192.168.4.1")
    in_another_table = routes.ways("tun0", root)
    assert in_another_table == Ways(told=True, ipv4=Way("tun0", None), ipv6=Way("tun0", None))
    assert routes.ways("none0", root).lost == "none0 had no carrier"


def test_a_system_without_these_files_tells_nothing_and_loses_nothing(tmp_path: Path) -> None:
    assert routes.ways(root=tmp_path) == Ways()
    assert routes.ways(root=tmp_path).lost is None
    assert routes.resolvers(tmp_path) == []
    assert not routes.in_container(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these files")
def test_the_files_of_this_machine_can_be_read() -> None:
    assert routes.ways().told
    assert isinstance(routes.resolvers(), list)


def test_the_first_three_resolvers_are_found_as_the_system_writes_their_addresses(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text(
        "# nameserver 192.0.2.9\nsearch lan\noptions edns0\nnameserver\nnameserver 192.0.2.1\n"
        "nameserver 2001:DB8:0:0::53\nnameserver fe80::1%1\nnameserver 192.0.2.4\n"
    )
    zone = socket.if_indextoname(1)
    assert routes.resolvers(tmp_path) == ["192.0.2.1", "2001:db8::53", f"fe80::1%{zone}"]


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_a_container_is_known_by_its_mark(tmp_path: Path, mark: str) -> None:
    (tmp_path / mark).parent.mkdir(exist_ok=True)
    (tmp_path / mark).touch()
    assert routes.in_container(tmp_path)


def test_a_well_known_target_has_its_twin_where_there_is_ipv6() -> None:
    chosen = Targets(["1.1.1.1", "192.0.2.7", "2001:db8::7"])
    assert chosen.addresses(0, [4]) == ["1.1.1.1", "192.0.2.7"]
    assert chosen.addresses(0, [4, 6]) == ["1.1.1.1", ALSO["1.1.1.1"], "192.0.2.7", "2001:db8::7"]
    assert chosen.addresses(0, [6]) == [ALSO["1.1.1.1"], "2001:db8::7"]
    assert chosen.addresses(0, []) == []


def test_a_name_is_resolved_beside_the_probes_and_its_addresses_stay_when_it_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = Targets(["192.0.2.7", "localhost"])
    assert chosen.addresses(0, [4])[0] == "192.0.2.7"
    until(lambda: chosen.addresses(1, [4]) == ["192.0.2.7", "127.0.0.1"], "address of localhost")
    asked: list[str] = []

    def refuse(name: str, *_: object, **__: object) -> list[object]:
        asked.append(name)
        raise socket.gaierror

    def at(seconds: float) -> list[str]:
        return chosen.addresses(seconds, [4])

    monkeypatch.setattr(targets.socket, "getaddrinfo", refuse)
    until(lambda: at(targets.RETRY_SECONDS) and asked, "further look-up")
    assert at(targets.RETRY_SECONDS) == ["192.0.2.7", "127.0.0.1"]
    until(lambda: at(targets.RESOLVE_SECONDS - 1) and not look_ups(), "end of that look-up")
    assert at(targets.RESOLVE_SECONDS - 1)
    until(lambda: not look_ups(), "end of a look-up that came too soon")
    assert asked == ["localhost"]
    until(lambda: at(targets.RETRY_SECONDS + targets.RESOLVE_SECONDS) and len(asked) == 2, "look-up after an hour")


def look_ups() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "resolve"]
