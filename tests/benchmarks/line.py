"""A line of known speed, delay and loss between two network namespaces. Nothing leaves the machine or stays behind.

Both ends are TUN devices. A relay between them carries each packet over after half the delay. `tc tbf` limits the speed
of each end. It counts only TCP payload, because speed-test programs do: if it counted whole packets of 1500 bytes, all
programs would show 3.5 % less. `iptables` drops packets for the loss.
"""

import collections
import contextlib
import fcntl
import multiprocessing
import os
import select
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import msgspec

NEAR, FAR = "10.77.0.1", "10.77.0.2"
HEADERS = 52
"""Bytes of a packet that are not payload: IPv4, and TCP with timestamps."""

_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_CHECKSUM_AND_TSO4 = 0x01 | 0x02
_LARGEST = 1 << 17


class NotAllowed(Exception):
    """This machine does not allow network namespaces or TUN devices, or lacks the tools to shape them."""


class Speed(msgspec.Struct, frozen=True):
    """The settings of a line."""

    mbps: float
    delay_ms: float
    loss_percent: float = 0

    @property
    def whole(self) -> bool:
        """Whether packets cross unsegmented, up to 64 KiB at once: else Python could not relay 500 Mbit/s.

        Not on a line with loss, where each packet must be lost on its own.
        """
        return self.mbps > 100 and not self.loss_percent


class Line:
    """Two namespaces and the line between them, for a `with` block."""

    def __init__(self, speed: Speed) -> None:
        self.speed = speed
        self._own = _current()
        self._ends: dict[str, int] = {}
        self._tuns: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            for address, other in ((NEAR, FAR), (FAR, NEAR)):
                os.unshare(os.CLONE_NEWNET)
                self._ends[address] = _current()
                self._tuns[address] = _tun(whole=self.speed.whole)
                _set_up(address, other, self.speed)
                os.setns(self._own, os.CLONE_NEWNET)
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            why = getattr(error, "stderr", None) or error
            raise NotAllowed(f"cannot make a line of known speed on this machine: {str(why).strip()}") from error
        self._relay = fork(lambda: relay(self._tuns[NEAR], self._tuns[FAR], self.speed.delay_ms / 2000))
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(PermissionError):  # if we may not go back, we never left
            os.setns(self._own, os.CLONE_NEWNET)
        if hasattr(self, "_relay"):
            end(self._relay)
        for descriptor in (*self._ends.values(), *self._tuns.values()):
            os.close(descriptor)

    @contextlib.contextmanager
    def at(self, address: str) -> Iterator[None]:
        """Start the processes of this block at this end of the line."""
        os.setns(self._ends[address], os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(self._own, os.CLONE_NEWNET)

    def drain(self) -> None:
        """Wait until no data moves: the system still sends a program's buffered data after the program has ended."""
        with self.at(NEAR):
            before, limit = None, time.monotonic() + 60
            while (moved := _moved()) != before and time.monotonic() < limit:
                before = moved
                time.sleep(0.5)


def fork(work: Callable[[], None]) -> multiprocessing.Process:
    """Start a process that does this in the current namespace."""
    process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    process.start()
    return process  # type: ignore[return-value]


def end(process: multiprocessing.Process) -> None:
    process.kill()
    process.join()


def _current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _tun(*, whole: bool) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    flags = _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", b"line", flags))
    fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _CHECKSUM_AND_TSO4 if whole else 0)
    return descriptor


def _moved() -> list[str]:
    devices = Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines()
    return next(device.split() for device in devices if device.split()[0] == "line:")


def _set_up(address: str, other: str, speed: Speed) -> None:
    burst = max(16_000, int(speed.mbps * 1e6 / 8 * 0.004))
    shaped = f"tbf rate {speed.mbps}mbit burst {burst} latency 100ms"
    commands = [
        "ip link set lo up",
        f"ip address add {address} peer {other} dev line",
        "ip link set line up mtu 1500 txqueuelen 1000",
        f"tc qdisc replace dev line root stab overhead -{HEADERS} linklayer ethernet {shaped}",
    ]
    if speed.loss_percent:
        drop = f"-m statistic --mode random --probability {speed.loss_percent / 100} -j DROP"
        commands.append(f"iptables -A INPUT -i line {drop}")
    for command in commands:
        subprocess.run(command.split(), check=True, capture_output=True, text=True)


def relay(near: int, far: int, seconds: float) -> None:
    """Carry packets between two devices, each after `seconds`, until this process is killed."""
    waiting = {near: collections.deque[tuple[float, bytes]](), far: collections.deque[tuple[float, bytes]]()}
    other = {near: far, far: near}
    while True:
        now = time.monotonic()
        for device, packets in waiting.items():
            while packets and packets[0][0] <= now:
                with contextlib.suppress(BlockingIOError):  # drop it, as a real line does when its buffer is full
                    os.write(device, packets.popleft()[1])
        due = min((packets[0][0] for packets in waiting.values() if packets), default=now + 1)
        ready, _, _ = select.select((near, far), (), (), max(due - time.monotonic(), 0))
        for device in ready:
            now = time.monotonic()
            for packet in _packets(device):
                waiting[other[device]].append((now + seconds, packet))


def _packets(device: int) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            yield os.read(device, _LARGEST)
