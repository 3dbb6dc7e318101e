"""Run the real iperf3 as a server, on loopback or at another address."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def serving(program: Path, host: str = "127.0.0.1", within: Sequence[str] = ()) -> Iterator[str]:
    """Serve during the block, started by the command `within` if given. Yield host:port."""
    port = free_port()
    command = [*within, str(program), "--server", "--bind", host, "--port", str(port), "--forceflush"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            said: list[str] = []
            while not any("Server listening" in line for line in said):
                said.append(server.stdout.readline() if server.stdout else "")
                if not said[-1]:
                    raise RuntimeError(f"{' '.join(command)} does not listen: {''.join(said)}")
            yield f"{host}:{port}"
        finally:
            server.kill()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
