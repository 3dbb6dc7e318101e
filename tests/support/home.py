"""A home, its router and a provider in network namespaces of their own. Nothing leaves them; root is needed.

home ── switch ── router ── provider with three targets (1.1.1.1, 8.8.8.8, 9.9.9.9 and their IPv6 twins); the router
also resolves names. The switch is there so that the home keeps its carrier when the router dies.
"""

import contextlib
import itertools
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec
from standins import debian

TOOLS = Path(__file__).parent.parent.parent / ".tools"
TARGETS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
TWINS = ("2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe")
ROUTER, ROUTER_6 = "10.66.1.1", "fd66:1::1"
SO_TIMESTAMPNS, TIMESPEC = 35, struct.Struct("@qq")
ECHO = 8
ETHERNET = 14
"""Bytes of its header."""
_numbers = itertools.count(1)

BUILD = """
link add h0 netns {home} type veth peer name s0 netns {switch}
link add s1 netns {switch} type veth peer name r0 netns {router}
link add r1 netns {router} type veth peer name p0 netns {provider}
-n {switch} link add bridge type bridge
-n {switch} link set s0 master bridge up
-n {switch} link set s1 master bridge up
-n {switch} link set bridge up
-n {home} address add 10.66.1.2/24 dev h0
-n {home} address add fd66:1::2/64 dev h0 nodad
-n {router} address add 10.66.1.1/24 dev r0
-n {router} address add fd66:1::1/64 dev r0 nodad
-n {router} address add 10.66.2.2/24 dev r1
-n {router} address add fd66:2::2/64 dev r1 nodad
-n {provider} address add 10.66.2.1/24 dev p0
-n {provider} address add fd66:2::1/64 dev p0 nodad
"""
ROUTES = """
-n {home} route replace default via 10.66.1.1
-n {home} -6 route replace default via fd66:1::1
-n {router} route replace default via 10.66.2.1
-n {router} -6 route replace default via fd66:2::1
-n {provider} route replace 10.66.1.0/24 via 10.66.2.2
-n {provider} -6 route replace fd66:1::/64 via fd66:2::2
"""
LAUNCH = """
import importlib, runpy, sys
import msgspec
for place, value in msgspec.json.decode(sys.argv[1]).items():
    module, _, name = place.partition(":")
    setattr(importlib.import_module(module), name, value)
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Starts a module of ours with other values of some constants, in JSON: `{"module:NAME": value}`."""
NO_CONTAINER: Mapping[str, object] = {"speedtest.probing.routes:CONTAINER_MARKS": []}
"""Hides that this machine is a container itself."""
NOBODY = "65534"


