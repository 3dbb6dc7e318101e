"""Serve the views of the lake over HTTP: `speedsnake page`. It only reads, and runs beside the daemon or without one.

Exit codes: 0 stopped by SIGTERM or SIGINT · 64 an argument that means nothing · 75 something else listens at this
address and port · 78 configuration.
"""

import argparse
import contextlib
import ctypes
import errno
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, override

from speedtest import logging as logs
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.terminal import exits, startup

if TYPE_CHECKING:
    from starlette.applications import Starlette

events = Events("speedtest.handlers.page")

_WAITING_CONNECTIONS = 128
_MOST_CONNECTIONS = 200
_GRACE_SECONDS = 2
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""As in glibc's malloc.h."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop())
    given = {name: value for name, value in vars(_options(arguments)).items() if value is not None}
    settings = startup.settings(dict(os.environ) | given)
    logs.configure(settings.log_level)
    listener = _listener(settings)
    _say(listener, protected=settings.page_password is not None)
    _give_memory_back()
    _serve(listener, _application(settings))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m speedtest.handlers.page", description=__doc__)
    parser.add_argument("--host", dest="PAGE_HOST", metavar="ADDRESS", help="where to listen, instead of PAGE_HOST")
    parser.add_argument("--port", dest="PAGE_PORT", metavar="PORT", help="instead of PAGE_PORT; 0 for any that is free")
    return parser.parse_args(arguments)


class _Parser(argparse.ArgumentParser):
    @override
    def error(self, message: str) -> NoReturn:
        """End with 64, as with every program here."""
        exits.end(os.EX_USAGE, f"{message}; --help says what there is")


def _application(settings: Settings) -> "Starlette":
    from speedtest.figures.rows import Folders  # noqa: PLC0415 (the same)
    from speedtest.figures.types import Plan  # noqa: PLC0415 (the same)
    from speedtest.page.app import application  # noqa: PLC0415 (the same)
    from speedtest.page.queries import Queries  # noqa: PLC0415 (help comes without it)

    plan = Plan(settings.plan_download_mbps, settings.plan_upload_mbps)
    return application(Queries(Folders(settings.result_dir, settings.upload_dir), plan), settings.page_password)


def _listener(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded: who asks from then on waits, and is answered."""
    host, port = settings.page_host, settings.page_port
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET  # noqa: PLR2004 (IPv6)
    try:
        return socket.create_server((host, port), family=family, backlog=_WAITING_CONNECTIONS)
    except OSError as error:
        exits.end(exits.BUSY if error.errno == errno.EADDRINUSE else exits.MISCONFIGURED, _refusal(host, port, error))


def _refusal(host: str, port: int, error: OSError) -> str:
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


def _say(listener: socket.socket, *, protected: bool) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    events.info("page_started", "the page is at http://%s:%d/", shown, port, port=port, password=protected)
    if not protected and not ipaddress.ip_address(host).is_loopback:
        events.warning(
            "page_unprotected",
            "everybody who reaches port %d of this machine can see the results: set PAGE_PASSWORD or "
            "PAGE_PASSWORD_FILE, or leave PAGE_HOST at 127.0.0.1",
            port,
        )


def _serve(listener: socket.socket, application: "Starlette") -> NoReturn:
    import uvicorn  # noqa: PLC0415 (help comes without it)

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
    _stop()


def _give_memory_back() -> None:
    """Have glibc keep one heap for all threads and none of the large blocks: 15 MiB less after a question of a year."""
    with contextlib.suppress(AttributeError, OSError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 65536)


def _stop() -> NoReturn:
    """End at once, without waiting for a computation that nobody waits for any more: there is nothing to save."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(exits.OK)


if __name__ == "__main__":
    main()
