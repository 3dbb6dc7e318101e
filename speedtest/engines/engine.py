"""The contract of this room: an engine is one speed-test program, how it is started and how its answer is read."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from speedtest.measurement import Measurement
from speedtest.process import Finished


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a test shall measure, as far as somebody said; each program takes of it what it can."""

    server_id: str | None = None
    """The number of a server in the program's own list."""
    excluded_id: str | None = None
    """The number of a server that the program shall not choose."""
    server: str | None = None
    """What `SPEEDTEST_SERVER` says for this program: a host, or a list of servers."""
    interface: str | None = None
    """The name or the address of the network interface to measure over."""
    seconds: int | None = None
    """How long to measure each direction, where the program can be told."""
    udp_mbps: float | None = None
    """The rate at which to send datagrams, for jitter and loss, where a program measures them only if asked."""
    live: bool = False
    """Whether somebody watches: a program that can tell how far it is shall do so while it runs."""


class Progress(msgspec.Struct, frozen=True):
    """How far a running test is."""

    step: Literal["start", "latency", "download", "upload"]
    part: float = 0.0
    """Of this step, from 0 to 1."""
    mbps: float | None = None
    """Mbit/s so far."""
    latency_ms: float | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What `SPEEDTEST_SERVER` may say for a program."""

    allowed: str
    """What a text must be, in words."""
    fits: Callable[[str], bool]
    needed: bool = False
    """Whether the program has no server of its own to choose."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How a program that cannot leave a server out lists those from which to pick another one."""

    arguments: Callable[[Target], list[str]]
    read: Callable[[Finished], list[str]]
    """The numbers of the servers, the nearest first; none if it did not list any."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One speed-test program: what it is called, how it is started and how its answer is read."""

    name: str
    """An item of `SPEEDTEST_ENGINE`, and the value of the column `engine`."""
    auto: int | None = None
    """Its place in the order in which `auto` looks for programs; None: it measures only where it is asked for."""
    programs: tuple[str, ...]
    """Names under which it may be on PATH, the likeliest first."""
    version: re.Pattern[str]
    """Finds its version, as the first group, in what `--version` prints; finds nothing in what another one prints."""
    arguments: Callable[[Target], list[list[str]]]
    """What it is started with: a list for each step of a test. Steps run one after the other, within one time limit."""
    step_failed: Callable[[Finished], bool] = lambda finished: finished.exit_code != 0
    """Say whether a step that ended by itself failed, so that no further one is started."""
    read: Callable[[Sequence[Finished]], Measurement]
    """The result in what its steps printed: all of them, or those up to the first that failed.

    Raises Failure, for anything that is not a result that can be true.
    """
    progress: Callable[[bytes], Progress | None] | None = None
    """What a line says that it prints while it runs and somebody watches; None for a line that belongs to the result.

    No such function: the program cannot tell.
    """
    derive: Callable[[Mapping[str, str]], Measurement | None] = lambda _row: None
    """The same from the flattened fields alone, as the original program kept them; None if they are not its own."""
    numbers: str | None = None
    """Whose list of servers its numbers are from: `SPEEDTEST_SERVER_ID` counts for every engine of the same list."""
    vanished: Callable[[str], bool] = lambda _error: False
    """Say whether a failed attempt's words mean that the server asked for by number is not there any more."""
    listing: Listing | None = None
    """How to find another server where `excluded_id` is not among its arguments."""
    place: Place | None = None
    """What `SPEEDTEST_SERVER` may be; None if the program takes none."""

    def version_in(self, printed: str) -> str | None:
        """Return the version that `--version` printed; None if another program answered."""
        found = self.version.search(printed)
        return found[1].rstrip(".") if found else None
