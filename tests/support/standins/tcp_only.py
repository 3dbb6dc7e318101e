"""A router that forwards TCP to a server and silently drops UDP, as many firewalls and shared servers do."""

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def forwarding(server: str) -> Iterator[str]:
    """Forward TCP to this host:port during the block. Yield the host:port to connect to."""
    host, _, port = server.rpartition(":")
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as swallowing,
    ):
        swallowing.bind(listening.getsockname())
        accepting = threading.Thread(target=_accept, args=(listening, (host, int(port))), daemon=True)
        accepting.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _accept(listening: socket.socket, server: tuple[str, int]) -> None:
    with contextlib.suppress(OSError):  # the end of the block shuts the socket down
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_join, args=(client, server), daemon=True).start()


def _join(client: socket.socket, server: tuple[str, int]) -> None:
    with client, contextlib.suppress(OSError), socket.create_connection(server) as onward:
        back = threading.Thread(target=_pipe, args=(onward, client), daemon=True)
        back.start()
        _pipe(client, onward)
        back.join()


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # either side may hang up, which is how a test ends
        while data := source.recv(1 << 20):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
