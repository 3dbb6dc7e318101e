"""The circumstances of a test, through the daemon and `once`, with a real load and real bytes on loopback."""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from daemon import DaemonProcess, rows, run, until
from standins import iperf3 as iperf3_server, ookla

from speedtest.data import heartbeat

HALF_A_SECOND_OF_WORK = """#!{python}
import subprocess, sys, time
if "--version" not in sys.argv:
    end = time.monotonic() + 1.6
    while time.monotonic() < end:
        pass
sys.exit(subprocess.run([{program!r}, *sys.argv[1:]]).returncode)
"""


def test_a_row_of_the_daemon_tells_its_link_its_load_and_its_machine(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    with DaemonProcess(tmp_path, tmp_path / "bin", SPEEDTEST_INTERFACE="lo", SLEEP_SECONDS="0.5") as daemon:
        daemon.first_rows()
        assert daemon.stop() == 0
    row = rows(tmp_path)[0]
    assert (row["interface"], row.get("link")) == ("lo", None), "loopback is none of the kinds"
    assert 0 < row["memory_percent"] <= 100
    assert row.get("machine") == heartbeat.machine_digest()
    assert "other_traffic_mbps" not in row, "nobody looked at the counters five seconds before"


@pytest.mark.slow
def test_what_moved_in_the_seconds_before_a_test_is_told(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    more = {"SPEEDTEST_INTERFACE": "lo", "SLEEP_SECONDS": "7", "SPEEDTEST_RETRIES": "0"}
    with DaemonProcess(tmp_path, tmp_path / "bin", **more) as daemon:
        until(lambda: len(rows(tmp_path)) == 1, "first row")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            end = time.monotonic() + 20
            while len(rows(tmp_path)) < 2 and time.monotonic() < end:
                for _ in range(200):
                    out.sendto(bytes(10_000), ("127.0.0.1", 9))
        assert daemon.stop() == 0
    first, second, *_ = rows(tmp_path)
    assert "other_traffic_mbps" not in first
    assert second["other_traffic_mbps"] > 1


@pytest.mark.slow
def test_the_busiest_second_of_a_test_is_told(tmp_path: Path) -> None:
    program = ookla.install(tmp_path / "real")
    busy = tmp_path / "bin" / "speedtest"
    busy.parent.mkdir()
    busy.write_text(HALF_A_SECOND_OF_WORK.format(python=sys.executable, program=str(program)))
    busy.chmod(0o755)
    row = once(tmp_path)
    assert row["status"] == "ok"
    assert row["cpu_percent"] > 100 / (2 * cores()), "one processor was busy all the time"
    assert row["memory_percent"] > 0


def once(folder: Path, **more: str) -> dict[str, Any]:
    ended = run(folder, "once", "--json", programs=folder / "bin", **more)
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def cores() -> int:
    return Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").count("processor\t")


@pytest.mark.slow
@pytest.mark.alone
def test_bytes_beside_a_test_and_the_kind_of_address_are_told(tmp_path: Path, iperf3: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "iperf3").symlink_to(iperf3)
    more = {
        "SPEEDTEST_ENGINE": "iperf3",
        "SPEEDTEST_SECONDS_PER_DIRECTION": "1",
        "SPEEDTEST_INTERFACE": "lo",
        "SPEEDTEST_TIMEOUT_SECONDS": "60",
    }
    with iperf3_server.serving(iperf3) as server:
        row = once(tmp_path, SPEEDTEST_SERVER=server, **more)
    assert row["status"] == "ok", row["error"]
    assert row["ip_version"] == 4
    assert 0.9 < row["other_bytes"] / row["data_bytes"] < 1.3, (
        "loopback counts each byte twice, as sent and as received"
    )
