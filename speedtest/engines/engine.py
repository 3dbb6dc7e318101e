"""The contract of this package: what an engine is, how its program is started and how its output is read."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from speedtest.measurement import Failure, Measurement
from speedtest.process import Finished


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how a test should measure. None leaves it to the program. Each program uses what it supports."""

    server_id: str | None = None
    """A server's number in the program's own list."""
    excluded_id: str | None = None
    """The number of a server that the program must not choose."""
    server: str | None = None
    """The value of `SPEEDTEST_SERVER` for this program: a host, or a list of servers."""
    interface: str | None = None
    """The name or the address of the network interface to measure over."""
    ip_version: int | None = None
    """4 or 6, if only that kind of address may be used."""
    arguments: tuple[str, ...] = ()
    """Arguments of the user's own, from `SPEEDTEST_ARGUMENTS`."""
    ca_file: str | None = None
    """The file of the authorities to trust, for programs that do not honour `SSL_CERT_FILE`."""
    seconds: int | None = None
    """How long to measure each direction, if the program has an option for it."""
    udp_mbps: float | None = None
    """The rate of UDP datagrams, for programs that measure jitter and loss only on request."""
    one_of_many: bool = False
    """Whether there are other servers to ask if this one does not answer."""
    live: bool = False
    """Whether the program should report its progress while it runs, if it can."""


class Progress(msgspec.Struct, frozen=True):
    """The progress of a running test."""

    step: Literal["start", "latency", "download", "upload"]
    part: float = 0.0
    """The completed part of this step, from 0 to 1."""
    mbps: float | None = None
    """The speed so far, in Mbit/s."""
    latency_ms: float | None = None
    now_mbps: float | None = None
    """The speed of the last moment, in Mbit/s, for a curve; None if the program does not tell it."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The values of `SPEEDTEST_SERVER` that a program accepts."""

    allowed: str
    """The accepted values, in words."""
    fits: Callable[[str], bool]
    needed: bool = False
    """Whether a value is required because the program cannot choose a server itself."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How to list the servers of a program that has no option to exclude one."""

    arguments: Callable[[Target], list[str]]
    read: Callable[[Finished], list[str]]
    """Return the servers' numbers, the nearest first; empty if the program listed none."""


def options(*lines: str) -> frozenset[str]:
    """Return the options in these lines."""
    return frozenset(option for line in lines for option in line.split())


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which arguments of the user's own a program may get."""

    refused: frozenset[str] = frozenset()
    """Options that break the reading of what it prints, or that SpeedSnake sets itself: they have variables."""
    flags: str = ""
    """Letters of short options without a value: after one, another may follow in the same argument."""
    harmless: frozenset[str] = frozenset()
    """Options that cannot change what is measured."""

    def refusal(self, arguments: Sequence[str]) -> str | None:
        """Return the first argument that is refused; None if there is none. Programs accept shortened long options."""
        return next((argument for argument in arguments if self._is_refused(argument)), None)

    def doubtful(self, arguments: Sequence[str]) -> list[str]:
        """Return the options that may change what is measured."""
        options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
        return [option for option in options if option not in self.harmless]

    def _is_refused(self, argument: str) -> bool:
        name = argument.partition("=")[0]
        if argument == "--" or name in self.refused:
            return True
        if name.startswith("--"):
            return any(option.startswith(name) for option in self.refused)
        if not name.startswith("-"):
            return False
        if f"-{name}" in self.refused:  # some programs take one hyphen for two
            return True
        for letter in name[1:]:
            if f"-{letter}" in self.refused:
                return True
            if letter not in self.flags:
                break
        return False


class Known(msgspec.Struct, frozen=True):
    """What is known of a test that failed: the fields that its steps printed, and the bytes that they moved."""

    raw: dict[str, str | None] = {}
    data_bytes: int | None = None


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of speed-test program: its name, how to start it and how to read its output."""

    name: str
    """The engine's name in `SPEEDTEST_ENGINE` and in the column `engine`."""
    auto: int | None = None
    """The position in the order in which `auto` looks for programs; None if `auto` does not look for it."""
    fallback: bool = False
    """Whether `auto` asks it only after another program has failed, or if there is no other."""
    ours: bool = False
    """Whether the program is a module of ours, which this Python runs. It is always there."""
    programs: tuple[str, ...]
    """File names to look for on PATH, the likeliest first."""
    version: re.Pattern[str]
    """Finds the version, as group 1, in the output of `--version`; finds nothing in another program's output."""
    arguments: Callable[[Target], list[list[str]]]
    """Return the arguments of each step of a test. Steps run one after the other, within one time limit."""
    needed: int | None = None
    """How many steps, from the first, a result needs; None: all. The result stands if a later one fails."""
    seconds: Callable[[Target], Sequence[float]] = lambda _target: ()
    """Return the most seconds that each step may take, infinite from the end of the list on."""
    step_failed: Callable[[Finished], bool] = lambda finished: finished.exit_code != 0
    """Return whether a step that ended by itself failed. If it was needed, no further step is started."""
    is_busy: Callable[[Finished], bool] = lambda _finished: False
    """Return whether the server refused a step because it is busy: it may be so with the step before."""
    read: Callable[[Sequence[Finished]], Measurement]
    """Return the result that the steps printed: all steps, or those up to the first needed one that failed.

    A step that was not needed may have been ended at its time limit. Raises Failure if they printed no result, or one
    that cannot be true.
    """
    kept: Callable[[Sequence[Finished]], Known] = lambda _steps: Known()
    """Return what can be told of a test of several steps that failed. Never raises."""
    places: Callable[[Target], list[Target]] = lambda target: [target]
    """Return the servers that one attempt may ask in turn, until one measures. At least one."""
    passes_on: Callable[[Failure], bool] = lambda _failure: False
    """Return whether another server may still measure after this failure."""
    progress: Callable[[bytes], Progress | None] | None = None
    """Return the progress that a printed line reports; None if the line belongs to the result.

    The field itself is None if the program cannot report progress.
    """
    derive: Callable[[Mapping[str, str]], Measurement | None] = lambda _row: None
    """Return the result from the fields that the original program kept; None if another program printed them."""
    numbers: str | None = None
    """The list that its server numbers come from. `SPEEDTEST_SERVER_ID` applies to all engines with the same list."""
    vanished: Callable[[str], bool] = lambda _error: False
    """Return whether a failed attempt's words mean that the pinned server does not exist any more."""
    listing: Listing | None = None
    """How to find another server if `arguments` cannot exclude one; None if they can, or if there is no other."""
    options: Options = Options()
    """Which arguments `SPEEDTEST_ARGUMENTS` may add."""
    place: Place | None = None
    """What `SPEEDTEST_SERVER` may contain; None if the program does not use it."""

    def version_in(self, printed: str) -> str | None:
        """Return the version in the output of `--version`; None if another program printed it."""
        found = self.version.search(printed)
        return found[1].rstrip(".") if found else None
