"""What the page's application runs in: its socket, uvicorn, and how much memory glibc and Arrow may keep."""

import contextlib
import ctypes
import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

_WAITING_CONNECTIONS = 128
_MOST_CONNECTIONS = 200
_GRACE_SECONDS = 2
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""As in glibc's malloc.h."""


class Unavailable(Exception):
    """The page cannot listen where it should; `taken` tells whether something else does."""

    def __init__(self, why: str, *, taken: bool) -> None:
        """Say why, and what to do."""
        self.taken = taken
        super().__init__(why)


def listen(host: str, port: int) -> socket.socket:
    """Take the port, before anything heavy is loaded: who asks from then on waits, and is answered.

    Raises Unavailable.
    """
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET  # noqa: PLR2004 (IPv6)
    try:
        return socket.create_server((host, port), family=family, backlog=_WAITING_CONNECTIONS)
    except OSError as error:
        raise Unavailable(_advice(host, port, error), taken=error.errno == errno.EADDRINUSE) from error


def _advice(host: str, port: int, error: OSError) -> str:
    where = f"the page cannot listen at PAGE_HOST={host}, PAGE_PORT={port}: "
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where}something else does, perhaps another page; stop it, or choose another port"
        case errno.EADDRNOTAVAIL:
            return f"{where}this machine has no such address; 127.0.0.1 is for itself, 0.0.0.0 for all"
        case errno.EACCES:
            return f"{where}ports below 1024 are for root; choose one above"
        case _:
            return f"{where}{error.strerror}"


def serve(listener: socket.socket, application: "Starlette") -> None:
    """Answer requests until the process is stopped."""
    import uvicorn  # noqa: PLC0415 (the port is taken before it is loaded)

    config = uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # a guess of the password counts for the address it comes from, not one it names
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def limit_memory() -> None:
    """Have glibc and Arrow give back what they freed, and Arrow compute without threads of its own.

    glibc: one heap for all threads and none of the large blocks, 15 MiB less after a question about a year. Arrow: its
    own pool keeps what it has freed, 100 MiB after such a question, and its threads would compete with the page's.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 65536)
    import pyarrow as pa  # noqa: PLC0415 (the port is taken before it is loaded)

    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
