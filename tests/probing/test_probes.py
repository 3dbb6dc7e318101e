"""Probes through real sockets on loopback: echoes, connections, questions to a resolver, and nonsense in answer."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from speedtest.probing import echoes, handshakes, questions
from speedtest.probing.echoes import Echoes
from speedtest.probing.handshakes import Handshakes
from speedtest.probing.probes import ProbeKind, Probes
from speedtest.probing.questions import Questions
from speedtest.probing.sockets import Reply
from speedtest.values.hosts import version_of

HERE, HERE_6 = "127.0.0.1", "::1"
UNREACHABLE = "255.255.255.255"
"""The kernel refuses to send there without a broadcast socket."""
REPLY = 0
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


@pytest.fixture
def probes() -> Iterator[Probes]:
    with contextlib.closing(Probes()) as made:
        yield made


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return a free port, which handshakes use in place of 443."""
    with socket.create_server((HERE, 0)) as taken:
        free: int = taken.getsockname()[1]
    monkeypatch.setattr(handshakes, "_PORT", free)
    return free


def heard(probes: Probes, seconds: float = 2.0, number: int = 1) -> list[Reply]:
    """Return the answers that come, up to this number of them."""
    found: list[Reply] = []

    def hear(answer: Reply, _to: ProbeKind) -> bool:
        found.append(answer)
        return len(found) < number

    probes.collect(seconds, hear)
    return found


def needs_echoes(probes: Probes, version: int = 4) -> None:
    if version == 6:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            try:
                sender.connect((HERE_6, 9))
            except OSError:
                pytest.skip("this machine has no IPv6 loopback")
    if probes.method(version) != "icmp":
        pytest.skip("this user may send no echoes: see net.ipv4.ping_group_range")


@pytest.mark.parametrize("address", [HERE, HERE_6])
def test_each_echo_is_answered_with_its_own_round_trip(probes: Probes, address: str) -> None:
    needs_echoes(probes, version_of(address) or 4)
    began = time.monotonic()
    assert all(probes.send(address) for _ in range(3))
    answers = heard(probes, 20, number=3)
    assert time.monotonic() - began < 10, "nothing more was wanted"
    assert [answer.address for answer in answers] == [address] * 3
    assert len({answer.sent for answer in answers}) == 3
    assert all(0 < answer.seconds < 1 for answer in answers)
    assert heard(probes, 0.05) == []


def test_an_echo_over_an_interface_needs_the_interface(probes: Probes) -> None:
    needs_echoes(probes)
    with contextlib.closing(Probes("lo")) as over_lo, contextlib.closing(Probes("none0")) as over_none:
        assert over_lo.send(HERE)
        assert len(heard(over_lo)) == 1
        assert not over_none.send(HERE)
        assert over_none.method(4) == "icmp", "an interface that is gone for a moment forbids no echoes"


