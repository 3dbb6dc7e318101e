"""The daemon asks its router: a real miniupnpd, and a FRITZ!Box that reconnects, in a home of network namespaces."""

import contextlib
import csv
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from daemon import PATIENCE, until
from home import NO_CONTAINER, ROUTER, TOOLS, Home, environment, is_possible
from standins import debian
from standins.ookla_results import V1_2_0, changed
from standins.router import FRITZBOX_PORT, SSDP_PORT, StandInRouter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_possible(), reason="needs root and network namespaces (Linux)"),
]
SMALL = changed(V1_2_0, ('"bytes":329104512', '"bytes":1000'), ('"bytes":12011720', '"bytes":500'))
MINIUPNPD = """
ext_ifname=r1
ext_ip=11.22.33.44
listening_ip=r0
http_port=0
enable_upnp=yes
enable_natpmp=no
bitrate_down=41957000
bitrate_up=10192000
system_uptime=no
uuid=98fdb662-5b32-466c-b8a0-953fd7dec18b
"""
"""It wants a public address; it only tells it. Nothing is sent there."""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with Home() as home:
        yield home


@pytest.fixture
def miniupnpd(home: Home, tmp_path: Path) -> Iterator[None]:
    """Run the real one in the router."""
    found = shutil.which("miniupnpd", path="/usr/sbin:/usr/bin")
    program = found or debian.program("miniupnpd", "miniupnpd", TOOLS / "miniupnpd")
    (tmp_path / "miniupnpd.conf").write_text(f"{MINIUPNPD}lease_file={tmp_path}/leases\n")
    files = ["-f", f"{tmp_path}/miniupnpd.conf", "-P", f"{tmp_path}/miniupnpd.pid"]
    with (
        (tmp_path / "miniupnpd.log").open("wb") as log,
        subprocess.Popen(home.command_in("router", str(program), "-d", *files), stdout=log, stderr=log) as running,
    ):
        yield
        running.terminate()


