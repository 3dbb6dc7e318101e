"""What the kernel knows of a TCP connection: the bytes that the far end has acknowledged (Linux).

`struct tcp_info` of linux/tcp.h: eight bytes of flags, 24 numbers of 32 bits, then `tcpi_pacing_rate`,
`tcpi_max_pacing_rate` and, at byte 120, `tcpi_bytes_acked` (Linux 4.1). `tcpi_bytes_retrans` is at byte 208 (4.19).
`tcpi_rtt` is at byte 68, `tcpi_min_rtt` (4.6) at 148, both in microseconds.
"""

import socket
import struct
import sys

_ACKED, _RETRANSMITTED = 120, 208
_TRIP, _SHORTEST_TRIP = 68, 148
_SIZE = 216
_NUMBER, _SMALL = struct.Struct("@Q"), struct.Struct("@I")
_NO_TRIP = (2**32 - 1) / 1000


def counts() -> bool:
    """Return whether this system tells how much of a connection's bytes the far end has acknowledged."""
    if sys.platform != "linux":
        return False
    with socket.socket() as asked:
        return len(_info(asked)) >= _ACKED + _NUMBER.size


def acknowledged(connection: socket.socket) -> tuple[int, int]:
    """Return the bytes that the far end has acknowledged, and those that were sent again. Raises OSError."""
    info = _info(connection)
    again = _NUMBER.unpack_from(info, _RETRANSMITTED)[0] if len(info) >= _SIZE else 0
    return _NUMBER.unpack_from(info, _ACKED)[0], again


def round_trips(connection: socket.socket) -> tuple[float, float] | None:
    """Return the smoothed and the shortest round trip in ms; None if the system does not tell. Raises OSError."""
    info = _info(connection) if sys.platform == "linux" else b""
    if len(info) < _SHORTEST_TRIP + _SMALL.size:
        return None
    smoothed, shortest = (_SMALL.unpack_from(info, at)[0] / 1000 for at in (_TRIP, _SHORTEST_TRIP))
    return (smoothed, shortest) if smoothed and shortest < _NO_TRIP else None


def _info(connection: socket.socket) -> bytes:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)  # type: ignore[attr-defined]