@pytest.mark.parametrize("method", ["icmp", "tcp"])
def test_an_address_that_cannot_be_reached_costs_no_other_its_answer(
    method: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if method == "tcp":
        forbid_echoes(monkeypatch)
    with contextlib.closing(Probes()) as probes, socket.create_server((HERE, port)):
        if method == "icmp":
            needs_echoes(probes)
        assert probes.send(HERE)
        assert not probes.send(UNREACHABLE)
        assert [answer.address for answer in heard(probes)] == [HERE]


def forbid_echoes(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_version: int) -> tuple[socket.socket, bool]:
        raise PermissionError

    monkeypatch.setattr(echoes, "_icmp_socket", forbidden)


def test_without_echoes_an_open_port_answers_and_a_closed_one_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_echoes(monkeypatch)
    with contextlib.closing(Probes()) as probes:
        assert probes.method(4) == "tcp"
        with socket.create_server((HERE, port)):
            assert probes.send(HERE)
            (accepted,) = heard(probes)
        assert probes.send(HERE)
        (refused,) = heard(probes)
    for answer in (accepted, refused):
        assert answer.address == HERE
        assert 0 <= answer.seconds < 1


def test_a_port_that_is_silent_does_not_answer_and_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_echoes(monkeypatch)
    with contextlib.ExitStack() as open_sockets, contextlib.closing(Handshakes(4, None)) as silent:
        listening = open_sockets.enter_context(socket.create_server((HERE, port), backlog=0))
        for _ in range(2):  # more than the queue of connections holds: the kernel drops the next
            waiting = open_sockets.enter_context(socket.socket())
            waiting.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        silent.send(HERE)
        time.sleep(0.1)
        assert list(silent.read()) == []
        assert len(list(silent.descriptors())) == 1
        monkeypatch.setattr(handshakes, "LATE_SECONDS", 0.05)
        silent.send(HERE)
        assert len(list(silent.descriptors())) == 1, "the old one is closed"


def test_a_wait_ends_at_its_time_at_a_wake_and_when_nothing_more_is_wanted(probes: Probes) -> None:
    began = time.monotonic()
    assert heard(probes, 0.1) == []
    assert 0.1 <= time.monotonic() - began < 1
    probes.wake()
    assert heard(probes, 60) == []
    assert heard(probes, 60) == []
    assert time.monotonic() - began < 2


def test_a_knock_is_answered_beside_the_echo_and_told_apart(probes: Probes, port: int) -> None:
    needs_echoes(probes)
    questions: list[ProbeKind] = []

    def hear(_answer: Reply, to: ProbeKind) -> bool:
        questions.append(to)
        return len(questions) < 2

    with socket.create_server((HERE, port)):
        assert probes.send(HERE)
        probes.knock(HERE)
        probes.knock(UNREACHABLE)
        probes.collect(2, hear)
    assert sorted(questions) == ["knock", "probe"]


class Resolver:
    """A resolver on loopback, at a port of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HERE, 0))
        self._socket.settimeout(2)
        monkeypatch.setattr(questions, "_PORT", self._socket.getsockname()[1])

    def question(self) -> bytes:
        packet, self._client = self._socket.recvfrom(512)
        return packet

    def say(self, packet: bytes) -> None:
        self._socket.sendto(packet, self._client)

    def close(self) -> None:
        self._socket.close()


def said(question: bytes, code: int, *, flags: int = 0x8180) -> bytes:
    """Return an answer to a question, without records."""
    return question[:2] + struct.pack("!HHHHH", flags | code, 1, 0, 0, 0) + question[12:]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    with contextlib.closing(Resolver(monkeypatch)) as made:
        yield made


@pytest.mark.parametrize(
    ("code", "resolves"), [(NOERROR, True), (NXDOMAIN, True), (SERVFAIL, False), (REFUSED, False), (15, False)]
)
def test_a_resolver_that_says_whether_a_name_exists_resolves(
    probes: Probes, resolver: Resolver, code: int, *, resolves: bool
) -> None:
    assert probes.ask(HERE)
    resolver.say(said(resolver.question(), code))
    answers = heard(probes, 2 if resolves else 0.1)
    assert [answer.address for answer in answers] == ([HERE] if resolves else [])


def test_a_question_asks_for_the_address_of_a_public_name_and_each_for_another(
    probes: Probes, resolver: Resolver
) -> None:
    names: set[bytes] = set()
    numbers: set[bytes] = set()
    for _ in range(3):
        assert probes.ask(HERE)
        asked = resolver.question()
        assert asked[2:12] == struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0), "recursion is wanted, one question"
        assert asked.endswith(b"\0\0\1\0\1"), "an address (A) of the internet (IN)"
        numbers.add(asked[:2])
        names.add(asked[12:])
    assert len(names) == len(numbers) == 3


def test_answers_that_are_none_to_this_question_are_ignored(probes: Probes, resolver: Resolver) -> None:
    assert probes.ask(HERE)
    question = resolver.question()
    other = struct.pack("!H", (int.from_bytes(question[:2]) + 1) & 0xFFFF) + question[2:]
    for nonsense in (b"", question[:11], question, said(other, NOERROR), said(question, NOERROR, flags=0x0180)[:2]):
        resolver.say(nonsense)
    assert heard(probes, 0.1) == []


def test_a_resolver_that_nobody_runs_is_silent(probes: Probes, resolver: Resolver) -> None:
    resolver.close()
    assert probes.ask(HERE)
    assert heard(probes, 0.1) == []
    assert probes.ask(HERE), "the refusal of the first question does not break the next"


def header(kind: int, identifier: int, number: int) -> bytes:
    return struct.pack("!BBHHH", kind, 0, 0, identifier & 0xFFFF, number & 0xFFFF)


def nearly_answers(identifier: int, number: int) -> st.SearchStrategy[bytes]:
    """Return packets that are no answer to this echo: of another kind, to another one, to another program, or cut."""
    numbers = st.integers(number - 1, number + 1)
    whole = st.one_of(
        st.builds(header, st.sampled_from([3, 8, 11, 129]), st.just(identifier), numbers),
        st.builds(header, st.just(REPLY), st.integers(identifier + 1, identifier + 9), numbers),
        st.builds(header, st.just(REPLY), st.just(identifier), st.just(number + 1)),
    )
    below_ipv4 = st.tuples(st.integers(0x40, 0x4F).map(lambda first: bytes([first])), whole).map(b"".join)
    return st.one_of(whole, below_ipv4, st.binary(max_size=80))


@given(st.data())
def test_no_nonsense_is_an_echo_or_hides_one(data: st.DataObject) -> None:
    """The socket is one of UDP, so that a program may answer in place of a kernel."""
    with pytest.MonkeyPatch.context() as patch, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind((HERE, 0))
        where = target.getsockname()

        def to(_address: str, _port: int) -> tuple[str, int]:
            return where

        patch.setattr(echoes, "to", to)
        patch.setattr(echoes, "_icmp_socket", _udp)
        with contextlib.closing(Echoes(4, None)) as sender:
            sender.send(HERE)
            request, client = target.recvfrom(512)
            _, _, _, identifier, number = struct.unpack_from("!BBHHH", request)
            for nonsense in data.draw(st.lists(nearly_answers(identifier, number), max_size=6)):
                target.sendto(nonsense, client)
            assert list(sender.read()) == []
            for _ in range(2):
                target.sendto(bytes([REPLY]) + request[1:], client)
            assert len(list(sender.read())) == 1, "one echo has one answer"


def _udp(_version: int) -> tuple[socket.socket, bool]:
    """Return a socket in place of a raw one, which hears the answers to all programs."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(0)
    return udp, True


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_no_nonsense_is_an_answer_of_a_resolver_or_breaks_the_reader(nonsense: list[bytes]) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.closing(Resolver(patch)) as resolver,
        contextlib.closing(Questions()) as asking,
    ):
        asking.send(HERE)
        question = resolver.question()
        for packet in nonsense:
            resolver.say(packet if packet[:2] != question[:2] else packet[2:])
        assert list(asking.read()) == []
        resolver.say(said(question, NOERROR))
        assert [answer.address for answer in asking.read()] == [HERE]
