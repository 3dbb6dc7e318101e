"""The network interface and the kind of address to measure over: some programs need a name, others an address."""

import fcntl
import socket
import struct
import sys
from pathlib import Path

from speedtest.measurement import Failure
from speedtest.values.hosts import version_of

_SIOCGIFADDR = 0x8915 if sys.platform == "linux" else 0xC0206921
_IFREQ_NAME, _IFREQ_ADDRESS = 16, slice(20, 24)
_IPV6_ADDRESSES = Path("/proc/net/if_inet6")
_GLOBAL, _HOST = "00", "10"
_UNUSABLE = 0x08 | 0x20 | 0x40  # a duplicate, deprecated, tentative
_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses of documentation: to ask which of ours leads to the world. Nothing is sent to them."""


def is_address(interface: str) -> bool:
    """Return whether an interface is given as an IPv4 or IPv6 address, and not as a name."""
    return version_of(interface) is not None


def address_of(interface: str | None, version: int = 4) -> str:
    """Return an interface's current IPv4 or IPv6 address, for programs that do not accept its name.

    Without an interface: this machine's address for connections to elsewhere. An address is returned unchanged. Raises
    Failure `not-found` if there is no such address.
    """
    if interface and is_address(interface):
        return interface
    found = _own_address(version) if interface is None else _ipv6(interface) if version == 6 else _ipv4(interface)  # noqa: PLR2004 (IPv6)
    if found:
        return found
    whose = "this machine has no way to the internet by" if interface is None else f"the interface {interface} has no"
    advice = "set SPEEDTEST_INTERFACE to another one, or to an address" if interface else "change SPEEDTEST_IP_VERSION"
    raise Failure("not-found", f"{whose} IPv{version}{' address' if interface else ''}: {advice}")


def name_of(address: str) -> str | None:
    """Return the name of the interface that has this address; None if none has it, or the system does not say."""
    if version_of(address) == 6:  # noqa: PLR2004 (IPv6)
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0]).hex()
        return next((fields[-1] for fields in _ipv6_addresses() if fields[0] == packed), None)
    return next((name for _, name in socket.if_nameindex() if _ipv4(name) == address), None)


def _own_address(version: int) -> str | None:
    with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as asked:  # noqa: PLR2004 (IPv4)
        try:
            asked.connect((_ELSEWHERE[version], 9))
        except OSError:
            return None
        return str(asked.getsockname()[0])


def _ipv6(interface: str) -> str | None:
    lines = _ipv6_addresses()
    for scope in (_GLOBAL, _HOST):
        for number, _, _, of, flags, name in lines:
            if (name, of) == (interface, scope) and not int(flags, 16) & _UNUSABLE:
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(number))
    return None


def _ipv6_addresses() -> list[list[str]]:
    """Return the kernel's table: each address with its scope, its flags and its interface; empty if there is none."""
    try:
        return [line.split() for line in _IPV6_ADDRESSES.read_text(encoding="ascii").splitlines()]
    except OSError:
        return []


def _ipv4(interface: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", interface.encode()[: _IFREQ_NAME - 1]))
        except OSError:
            return None
    return socket.inet_ntop(socket.AF_INET, answer[_IFREQ_ADDRESS])
