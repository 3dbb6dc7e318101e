"""Answer the speed tests of the engine `http`, for a line between two sites: `speedsnake serve-test`.

Exit codes: 0 stopped by a signal · 64 wrong arguments · 75 the address and port are in use · 78 no such address on this
machine, or a certificate that cannot be read.
"""

import errno
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from speedtest.terminal import exits
from speedtest.terminal.command import alone

PORT = 8601


def serve_test(
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any free port.")] = PORT,
    connections: Annotated[int, typer.Option(min=1, max=512, help="How many connections at once; a test has 7.")] = 32,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Speak TLS with the chain and the key in this file (PEM).")
    ] = None,
) -> None:
    """Answer speed tests over HTTP.

    Run it at the far end of a line of your own, and measure with SPEEDTEST_ENGINE=http and
    SPEEDTEST_SERVER=http://ADDRESS:PORT/. Whoever reaches the port can load the line, so it listens at 127.0.0.1 unless
    you give another address.

    Exit codes: 0 stopped by a signal, 64 wrong arguments, 75 the address and port are in use, 78 no such address on
    this machine or a certificate that cannot be read.
    """
    from speedtest.http_test.server import SpeedServer, tls_of  # noqa: PLC0415 (help must come at once)

    try:
        tls = tls_of(certificate) if certificate else None
    except OSError as error:
        why = error.strerror or error
        exits.end(exits.MISCONFIGURED, f"{certificate}: {why}; it must be a file with a chain and its key, in PEM")
    try:
        server = SpeedServer(host, port, connections=connections, tls=tls)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            exits.end(exits.BUSY, f"something else listens at {host}, port {port}: choose another --port")
        advice = "--host must be an address of this machine"
        exits.end(exits.MISCONFIGURED, f"cannot listen at {host}, port {port}: {error.strerror}; {advice}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"answering speed tests at {server.url}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.1)
    os._exit(exits.OK)  # the threads of open connections have nothing to save


if __name__ == "__main__":
    alone(serve_test)
