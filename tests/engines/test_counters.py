"""The kernel's counters of bytes, by interface."""

import socket
import threading
from pathlib import Path

import pytest

from speedtest.engines import counters

TABLE = """\
Inter-|   Receive                                                |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0
  eth0:5000000000 7 0 0 0 0 0 0 6000000000 9 0 0 0 0 0 0
  odd:
"""


def test_the_table_of_the_kernel_is_read_by_interface(tmp_path: Path) -> None:
    (tmp_path / "dev").write_text(TABLE)
    assert counters.read(tmp_path / "dev") == {"lo": 2000, "eth0": 11_000_000_000}
    assert counters.read(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("after", "interface", "moved"),
    [
        ({"lo": 900, "eth0": 150, "tun0": 140}, None, 50),
        ({"lo": 900, "eth0": 150, "tun0": 140}, "tun0", 40),
        ({"lo": 900, "eth0": 150, "tun0": 140}, "lo", 800),
        ({"lo": 900, "eth0": 150, "tun0": 140}, "192.0.2.7", 50),
        ({"lo": 900, "eth0": 3}, None, 0),
        ({"lo": 900}, None, None),
        ({}, None, None),
    ],
)
def test_bytes_that_pass_several_interfaces_are_counted_once(
    after: dict[str, int], interface: str | None, moved: int | None
) -> None:
    assert counters.moved({"lo": 100, "eth0": 100, "tun0": 100}, after, interface) == moved


@pytest.mark.skipif(not counters.read(), reason="this system has no counters")
def test_real_bytes_are_counted() -> None:
    before = counters.read()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        other, _ = server.accept()
        with other:
            sending = threading.Thread(target=client.sendall, args=(bytes(1_000_000),))
            sending.start()
            left = 1_000_000
            while left:
                left -= len(other.recv(1 << 20))
            sending.join()
    assert (counters.moved(before, counters.read(), "lo") or 0) >= 1_000_000
