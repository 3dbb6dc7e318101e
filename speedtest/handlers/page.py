"""Serve a live report over HTTP: `speedsnake page`. It only reads, and runs with or without the daemon.

Exit codes: 0 stopped by SIGTERM or SIGINT · 64 wrong arguments · 75 the address and port are in use · 78 wrong
configuration, or no such address on this machine.
"""

import argparse
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn, override

from speedtest import logging as logs
from speedtest.data.partitions import Folders
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.page import server
from speedtest.page.server import Unavailable
from speedtest.terminal import exits, startup
from speedtest.values import names
from speedtest.variables import PAGE

events = Events("speedtest.handlers.page")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop())
    given = {name: value for name, value in vars(_options(arguments)).items() if value is not None}
    settings = startup.settings(PAGE, dict(os.environ) | given)
    logs.configure(settings.log_level)
    startup.warn_of_unknown_variables()
    try:
        listener = server.listen(settings.page_host, settings.page_port)
    except Unavailable as why:
        exits.end(exits.BUSY if why.taken else exits.MISCONFIGURED, str(why))
    _say(listener, protected=settings.page_password is not None)
    server.limit_memory()
    _serve(listener, settings)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m speedtest.handlers.page", description=__doc__)
    parser.add_argument("--host", dest="PAGE_HOST", metavar="ADDRESS", help="the address, instead of PAGE_HOST")
    parser.add_argument("--port", dest="PAGE_PORT", metavar="PORT", help="the port, instead of PAGE_PORT; 0: any free")
    return parser.parse_args(arguments)


class _Parser(argparse.ArgumentParser):
    @override
    def error(self, message: str) -> NoReturn:
        """Exit with 64, like every command here."""
        exits.end(os.EX_USAGE, f"{message}; --help lists the options")


def _say(listener: socket.socket, *, protected: bool) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    events.info("page_started", "the page is at http://%s:%d/", shown, port, port=port, password=protected)
    if not protected and not ipaddress.ip_address(host).is_loopback:
        events.warning(
            "page_unprotected",
            "everybody who can reach port %d of this machine can see the results: set PAGE_PASSWORD or "
            "PAGE_PASSWORD_FILE, or leave PAGE_HOST at 127.0.0.1",
            port,
        )


def _serve(listener: socket.socket, settings: Settings) -> NoReturn:
    from speedtest.figures.types import Plan  # noqa: PLC0415 (listen first, then load these)
    from speedtest.page.app import application  # noqa: PLC0415 (the same)
    from speedtest.page.queries import Queries  # noqa: PLC0415 (the same)

    plan = Plan(settings.plan_download_mbps, settings.plan_upload_mbps, names.split(settings.expect_isp))
    queries = Queries(Folders(settings.result_dir, settings.upload_dir), plan)
    server.serve(
        listener,
        application(queries, settings.page_password, settings.page_allowed_hosts, settings.page_frame_ancestors),
    )
    _stop()


def _stop() -> NoReturn:
    """Exit at once: there is nothing to save, and nobody waits for a running computation any more."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(exits.OK)


if __name__ == "__main__":
    main()
