"""Asking the router: what FRITZ!Boxes and OpenWrt tell, and what hostile routers get out of it.

Each test has an address of 127.0.0.0/8 of its own, so that routers can have their usual ports.
"""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from daemon import PATIENCE
from hypothesis import assume, given, settings, strategies as st
from paths import PROJECT
from standins.router import (
    FRITZBOX_PORT,
    IGD,
    OPENWRT_PORT,
    Asked,
    Line,
    described,
    fritzbox,
    on_loopback,
    openwrt,
    service,
    soap,
    tr064_only,
)

from speedtest.daemon import household
from speedtest.daemon.household import AfterOutage
from speedtest.daemon.router import RouterAnswer
from speedtest.router import discovery, program, xml
from speedtest.router.web import Host, UnusableAnswer, WebPlace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
_numbers = itertools.count(1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def address() -> str:
    """Return an address that no other test uses, in whatever process it runs."""
    return f"127.{20 + os.getpid() % 200}.{os.getpid() // 200 % 250}.{next(_numbers)}"


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the program in this process and returns what it printed."""
    monkeypatch.setenv("ROUTER_KEY", "a key")
    monkeypatch.setattr(discovery, "ONE_SECONDS", 0.3)
    monkeypatch.setattr(discovery, "ALL_SECONDS", 0.1)
    monkeypatch.setattr(discovery, "GRACE_SECONDS", 0.02)

    def run(*arguments: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as ended:
            program.main(arguments)
        printed = json.loads(capsys.readouterr().out)
        assert ended.value.code == (0 if "known" in printed else 1)
        return printed

    return run


def test_a_fritzbox_tells_all_without_a_password(address: str) -> None:
    with on_loopback(address, FRITZBOX_PORT, location=f"http://{address}:49000/igddesc.xml") as router:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "speedtest.router", address],
            env={"PYTHONPATH": str(PROJECT), "ROUTER_KEY": "a key"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    told = json.loads(ended.stdout)
    assert told["name"] == "FRITZ!Box 7590"
    assert (told["link_down_mbps"], told["link_up_mbps"], told["link_status"]) == (41.957, 10.192, "Up")
    assert (told["bytes_down"], told["bytes_up"], told["counter_bits"]) == (7_000_000_000, 900_000_000, 64)
    assert told["wan_status"] == "Connected"
    assert 1000 <= told["wan_uptime_seconds"] <= 1000 + PATIENCE
    assert "problems" not in told
    assert "198.51.100" not in ended.stdout
    assert not any("authorization" in each.head.lower() for each in router.asked)


def test_openwrt_tells_counters_of_32_bits_and_the_connection_that_is_in_use(
    address: str, ask: Callable[..., dict[str, Any]]
) -> None:
    with on_loopback(address, OPENWRT_PORT, openwrt, location=f"http://{address}:5000/rootDesc.xml"):
        told = ask(address)
    assert told["name"] == "OpenWrt router"
    assert (told["bytes_down"], told["bytes_up"]) == (7_000_000_000 % 2**32, 900_000_000)
    assert (told["counter_bits"], told["wan_status"]) == (32, "Connected")


def test_a_router_that_wants_a_password_is_left_alone_and_says_so(
    address: str, ask: Callable[..., dict[str, Any]]
) -> None:
    with on_loopback(address, FRITZBOX_PORT, tr064_only, location=f"http://{address}:49000/igddesc.xml") as router:
        told = ask(address)
    assert any("password" in why for why in told["problems"])
    assert not any("authorization" in each.head.lower() for each in router.asked)


def test_a_router_without_ssdp_is_found_at_its_usual_place_and_later_asked_at_once(
    address: str, ask: Callable[..., dict[str, Any]]
) -> None:
    with on_loopback(address, OPENWRT_PORT, openwrt) as router:
        first = ask(address)
        before = len(router.asked)
        again = ask(address, "--known", json.dumps(first["known"]))
    later = router.asked[before:]
    assert again["link_down_mbps"] == first["link_down_mbps"]
    assert again["address"] == first["address"]
    assert {each.method for each in later} == {"POST"}
    assert "GetAddonInfos" not in [each.action for each in later]  # it did not know that question the first time


# ----------------------------------------------------------------------------------------------- hostile routers

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><r><modelName>&j;</modelName></r>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><modelName>&x;</modelName></r>'


def body(text: str) -> Callable[[socket.socket, Asked], None]:
    payload = text.encode("utf-8", "surrogatepass")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload)
    return lambda wire, _: wire.sendall(head + payload)


def drip(wire: socket.socket, _asked: Asked) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        wire.sendall(b"X")
        time.sleep(0.02)


def endless(wire: socket.socket, _: Asked) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n<root>")
    while True:
        wire.sendall(b"<a></a>" * 10_000)


def elsewhere(wire: socket.socket, asked: Asked) -> None:
    wire.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.99:49000/x\r\nContent-Length: 0\r\n\r\n")
    del asked


HOSTILE: dict[str, Callable[[socket.socket, Asked], None]] = {
    "nonsense": body("}{ this is no XML <<<"),
    "nothing": body(""),
    "a page": body("<html><body><p>Welcome<br></body></html>"),
    "an entity bomb": body(BOMB),
    "an entity from a file": body(OUTSIDE),
    "too deep": body("<a>" * 100_000),
    "too many elements": body("<r>" + "<a/>" * 50_000 + "</r>"),
    "an unknown encoding": body('<?xml version="1.0" encoding="klingon"?><r/>'),
    "no services": body("<root><device/></root>"),
    "services of another kind": body(described("x", service("urn:evil:service:WANIPConnection:1", "/a"))),
    "a service of another host": body(
        described("x", service(f"{IGD}:service:WANIPConnection:1", "http://127.0.0.99:49000/a"))
    ),
    "a service with a user": body(
        described("x", service(f"{IGD}:service:WANIPConnection:1", "http://127.0.0.1@127.0.0.99/a"))
    ),
    "a base at another host": body(
        described("x", service(f"{IGD}:service:WANIPConnection:1", "/a")).replace(
            "<device>", "<URLBase>http://127.0.0.99:49000/</URLBase><device>", 1
        )
    ),
    "a service by another scheme": body(
        described("x", service(f"{IGD}:service:WANIPConnection:1", "file:///etc/passwd"))
    ),
    "a line break in a URL": body(described("x", service(f"{IGD}:service:WANIPConnection:1", "/a\r\nX: y"))),
    "a redirection": elsewhere,
    "no HTTP": lambda wire, _: wire.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "a false chunk": lambda wire, _: wire.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"
    ),
    "a byte now and then": drip,
    "an answer without end": endless,
    "no answer": lambda _wire, _: time.sleep(2),
    "a closed connection": lambda _wire, _: None,
}


@pytest.mark.parametrize("behaviour", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_router_gets_nothing_but_a_reason(
    behaviour: Callable[[socket.socket, Asked], None], address: str, ask: Callable[..., dict[str, Any]]
) -> None:
    began = time.monotonic()
    with on_loopback(address, FRITZBOX_PORT, location=f"http://{address}:49000/igddesc.xml", raw=behaviour) as router:
        told = ask(address, "--seconds", "0.5")
    assert told["problems"]
    assert set(told) == {"problems"}
    assert router.asked
    assert time.monotonic() - began < PATIENCE / 2


def test_no_request_ever_goes_to_another_host_that_the_router_names(
    address: str, ask: Callable[..., dict[str, Any]]
) -> None:
    other = f"{address.rpartition('.')[0]}.250"
    with on_loopback(other, FRITZBOX_PORT) as innocent:
        elsewhere_told = f"http://{other}:49000/igddesc.xml"
        with on_loopback(address, FRITZBOX_PORT, lambda _line, _asked: (404, ""), location=elsewhere_told):
            told = ask(address, "--seconds", "1")
        pointing = described("x", service(f"{IGD}:service:WANIPConnection:1", f"http://{other}:49000/a"))
        with on_loopback(address, OPENWRT_PORT, lambda _line, _asked: (200, pointing)):
            ask(address, "--seconds", "3")
    assert innocent.asked == []
    assert any("another host" in why for why in told["problems"])


@pytest.mark.parametrize(
    "values",
    [
        {"Layer1DownstreamMaxBitRate": "-5", "Layer1UpstreamMaxBitRate": "9" * 40},
        {"Layer1DownstreamMaxBitRate": "0", "Layer1UpstreamMaxBitRate": str(2**32 - 1)},
        {"Layer1DownstreamMaxBitRate": "\u0663\u0664", "Layer1UpstreamMaxBitRate": "1e9"},
    ],
)
def test_a_rate_that_cannot_be_true_is_not_told(
    values: dict[str, str], address: str, ask: Callable[..., dict[str, Any]]
) -> None:
    def lying(line: Any, asked: Asked) -> tuple[int, str]:  # noqa: ANN401 (the stand-in's)
        is_about_the_link = asked.action == "GetCommonLinkProperties"
        return (200, soap("GetCommonLinkProperties", **values)) if is_about_the_link else fritzbox(line, asked)

    with on_loopback(address, FRITZBOX_PORT, lying, location=f"http://{address}:49000/igddesc.xml"):
        told = ask(address)
    assert "link_down_mbps" not in told
    assert "link_up_mbps" not in told
    assert told["bytes_down"] == 7_000_000_000


def test_chunks_are_joined(address: str, ask: Callable[..., dict[str, Any]]) -> None:
    def chunked(wire: socket.socket, asked: Asked) -> None:
        _, told = fritzbox(Line(), asked)
        pieces = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (told[:9], told[9:]))
        wire.sendall(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{pieces}0\r\n\r\n".encode())

    with on_loopback(address, FRITZBOX_PORT, location=f"http://{address}:49000/igddesc.xml", raw=chunked):
        assert ask(address)["name"] == "FRITZ!Box 7590"


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"<r><New>{text}</New></r>".encode()))
def test_any_answer_is_read_or_refused(document: bytes) -> None:
    for read in (xml.values, xml.description):
        try:
            read(document)
        except UnusableAnswer:
            continue


@settings(max_examples=50)
@given(st.text(max_size=80) | st.from_regex(r"(http|https|file)://[a-z0-9.@:\[\]-]{1,30}/[a-z]*", fullmatch=True))
def test_any_url_leads_to_the_router_or_nowhere(url: str) -> None:
    try:
        place = Host("192.0.2.1", 1).place(url, WebPlace(49000, "/a/b.xml"))
    except UnusableAnswer:
        return
    assert place.path.startswith("/")
    assert place.path.isprintable()
    assert " " not in place.path


# ----------------------------------------------------------------------------------------------- what it means


def answer(at: float, down: int, up: int = 0, bits: int = 32, **more: Any) -> RouterAnswer:  # noqa: ANN401 (fields)
    return RouterAnswer(at=at, bytes_down=down, bytes_up=up, counter_bits=bits, **more)


@given(
    start=st.integers(0, 2**32 - 1),
    grown=st.integers(0, 2**36),
    seconds=st.floats(1, 120),
    link=st.sampled_from([None, 50.0, 1000.0, 2500.0]),
)
def test_a_counter_that_wraps_tells_what_moved_or_nothing(
    start: int, grown: int, seconds: float, link: float | None
) -> None:
    assume(grown * 8 / seconds <= (link or household.FASTEST_MBPS) * 1e6)
    rates = {"link_down_mbps": link, "link_up_mbps": 10.0}
    one = answer(0, start, **rates)
    other = answer(seconds, (start + grown) % 2**32, **rates)
    assert household.moved(one, other) in (None, (grown, 0))
    if (link or household.FASTEST_MBPS) * 1e6 / 8 * seconds < 2**32:
        assert household.moved(one, other) == (grown, 0)


def test_a_counter_that_began_again_with_the_connection_tells_nothing() -> None:
    one = answer(0, 5000, bits=64, wan_uptime_seconds=100)
    assert household.moved(one, answer(10, 4000, bits=64, wan_uptime_seconds=110)) is None
    assert household.moved(one, answer(10, 9000, bits=64, wan_uptime_seconds=5)) is None
    assert household.moved(one, answer(10, 9000, bits=64, wan_uptime_seconds=110)) == (4000, 0)


def test_an_outage_tells_the_reconnection_that_belongs_to_it_and_no_other() -> None:
    words, fields = AfterOutage({}, 30).of(started_ago=90, ended_ago=10, now=NOON)
    assert words == "; the router's WAN connection was re-established at 11:59:30Z"
    assert fields == {"router_wan_connected_at": "2026-03-01T11:59:30Z"}
    assert "stayed up" in AfterOutage({}, 5000).of(90, 10, NOON)[0]
    assert AfterOutage({}, 30).of(900, 600, NOON) == ("", {})  # it was connected anew long after this outage
    assert AfterOutage({}, None).of(90, 10, NOON) == ("", {})
