"""What the kernel knows of a TCP connection: the bytes that the far end has acknowledged (Linux).

`struct tcp_info` of linux/tcp.h: eight bytes of flags, 24 numbers of 32 bits, then `tcpi_pacing_rate`,
`tcpi_max_pacing_rate` and, at byte 120, `tcpi_bytes_acked` (Linux 4.1). `tcpi_bytes_retrans` is at byte 208 (4.19).
"""

import socket
import struct
import sys

_ACKED, _RETRANSMITTED = 120, 208
_SIZE = 216
_NUMBER = struct.Struct("@Q")


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


def _info(connection: socket.socket) -> bytes:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)  # type: ignore[attr-defined]
