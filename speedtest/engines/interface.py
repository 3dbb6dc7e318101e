"""The network interface to measure over: some programs need its name, others its address."""

import sys

from speedtest.measurement import Failure

_SIOCGIFADDR = 0x8915 if sys.platform == "linux" else 0xC0206921
_IFREQ_NAME, _IFREQ_ADDRESS = 16, slice(20, 24)


def is_address(interface: str) -> bool:
    """Return whether an interface is given as an IPv4 or IPv6 address, and not as a name."""
    import socket  # noqa: PLC0415 (saves the daemon memory: only SPEEDTEST_INTERFACE needs it)

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, interface.partition("%")[0])
        except OSError:
            continue
        return True
    return False


def address_of(interface: str) -> str:
    """Return an interface's current IPv4 address, for programs that do not accept its name.

    An address is returned unchanged. Raises Failure `not-found` if the interface has no IPv4 address.
    """
    if is_address(interface):
        return interface
    import fcntl  # noqa: PLC0415 (the same)
    import socket  # noqa: PLC0415 (the same)
    import struct  # noqa: PLC0415 (the same)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", interface.encode()[: _IFREQ_NAME - 1]))
        except OSError as error:
            words = f"the interface {interface} has no IPv4 address: {error.strerror}"
            raise Failure("not-found", f"{words}; set SPEEDTEST_INTERFACE to another one, or to an address") from error
    return socket.inet_ntop(socket.AF_INET, answer[_IFREQ_ADDRESS])