def is_possible() -> bool:
    """Return whether this machine lets us make network namespaces."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "netns", "add", f"speedsnake-try-{os.getpid()}"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", f"speedsnake-try-{os.getpid()}"], capture_output=True, check=False)
    return made.returncode == 0


class Home:
    """The namespaces and what lies between them, for a `with` block."""

    def __init__(self) -> None:
        mark = f"speedsnake-{os.getpid()}-{next(_numbers)}"
        self._names = {place: f"{mark}-{place}" for place in ("home", "switch", "router", "provider")}
        self._stop = contextlib.ExitStack()
        self._resolves = threading.Event()
        self._resolves.set()

    def __enter__(self) -> Self:
        etc = Path("/etc/netns") / self._names["home"]
        self._stop.callback(shutil.rmtree, etc, ignore_errors=True)
        etc.mkdir(parents=True)
        (etc / "resolv.conf").write_text(f"nameserver {ROUTER}\n")
        for name in self._names.values():
            _ip(f"netns add {name}")
            self._stop.callback(_ip, f"netns del {name}")
            self.sysctl_in(name, "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.dad_transmits=0")
            self.sysctl_in(name, "net.ipv6.conf.all.keep_addr_on_down=1")
        self._all(BUILD)
        for place, devices in {"home": "lo h0", "router": "lo r0 r1", "provider": "lo p0"}.items():
            for device in devices.split():
                self.ip(place, f"link set {device} up")
        self.sysctl("router", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for target in TARGETS:
            self.ip("provider", f"address add {target}/32 dev lo")
        for target in TWINS:
            self.ip("provider", f"address add {target}/128 dev lo")
        self.route()
        self.allow_icmp()
        self._serve_names()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()

    def ip(self, place: str, command: str) -> None:
        """Run a command of `ip` in one of the places."""
        _ip(f"-n {self._names[place]} {command}")

    def sysctl(self, place: str, *settings: str) -> None:
        self.sysctl_in(self._names[place], *settings)

    @staticmethod
    def sysctl_in(name: str, *settings: str) -> None:
        for setting in settings:
            key, _, value = setting.partition("=")
            path = "/proc/sys/" + key.replace(".", "/")
            subprocess.run(
                ["ip", "netns", "exec", name, "sh", "-c", f"[ ! -e {path} ] || echo '{value}' >{path}"], check=True
            )

    def allow_icmp(self, groups: str = "0 2147483647") -> None:
        """Allow these groups to send echoes without a right of root."""
        self.sysctl("home", f"net.ipv4.ping_group_range={groups}")

    def route(self) -> None:
        """Set all routes: those of a device that was down are gone."""
        self._all(ROUTES)

    def command(self, *arguments: str) -> list[str]:
        """Return a command that runs in the home, with its resolver and its own `/sys`."""
        return self.command_in("home", *arguments)

    def command_in(self, place: str, *arguments: str) -> list[str]:
        """Return a command that runs in one of the places."""
        return ["ip", "netns", "exec", self._names[place], *arguments]

    def start(
        self,
        folder: Path,
        *module: str,
        user: str | None = None,
        constants: Mapping[str, object] = NO_CONTAINER,
        under: Sequence[str] = (),
        variables: Mapping[str, str],
    ) -> subprocess.Popen[bytes]:
        """Start a module of ours in the home, with these constants; `under` is a command in front of it.

        A user other than root owns the folder, and may read all files: Python may lie in the home of root.
        """
        folder.mkdir(parents=True, exist_ok=True)
        by_user: list[str] = []
        if user:
            os.chown(folder, int(user), int(user))
            by_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
            by_user += [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
        launch = ["-c", LAUNCH, msgspec.json.encode(constants).decode()] if constants else ["-m"]
        with (folder / "stderr").open("ab") as stderr:
            return subprocess.Popen(
                self.command(*under, *by_user, sys.executable, *launch, *module),
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )

    # ------------------------------------------------------------------------------------------------- faults

    @contextlib.contextmanager
    def cut_upstream(self) -> Iterator[None]:
        self.ip("router", "link set r1 down")
        yield
        self.ip("router", "link set r1 up")
        self.route()

    @contextlib.contextmanager
    def dead_router(self) -> Iterator[None]:
        self.ip("router", "link set r0 down")
        yield
        self.ip("router", "link set r0 up")
        self.ip("router", "address replace fd66:1::1/64 dev r0 nodad")
        self.route()
        self._wait_until_it_carries("switch", "s1/brport/state", "3")

    @contextlib.contextmanager
    def cable_out(self) -> Iterator[None]:
        self.ip("switch", "link set s0 down")
        yield
        self.ip("switch", "link set s0 up")
        self._wait_until_it_carries("home", "h0/operstate", "up")
        self._wait_until_it_carries("switch", "s0/brport/state", "3")

    @contextlib.contextmanager
    def dead_target(self, target: str = TARGETS[2]) -> Iterator[None]:
        self.ip("provider", f"address del {target}/32 dev lo")
        self.ip("provider", f"route replace blackhole {target}/32")
        yield
        self.ip("provider", f"route del blackhole {target}/32")
        self.ip("provider", f"address add {target}/32 dev lo")

    @contextlib.contextmanager
    def without_ipv6(self) -> Iterator[None]:
        self.sysctl("router", "net.ipv6.conf.all.forwarding=0")
        yield
        self.sysctl("router", "net.ipv6.conf.all.forwarding=1")
        self.route()

    @contextlib.contextmanager
    def without_ipv4(self) -> Iterator[None]:
        self.sysctl("router", "net.ipv4.ip_forward=0")
        yield
        self.sysctl("router", "net.ipv4.ip_forward=1")
        self.route()

    @contextlib.contextmanager
    def dead_resolver(self) -> Iterator[None]:
        self._resolves.clear()
        yield
        self._resolves.set()

    @contextlib.contextmanager
    def accepting(self, port: int = 443) -> Iterator[None]:
        """Let the provider accept connections to all targets; otherwise it refuses them."""
        listening = self.inside(
            "provider", lambda: socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        )
        listening.settimeout(0.2)
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    listening.accept()[0].close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield
        over.set()
        thread.join()
        listening.close()

    @contextlib.contextmanager
    def loss(self, percent: float) -> Iterator[None]:
        """Lose this share of the packets to and from the provider, at random in each direction."""
        tables = self._tables()
        drop = f"-m statistic --mode random --probability {percent / 100} -j DROP"
        for table in tables:
            for device in ("r0", "r1"):
                self.run("router", str(table), *f"-A FORWARD -i {device} {drop}".split())
        yield
        for table in tables:
            self.run("router", str(table), "-F", "FORWARD")

    @contextlib.contextmanager
    def without_echoes(self) -> Iterator[None]:
        """Let no echo through the router, as some networks do; the provider accepts connections."""
        kinds = ("-p icmp --icmp-type echo-request", "-p icmpv6 --icmpv6-type echo-request")
        for table, kind in zip(self._tables(), kinds, strict=True):
            self.run("router", str(table), *f"-A FORWARD {kind} -j DROP".split())
        with self.accepting():
            yield

    @staticmethod
    def _tables() -> list[Path]:
        return [debian.program(name, "iptables", TOOLS / name) for name in ("iptables", "ip6tables")]

    @contextlib.contextmanager
    def saturated(self, mbps: float = 1.0) -> Iterator[None]:
        """Fill the line: the router sends at most this much to the home, and the provider sends four times as much."""
        self.run("router", "tc", *f"qdisc add dev r0 root tbf rate {mbps}mbit burst 16000 latency 800ms".split())
        sender = self.inside("provider", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        over = threading.Event()

        def flood() -> None:
            while not over.wait(1400 * 8 / (mbps * 4e6)):
                with contextlib.suppress(OSError):
                    sender.sendto(bytes(1400), ("10.66.1.2", 9))

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        yield
        over.set()
        thread.join()
        sender.close()
        self.run("router", "tc", *["qdisc", "del", "dev", "r0", "root"])

    def _wait_until_it_carries(self, place: str, file: str, state: str) -> None:
        """Wait until the kernel uses a link that is plugged in again: that may take it a second."""
        command = ["ip", "netns", "exec", self._names[place], "cat", f"/sys/class/net/{file}"]
        while subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() != state:
            time.sleep(0.02)

    # ------------------------------------------------------------------------------------------- what is seen

    def bytes_moved(self) -> int:
        """Return the bytes of all IP packets that have passed between the router and the provider so far."""
        names = [f"/sys/class/net/p0/statistics/{way}_{what}" for what in ("bytes", "packets") for way in ("rx", "tx")]
        command = ["ip", "netns", "exec", self._names["provider"], "cat", *names]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        received, sent, packets_received, packets_sent = map(int, told.split())
        return received + sent - ETHERNET * (packets_received + packets_sent)

    @contextlib.contextmanager
    def echoes(self, target: str = TARGETS[0]) -> Iterator[list[float]]:
        """Yield when echoes reach this target, by the kernel's clock: the list grows in the block."""
        seen: list[float] = []
        raw = self.inside("provider", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        raw.settimeout(0.2)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    packet, told, _, _ = raw.recvmsg(2048, 128)
                    is_echo = packet[16:20] == socket.inet_aton(target) and packet[20] == ECHO
                    seconds, nanoseconds = TIMESPEC.unpack(told[0][2])
                    seen.extend([seconds + nanoseconds / 1e9] if is_echo else [])
            raw.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield seen
        over.set()
        thread.join()

    def run(self, place: str, *command: str) -> None:
        """Run a command in one of the places."""
        subprocess.run(["ip", "netns", "exec", self._names[place], *command], check=True, capture_output=True)

    # ------------------------------------------------------------------------------------------------- building

    def _all(self, commands: str) -> None:
        for command in commands.format_map(self._names).strip().splitlines():
            _ip(command)

    def _serve_names(self) -> None:
        """Answer every question to the router, as long as the resolver is alive."""
        served = self.inside("router", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        served.bind((ROUTER, 53))
        served.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    question, sender = served.recvfrom(512)
                    if self._resolves.is_set():
                        served.sendto(_resolved(question), sender)
            served.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self._stop.callback(thread.join)
        self._stop.callback(over.set)

    def inside[Made](self, place: str, make: Callable[[], Made]) -> Made:
        """Make something, such as a socket, in one of the places. Only this thread goes there."""
        made: list[Made] = []

        def work() -> None:
            with Path("/run/netns", self._names[place]).open() as name:
                os.setns(name.fileno(), os.CLONE_NEWNET)
            made.append(make())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return made[0]


def _resolved(question: bytes) -> bytes:
    """Return an answer to a question of DNS: that the name has the address 192.0.2.1."""
    number = question[:2]
    asked = question[12 : question.index(b"\0", 12) + 5]
    return number + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + asked + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"


def _ip(command: str) -> None:
    done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {command}: {done.stderr}"


def environment(folder: Path, **more: str) -> Mapping[str, str]:
    """Return what a daemon in the home needs: folders, a program that fails, and a short interval of the watch."""
    program = folder / "bin" / "speedtest"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'Speedtest by Ookla 1.2.0.84 (x)'; exit; }\n"
        'echo "[error] Cannot open socket" >&2; exit 2\n'
    )
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "LOG_LEVEL": "DEBUG",
        "SLEEP_SECONDS": "3600",
        "SPEEDTEST_RETRIES": "0",
        "SPEEDTEST_AFTER_OUTAGE": "0",
        "WATCH_SECONDS": "1",
        "SPEEDTEST_ENGINE": "ookla",
    } | more
