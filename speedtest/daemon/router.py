"""What the router knows of the line (`ROUTER_ASK=1`): asked before and after each test, and after an outage.

A child asks it (`python -m speedtest.router`), within `ASK_SECONDS`, so that no test is late by more. Its services are
looked for in the background, at the start and, if it did not answer, once an hour: a router that does not answer costs
a test nothing, and is told once. Its external address is not kept, only a digest by a key that dies with this process.
"""

import os
import sys
import threading
import time
from collections.abc import Mapping

import msgspec

from speedtest import programs
from speedtest.daemon import link
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.probing import routes
from speedtest.process import Stop, run

events = Events(__name__)

ASK_SECONDS = 2.5
"""The most time for one look at known services."""
FIND_SECONDS = 15.0
AGAIN_SECONDS = 3600.0
"""How often a router that does not answer is looked for again."""
MOST_SILENCES = 3
"""After so many looks in a row without an answer its services are looked for again."""
_PROGRAM = (sys.executable, "-P", "-m", "speedtest.router")


class RouterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the router said at one moment. `speedtest.router.program` says what each field is."""

    at: float = 0.0
    known: msgspec.Raw = msgspec.Raw(b"")
    name: str | None = None
    link_down_mbps: float | None = None
    link_up_mbps: float | None = None
    link_status: str | None = None
    wan_status: str | None = None
    wan_uptime_seconds: int | None = None
    bytes_down: int | None = None
    bytes_up: int | None = None
    counter_bits: int | None = None
    address: str | None = None
    problems: tuple[str, ...] = ()

    @property
    def connected_at(self) -> float | None:
        """When the WAN was connected last, by the clock of `at`; None if the router does not say."""
        return None if self.wan_uptime_seconds is None else self.at - self.wan_uptime_seconds


def asked_address(settings: Settings) -> tuple[str | None, str]:
    """Return the address of the router that may be asked, else None and why not."""
    if link.is_behind_bridge(link.interface(settings)):
        return None, "this is a container on a bridge, which leads to no router: network_mode: host does"
    way = routes.ways(settings.speedtest_interface).ipv4
    if way is None or way.router is None:
        return None, "there is no default route to a router by IPv4"
    return way.router, ""


def look(address: str, stop: Stop, environment: Mapping[str, str], known: msgspec.Raw | None = None) -> RouterAnswer:
    """Ask a router, at its known services, or find them first. An answer without `known` has only problems."""
    seconds = ASK_SECONDS if known else FIND_SECONDS
    arguments = [*_PROGRAM, address, "--seconds", str(seconds - 0.5)]
    arguments += ["--known", bytes(known).decode()] if known else []
    try:
        finished = run(arguments, seconds=seconds, stop=stop, environment=environment)
        return msgspec.json.decode(finished.stdout, type=RouterAnswer)
    except OSError as error:
        return RouterAnswer(problems=(f"could not start the program that asks it: {error.strerror}",))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return RouterAnswer(problems=("no complete answer in time",))


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the child that asks, with a new key for the digest of the external address."""
    return programs.child_environment(environment, ours=True) | {"ROUTER_KEY": os.urandom(16).hex()}


class Router:
    """Asks the router of one line. Any thread may ask; each gets its own answer."""

    def __init__(self, settings: Settings, stop: Stop, environment: Mapping[str, str]) -> None:
        """Ask nothing yet."""
        self._settings, self._stop = settings, stop
        self._environment = child_environment(environment) if settings.router_ask else {}
        self._address: str | None = None
        self._known: msgspec.Raw | None = None
        self._silences = 0
        self._told: bool | None = None
        self._next_search = 0.0
        self._search: threading.Thread | None = None

    def begin(self) -> None:
        """Look for the router's services in the background, if that is wanted and due."""
        due = self._settings.router_ask and time.monotonic() >= self._next_search
        if due and not (self._search and self._search.is_alive()):
            self._next_search = time.monotonic() + AGAIN_SECONDS
            self._search = threading.Thread(target=self._find, name="router", daemon=True)
            self._search.start()

    def ask(self) -> RouterAnswer | None:
        """Return what the router says now; None if it is not asked, or does not answer in time."""
        if not self._known:
            self.begin()
            return None
        address, _ = asked_address(self._settings)
        if address != self._address or address is None:
            self._forget()
            return None
        answer = look(address, self._stop, self._environment, self._known)
        if bytes(answer.known):
            self._silences = 0
            return answer
        self._silences += 1
        if self._silences >= MOST_SILENCES and not self._stop.requested:
            self._tell_silence(answer)
            self._forget()
        return None

    def end(self) -> None:
        """Wait for the search, which a stop ends."""
        if self._search:
            self._search.join()

    def _forget(self) -> None:
        """Look for the services again, at once if another router is in use."""
        if asked_address(self._settings)[0] != self._address:
            self._next_search = 0.0
        self._known, self._silences = None, 0
        self.begin()

    def find(self) -> RouterAnswer:
        """Look for the router's services now, and return what it says."""
        address, why = asked_address(self._settings)
        answer = look(address, self._stop, self._environment) if address else RouterAnswer(problems=(why,))
        self._address, self._known = address, answer.known if bytes(answer.known) else None
        return answer

    def _find(self) -> None:
        answer = self.find()
        if self._stop.requested:
            return
        if not self._known:
            self._tell_silence(answer)
        elif self._told is not True:
            self._told = True
            events.info("router_answers", "the router tells what it knows of the line: %s", words(answer))

    def _tell_silence(self, answer: RouterAnswer) -> None:
        if self._told is not False:
            self._told = False
            why = "; ".join(answer.problems)
            events.warning("router_silent", "the router tells nothing (it is asked again every hour): %s", why)


def shown(answer: RouterAnswer) -> dict[str, object]:
    """Return what a router answers for people and programs, without where it was asked, and without its address."""
    found = msgspec.structs.asdict(answer)
    return {name: value for name, value in found.items() if name not in ("at", "known", "address", "counter_bits")}


def words(answer: RouterAnswer) -> str:
    """Return what a router answers, in words for people."""
    down, up = answer.link_down_mbps, answer.link_up_mbps
    rates = f"link {'?' if down is None else f'{down:g}'} Mbit/s down, {'?' if up is None else f'{up:g}'} up"
    uptime = answer.wan_uptime_seconds
    parts = [
        answer.name or "unknown model",
        rates if down or up else "",
        f"WAN {answer.wan_status}" if answer.wan_status else "",
        f"connected for {uptime // 3600} h {uptime % 3600 // 60} min" if uptime is not None else "",
        "counts the bytes of the whole house" if answer.bytes_down is not None else "",
    ]
    return ", ".join(part for part in parts if part)
