"""What the page's application runs in: its socket, uvicorn, and limits on the memory that glibc and Arrow keep."""

import contextlib
import ctypes
import errno
import gc
import ipaddress
import socket
import sys
from typing import TYPE_CHECKING

from speedtest.values import hosts

if TYPE_CHECKING:
    from starlette.applications import Starlette

_WAITING_CONNECTIONS = 1024
"""As many wait in the kernel's queue, if its own limit (`net.core.somaxconn`) allows it."""
_GRACE_SECONDS = 2
_SWITCH_SECONDS = 0.0005
"""How long a computing thread keeps the event loop waiting; Python's own 5 ms add up to 100 ms an answer."""
_ALL_IPV4, _ALL_IPV6 = "0.0.0.0", "::"  # noqa: S104 (only for whom asks for all)
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""As in glibc's malloc.h."""


class Unavailable(Exception):
    """The page cannot listen at its address. `taken`: whether another program does."""

    def __init__(self, why: str, *, taken: bool) -> None:
        """Keep the reason, with advice."""
        self.taken = taken
        super().__init__(why)


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything heavy is loaded: clients that connect meanwhile wait, and get an answer.

    Raises Unavailable.
    """
    try:
        return _listener(host, port)
    except OSError as error:
        raise Unavailable(_advice(host, port, error), taken=error.errno == errno.EADDRINUSE) from error


def _listener(host: str, port: int) -> socket.socket:
    """Listen. `all` and `::` are every address of this machine: IPv6 and IPv4, or IPv4 alone if it has no IPv6."""
    if host not in (hosts.ALL, _ALL_IPV6):
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET  # noqa: PLR2004 (IPv6)
        return socket.create_server((host, port), family=family, backlog=_WAITING_CONNECTIONS)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                (_ALL_IPV6, port), family=socket.AF_INET6, backlog=_WAITING_CONNECTIONS, dualstack_ipv6=True
            )
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return socket.create_server((_ALL_IPV4, port), backlog=_WAITING_CONNECTIONS)


def _advice(host: str, port: int, error: OSError) -> str:
    where = f"the page cannot listen at PAGE_HOST={host}, PAGE_PORT={port}: "
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where}another program already does, perhaps another page; stop it, or choose another port"
        case errno.EADDRNOTAVAIL:
            return f"{where}this machine has no such address; use 127.0.0.1 (this machine only) or all (every address)"
        case errno.EACCES:
            return f"{where}only root may use ports below 1024; choose a higher port"
        case _:
            return f"{where}{error.strerror}"


def serve(listener: socket.socket, application: "Starlette") -> None:
    """Answer requests until the process is stopped."""
    import uvicorn  # noqa: PLC0415 (the port is taken before it is loaded)

    from speedtest.page import connections  # noqa: PLC0415 (the same)

    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # else each full collection looks at all of pandas, and nothing is answered for 60 ms
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # a wrong password counts for the client's real address
        server_header=False,
        timeout_keep_alive=int(connections.IDLE_SECONDS),
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    connections.run(listener, config)


def limit_memory() -> None:
    """Make glibc and Arrow return freed memory, and make Arrow compute without its own threads.

    glibc: one heap for all threads, large blocks outside it; saves 15 MiB after a question about a year. Arrow: its own
    pool would keep 100 MiB after such a question, and its threads would compete with those of the page.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 65536)
    import pyarrow as pa  # noqa: PLC0415 (the port is taken before it is loaded)

    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