@pytest.fixture
def fritzbox(home: Home) -> Iterator[StandInRouter]:
    http = home.inside("router", lambda: socket.create_server((ROUTER, FRITZBOX_PORT)))
    ssdp = home.inside("router", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    ssdp.bind((ROUTER, SSDP_PORT))
    with StandInRouter(http, ssdp, location=f"http://{ROUTER}:{FRITZBOX_PORT}/igddesc.xml") as router:
        yield router


def around(folder: Path, **more: str) -> Mapping[str, str]:
    """Return the environment of a daemon whose test takes a second and moves 1500 bytes."""
    variables = environment(folder, ROUTER_ASK="1", **more)
    (folder / "result").write_text(SMALL)
    program = folder / "bin" / "speedtest"
    measures = f'sleep 1; cat {folder}/result; exit 0; echo "[error]'
    program.write_text(program.read_text().replace('echo "[error]', measures))
    return variables


@contextlib.contextmanager
def running(home: Home, folder: Path, **more: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    daemon = home.start(folder, "speedtest.handlers.loop", constants=NO_CONTAINER, variables=around(folder, **more))
    try:
        yield
    finally:
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0


def rows(folder: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in (folder / "results").glob("**/year=*/month=*/day=*/*.csv"):
        with contextlib.suppress(FileNotFoundError), path.open(newline="") as file:
            found += csv.DictReader(file)
    return sorted(found, key=lambda row: row["started_at"])


def logged(folder: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "stderr").read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


@contextlib.contextmanager
def neighbours_download(home: Home, mbps: float) -> Iterator[None]:
    """Send data to the router that this machine never sees, as if somebody else in the house downloaded."""
    sender = home.inside("provider", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    over = threading.Event()

    def send() -> None:
        while not over.wait(1000 * 8 / (mbps * 1e6)):
            with contextlib.suppress(OSError):
                sender.sendto(bytes(1000), ("10.66.2.2", 9))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        sender.close()


@pytest.mark.usefixtures("miniupnpd")
def test_a_real_miniupnpd_tells_the_link_and_the_traffic_of_the_whole_house(home: Home, tmp_path: Path) -> None:
    folder, waits = tmp_path / "tells", tmp_path / "waits"
    with (
        neighbours_download(home, mbps=2.0),
        running(home, folder, SLEEP_SECONDS="8"),
        running(home, waits, SLEEP_SECONDS="15", SPEEDTEST_WAIT_FOR_IDLE_MBPS="0.2"),
    ):
        until(lambda: logged(folder, "router_answers"), "an answer of the router")
        whole = until(
            lambda: [row for row in rows(folder) if "other_traffic" in row.get("router_counted", "")],
            "a row that tells the traffic of the house",
        )[0]
        until(lambda: logged(waits, "waited"), "a test that waited for a quiet house")
    assert (whole["router_link_down_mbps"], whole["router_link_up_mbps"]) == ("41.957", "10.192")
    assert whole["router_wan_status"] == "Connected"
    assert whole["router_counted"] == "other_bytes,other_traffic_mbps"
    assert 50_000 < int(whole["other_bytes"]) == int(whole["router_down_bytes"]) + int(whole["router_up_bytes"]) - 1500
    assert 0.2 < float(whole["other_traffic_mbps"]) < 10
    assert "11.22.33.44" not in json.dumps(rows(folder))


def test_an_outage_tells_when_the_router_was_connected_again(
    home: Home, fritzbox: StandInRouter, tmp_path: Path
) -> None:
    with running(home, tmp_path):
        until(lambda: logged(tmp_path, "router_answers"), "an answer of the router")
        until(lambda: rows(tmp_path), "the first row")
        with home.cut_upstream():
            until(lambda: logged(tmp_path, "line_down"), "an outage")
            fritzbox.line.reconnect()
        outage = until(lambda: [row for row in rows(tmp_path) if row["status"] == "outage"], "the outage's row")[0]
    assert "the router's WAN connection was re-established at " in outage["error"]
    assert outage["error_kind"] == "beyond-router"
    assert outage["started_at"] < outage["router_wan_connected_at"]
    assert not any("198.51.100" in value for row in rows(tmp_path) for value in row.values() if value)


def test_a_silent_router_costs_no_test_and_is_told_once_and_check_says_why(home: Home, tmp_path: Path) -> None:
    with running(home, tmp_path, SLEEP_SECONDS="3"):
        until(lambda: logged(tmp_path, "router_silent"), "word of the silent router")
        many = len(rows(tmp_path)) + 2
        check = home.start(tmp_path / "check", "speedtest.handlers.check", "--json", variables=around(tmp_path))
        until(lambda: len(rows(tmp_path)) >= many, "two more rows")
        assert check.wait(PATIENCE) == 0
    printed = (tmp_path / "check" / "stderr").read_text().splitlines()
    told = json.loads(next(line for line in printed if '"router"' in line))
    assert any("refused" in why for why in told["router"]["problems"])
    assert len(logged(tmp_path, "router_silent")) == 1
    assert not any(name.startswith("router_") and name != "router_latency_ms" for name in rows(tmp_path)[-1])


def test_check_and_once_ask_the_router_too(home: Home, fritzbox: StandInRouter, tmp_path: Path) -> None:
    def ended(*module: str) -> str:
        process = home.start(tmp_path, *module, variables=around(tmp_path))
        assert process.wait(PATIENCE) == 0
        return (tmp_path / "stderr").read_text()

    ended("speedtest.handlers.once", "--json")
    assert rows(tmp_path)[0]["router_name"] == "FRITZ!Box 7590"
    told = ended("speedtest.handlers.check")
    assert "FRITZ!Box 7590, link 41.957 Mbit/s down, 10.192 up, WAN Connected" in told
    assert "198.51.100" not in told
    assert fritzbox.actions
