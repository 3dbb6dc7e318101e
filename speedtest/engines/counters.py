"""The bytes that this machine's network interfaces have moved, as the kernel counts them (Linux).

`/proc/net/dev` has the counters of `/sys/class/net`, and always those of the process's own network namespace.
"""

from collections.abc import Mapping
from pathlib import Path

_COUNTERS = Path("/proc/net/dev")
_LOOPBACK = "lo"
_RECEIVED, _SENT = 0, 8

type Counters = Mapping[str, int]
"""Bytes received and sent, by interface."""


def read(path: Path = _COUNTERS) -> Counters:
    """Return the counters now; empty if this system has none."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()[2:]
    except OSError:
        return {}
    counters: dict[str, int] = {}
    for line in lines:
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        if len(fields) > _SENT and fields[_RECEIVED].isdigit() and fields[_SENT].isdigit():
            counters[name.strip()] = int(fields[_RECEIVED]) + int(fields[_SENT])
    return counters


def moved(before: Counters, after: Counters, interface: str | None = None) -> int | None:
    """Return the bytes that this interface has moved meanwhile, else the one that moved most; None if none counts.

    Bytes that pass a bridge or a tunnel are counted by several interfaces, so a sum would count them twice. The
    loopback interface costs nobody anything: it counts only if it is asked for.
    """
    if interface in before and interface in after:
        return max(after[interface] - before[interface], 0)
    grown = [after[name] - before[name] for name in after if name in before and name != _LOOPBACK]
    return max([*grown, 0]) if grown else None
