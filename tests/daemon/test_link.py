"""What the kernel says of the interface that a test uses, from folders in the shape of real machines."""

import socket
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from speedtest import environment
from speedtest.daemon import link
from speedtest.engines import ENGINES

WIRELESS = """Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0
 wlan1: 0000   54.    0.  -256        0      0      0      0      0        0
"""
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
NEIGHBOURS = """IP address       HW type     Flags       HW address            Mask     Device
192.168.2.1      0x1         0x2         aa:bb:cc:00:00:01     *        eth0
192.168.2.7      0x1         0x2         aa:bb:cc:00:00:07     *        eth0
192.168.2.8      0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.2.9      0x1         0x2         aa:bb:cc:00:00:09     *        wlan0
"""


def interface(root: Path, name: str, *, hardware: bool = False, **files: str) -> Path:
    folder = root / "sys/class/net" / name
    folder.mkdir(parents=True)
    for file, text in ({"type": "1"} | files).items():
        (folder / file).write_text(f"{text}\n")
    if hardware:
        (folder / "device").mkdir()
    return folder


def above(folder: Path, *lower: Path) -> None:
    for each in lower:
        (folder / f"lower_{each.name}").symlink_to(each)


def table(root: Path, name: str, text: str) -> None:
    (root / "proc/net").mkdir(parents=True, exist_ok=True)
    (root / "proc/net" / name).write_text(text)


def test_a_cable_has_its_rate_and_its_neighbours_without_the_router(tmp_path: Path) -> None:
    interface(tmp_path, "eth0", hardware=True, speed="1000", duplex="full")
    table(tmp_path, "route", ROUTES)
    table(tmp_path, "arp", NEIGHBOURS)
    assert link.facts("eth0", tmp_path) == link.LinkFacts(
        interface="eth0", link="ethernet", link_mbps=1000.0, link_duplex="full", lan_hosts=1
    )


def test_wifi_has_its_signal_and_no_rate_that_nobody_negotiated(tmp_path: Path) -> None:
    for name in ("wlan0", "wlan1"):
        interface(tmp_path, name, hardware=True, speed="-1", duplex="unknown", uevent="DEVTYPE=wlan\nINTERFACE=x")
    table(tmp_path, "wireless", WIRELESS)
    found = link.facts("wlan0", tmp_path)
    assert (found.link, found.link_mbps, found.link_duplex, found.signal_dbm) == ("wifi", None, None, -56.0)
    assert link.facts("wlan1", tmp_path).signal_dbm is None, "this driver does not measure it"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"uevent": "DEVTYPE=wwan"}, "cellular"),
        ({"uevent": "DEVTYPE=wireguard", "type": "65534"}, "tunnel"),
        ({"type": "65534", "tun_flags": "0x1001"}, "tunnel"),
        ({"tun_flags": "0x1002"}, "tunnel"),
        ({"type": "65534"}, "tunnel"),
        ({}, "virtual"),
        ({"type": "772"}, None),
        ({"type": "512"}, None),
        ({"type": "nonsense"}, None),
    ],
)
def test_an_interface_without_hardware_is_told_by_its_kind(
    tmp_path: Path, files: dict[str, str], expected: str | None
) -> None:
    interface(tmp_path, "x0", hardware=False, **files)
    table(tmp_path, "arp", NEIGHBOURS.replace("eth0", "x0"))
    found = link.facts("x0", tmp_path)
    assert (found.interface, found.link, found.lan_hosts) == ("x0", expected, None)


def test_a_bridge_or_a_vlan_over_one_cable_is_that_cable(tmp_path: Path) -> None:
    cable = interface(tmp_path, "eth0", hardware=True, speed="2500", duplex="full")
    container = interface(tmp_path, "veth1")
    bridge = interface(tmp_path, "br0", speed="10000")
    above(bridge, cable, container)
    above(interface(tmp_path, "br0.7"), bridge)
    assert (found := link.facts("br0.7", tmp_path)).link == "ethernet"
    assert (found.interface, found.link_mbps) == ("br0.7", 2500.0)


def test_a_bond_of_two_cables_has_its_own_rate(tmp_path: Path) -> None:
    bond = interface(tmp_path, "bond0", speed="2000", duplex="full")
    above(bond, *(interface(tmp_path, name, hardware=True, speed="1000") for name in ("eth0", "eth1")))
    assert link.facts("bond0", tmp_path).link_mbps == 2000.0


def test_an_interface_that_is_gone_and_one_that_nobody_knows_have_no_facts(tmp_path: Path) -> None:
    assert link.facts("eth7", tmp_path) == link.LinkFacts(interface="eth7")
    assert link.facts(None, tmp_path) == link.LinkFacts()


@given(text=st.text(max_size=300))
def test_nothing_that_a_kernel_could_say_stops_a_test(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("root")
    printed = text.encode("utf-8", "replace").decode()
    interface(root, "eth0", hardware=True, speed=printed, duplex=printed, uevent=printed)
    for name in ("route", "arp", "wireless"):
        table(root, name, printed)
    found = link.facts("eth0", root)
    assert found.link_mbps is None or found.link_mbps > 0


def test_the_interface_of_this_machine_is_found_by_its_name_and_by_its_address() -> None:
    def found(**variables: str) -> str | None:
        return link.interface(environment.read(variables, ENGINES))

    name = "lo"
    assert name in [each for _, each in socket.if_nameindex()]
    assert found(SPEEDTEST_INTERFACE=name) == name
    assert found(SPEEDTEST_INTERFACE="127.0.0.1") == name
    addresses = Path("/proc/net/if_inet6")
    if addresses.exists() and "0" * 31 + "1" in addresses.read_text(encoding="ascii"):
        assert found(SPEEDTEST_INTERFACE="::1") == name
    assert found(SPEEDTEST_INTERFACE="192.0.2.77") is None
