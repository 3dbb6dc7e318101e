"""Where a test measures: the arguments of each program, and how another server is found."""

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from attempts import NOW, SECOND, attempt, find, settings, write_program
from paths import PROJECT
from samples import logged
from standins import iperf3 as iperf3_server, librespeed, ookla
from standins.service import FAR, NEAR, Service

from speedtest import programs, speedtest
from speedtest.engines import ENGINES, iperf3 as iperf3_engine, network_interface
from speedtest.engines.engine import Target
from speedtest.engines.network_interface import address_of
from speedtest.environment import Mistakes
from speedtest.measurement import Failure, Measurement
from speedtest.process import Stop
from speedtest.speedtest import Slot
from speedtest.terminal import startup

LOADED = ["--json", "--interval", "0", "--connect-timeout", "10000", "--client", "h", "--port", "7"]
STARTED: list[tuple[str, Target, list[str]]] = [
    ("ookla", Target(interface="eth1"), ["--interface=eth1"]),
    ("ookla", Target(interface="192.0.2.7"), ["--ip=192.0.2.7"]),
    ("speedtest-cli", Target(interface="192.0.2.7", excluded_id="5"), ["--exclude", "5", "--source", "192.0.2.7"]),
    ("speedtest-cli", Target(interface="lo"), ["--source", "127.0.0.1"]),
    ("ookla", Target(interface="lo", ip_version=4), ["--ip=127.0.0.1"]),
    ("ookla", Target(ca_file="/ca.pem"), ["--ca-certificate=/ca.pem"]),
    ("speedtest-cli", Target(interface="lo", ip_version=6), ["--source", "::1"]),
    ("librespeed", Target(interface="192.0.2.7"), ["--ipv4", "--source", "192.0.2.7"]),
    ("librespeed", Target(interface="eth1", ip_version=6), ["--ipv6", "--interface", "eth1"]),
    ("librespeed", Target(ip_version=4), ["--ipv4"]),
    ("librespeed", Target(server="https://h/list.json"), ["--server-json", "https://h/list.json"]),
    ("librespeed", Target(interface="eth1", excluded_id="5"), ["--exclude", "5", "--interface", "eth1"]),
    ("librespeed", Target(interface="2001:db8::1", seconds=3), ["--source", "2001:db8::1", "--duration", "3"]),
    ("iperf3", Target(server="h:7"), [*LOADED, "--parallel", "4", "--time", "10", "--reverse"]),
    ("iperf3", Target(server="h:7", seconds=3), [*LOADED, "--parallel", "4", "--time", "3", "--reverse"]),
]


@pytest.mark.parametrize(("engine", "target", "arguments"), STARTED)
def test_a_program_is_told_what_was_chosen(engine: str, target: Target, arguments: list[str]) -> None:
    assert ENGINES[engine].arguments(target)[0][-len(arguments) :] == arguments


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("h", ["--client", "h"]),
        ("192.0.2.1:5202", ["--client", "192.0.2.1", "--port", "5202"]),
        ("[2001:db8::1]:5202", ["--client", "2001:db8::1", "--port", "5202"]),
        ("2001:db8::1", ["--client", "2001:db8::1"]),
    ],
)
def test_iperf3_is_told_host_and_port(server: str, told: list[str]) -> None:
    for step in ENGINES["iperf3"].arguments(Target(server=server, interface="eth1")):
        at = step.index("--client")
        assert step[at : at + len(told) + 2] == [*told, "--bind-dev", "eth1"]


@pytest.mark.parametrize(
    ("servers", "asked"),
    [
        ("h", ["h"]),
        ("h:5201-5203", ["h:5201", "h:5202", "h:5203"]),
        ("h:5201-5202+[2001:db8::1]:7+h:5202+2001:db8::2", ["h:5201", "h:5202", "[2001:db8::1]:7", "2001:db8::2"]),
    ],
)
def test_iperf3_asks_each_port_of_each_server_once_in_the_order_in_which_they_are_named(
    servers: str, asked: list[str]
) -> None:
    place = ENGINES["iperf3"].place
    assert place
    assert place.fits(servers)
    assert [target.server for target in ENGINES["iperf3"].places(Target(server=servers))] == asked


@pytest.mark.parametrize(
    "servers", ["", "+h", "h+", "h:5209-5201", "h:0", "h:65536", "h:1-65535", "h:5201-", "a/b", "a,b"]
)
def test_servers_that_iperf3_cannot_ask_are_refused(servers: str) -> None:
    place = ENGINES["iperf3"].place
    assert place
    assert not place.fits(servers)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (Target(server="h", interface="192.0.2.7"), ["--bind", "192.0.2.7", "-4"]),
        (Target(server="h", interface="2001:db8::7"), ["--bind", "2001:db8::7", "-6"]),
        (Target(server="h", interface="fe80::1%eth0"), ["--bind", "fe80::1%eth0", "-6"]),
        (Target(server="h", interface="eth1", ip_version=6), ["--bind-dev", "eth1", "-6"]),
        (Target(server="h", ip_version=4), ["-4"]),
    ],
)
def test_the_kind_of_address_of_each_step_of_iperf3_follows_the_interface_or_the_variable(
    target: Target, told: list[str]
) -> None:
    for step in ENGINES["iperf3"].arguments(target):
        at = step.index("h") + 1
        assert step[at : at + len(told)] == told


HOSTS = """PATH={path}; exec unshare --mount sh -c 'mount --bind {hosts} /etc/hosts && exec "$@"' sh {program} "$@"\n"""


def test_the_real_iperf3_measures_over_an_ipv4_address_with_a_name_that_has_both_kinds(
    iperf3: Path, tmp_path: Path
) -> None:
    (tmp_path / "hosts").write_text("::1 dual.test\n127.0.0.1 dual.test\n")
    script = HOSTS.format(hosts=tmp_path / "hosts", program=iperf3, path=os.environ["PATH"])
    path = write_program(tmp_path / "bin" / "iperf3", script)
    if subprocess.run([path, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("a file of hosts of one's own needs root")
    with iperf3_server.serving(iperf3) as server:
        where = f"dual.test:{server.rpartition(':')[2]}"
        row = attempt(path, "iperf3", SPEEDTEST_SERVER=where, SPEEDTEST_INTERFACE="127.0.0.1", **SECOND)
    assert (row.status, row.error) == ("ok", None)


def test_real_programs_use_only_the_kind_of_address_that_is_asked_for(
    librespeed_cli: Path, iperf3: Path, tmp_path: Path
) -> None:
    with librespeed.Backend() as backend, iperf3_server.serving(iperf3) as server:
        servers = str(backend.write_list(tmp_path / "servers.json"))
        for version, status in (("4", "ok"), ("6", "failed")):
            only: Any = {"SPEEDTEST_IP_VERSION": version, **SECOND}
            assert attempt(librespeed_cli, "librespeed", SPEEDTEST_SERVER=servers, **only).status == status
            assert attempt(iperf3, "iperf3", SPEEDTEST_SERVER=server, **only).status == status


def test_a_kind_of_address_that_this_machine_does_not_have_is_a_row_that_says_so(
    speedtest_cli: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_interface, "_ELSEWHERE", {6: "fe80::1"})  # without its interface, it leads nowhere
    row = attempt(speedtest_cli, "speedtest-cli", SPEEDTEST_IP_VERSION="6")
    assert (row.status, row.error_kind) == ("failed", "not-found")
    assert "no way to the internet by IPv6" in (row.error or "")


WINDOW = "iperf3=--window 100K -P2 --title 'a b',librespeed=--concurrent 1"


def test_arguments_of_ones_own_reach_the_real_program_and_are_recorded_with_the_row(
    iperf3: Path, librespeed_cli: Path, tmp_path: Path
) -> None:
    with iperf3_server.serving(iperf3) as server, librespeed.Backend() as backend:
        row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=server, SPEEDTEST_ARGUMENTS=WINDOW, **SECOND)
        servers = str(backend.write_list(tmp_path / "servers.json"))
        other = attempt(librespeed_cli, "librespeed", SPEEDTEST_SERVER=servers, SPEEDTEST_ARGUMENTS=WINDOW, **SECOND)
    assert (row.status, row.raw["arguments"]) == ("ok", "--window 100K -P2 --title 'a b'")
    assert (row.raw["download_title"], row.raw["download_start_test_start_num_streams"]) == ("a b", "2")
    assert row.raw["idle_start_test_start_num_streams"] == "1"
    assert (other.status, other.raw["arguments"]) == ("ok", "--concurrent 1")


@pytest.mark.parametrize(
    "text",
    [
        "iperf3=--json",
        "iperf3=--js",
        "iperf3=-4J",
        "iperf3=-J",
        "iperf3=-w 4M --logfile=x",
        "iperf3=-phost",
        "iperf3=--",
        "ookla=--format=csv",
        "ookla=-fcsv",
        "ookla=-vf csv",
        "ookla=--server-id=5",
        "speedtest-cli=--help",
        "speedtest-cli=--no-down",
        "librespeed=--mebibytes",
        "librespeed=-csv",
        "librespeed=--no-pre-allocate,ookla=--help",
    ],
)
def test_arguments_that_break_the_reading_are_refused_with_the_argument(text: str) -> None:
    with pytest.raises(Mistakes, match="must not get -"):
        settings(SPEEDTEST_ARGUMENTS=text)


@pytest.mark.parametrize(
    "text",
    [
        "iperf3=--window 4M -P 8",
        "iperf3=-w4M -C bbr",
        "ookla=--host speed.example.net",
        "speedtest-cli=--mini http://h/mini",
        "librespeed=--no-pre-allocate --timeout 5",
    ],
)
def test_arguments_that_only_change_the_measuring_are_taken(text: str) -> None:
    assert settings(SPEEDTEST_ARGUMENTS=text).speedtest_arguments


def test_arguments_that_can_change_what_is_measured_are_warned_of_and_harmless_ones_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen = settings(SPEEDTEST_ARGUMENTS="librespeed=--no-pre-allocate,iperf3=--window 4M --title x -C bbr")
    startup.warn_of_arguments(chosen)
    (said,) = logged(caplog, "arguments_added")
    assert "iperf3 is started with --window -C:" in said


def test_a_server_of_ones_own_with_tls_is_trusted_by_its_file_and_the_error_names_the_variable(
    librespeed_cli: Path, tmp_path: Path
) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    files = {"own": authority, "other": stranger}
    for name, each in files.items():
        each.cert_pem.write_to_path(tmp_path / f"{name}.pem")
    with librespeed.Backend(certificate=authority.issue_cert("127.0.0.1")) as backend:
        servers = str(backend.write_list(tmp_path / "servers.json"))
        variants: list[Any] = [
            {},
            {"SPEEDTEST_SERVER_ID": str(librespeed.SERVER_ID)},
            {"SPEEDTEST_CA_FILE": str(tmp_path / "other.pem")},
            {"SPEEDTEST_CA_FILE": str(tmp_path / "own.pem")},
        ]
        untold, pinned, wrong, right = (
            attempt(librespeed_cli, "librespeed", SPEEDTEST_SERVER=servers, **more, **SECOND) for more in variants
        )
    assert (right.status, right.error) == ("ok", None)
    assert [row.status for row in (untold, pinned, wrong)] == ["failed"] * 3
    for row in (untold, pinned):
        assert "set SPEEDTEST_CA_FILE to its authority's certificate" in (row.error or ""), row.error
    assert f"SPEEDTEST_CA_FILE={tmp_path / 'other.pem'} does not have its authority" in (wrong.error or "")


def test_the_real_speedtest_cli_trusts_the_file_too(speedtest_cli: Path) -> None:
    with Service() as service:
        around = dict(service.environment)
        own = around.pop("SSL_CERT_FILE")
        row = attempt(speedtest_cli, "speedtest-cli", surroundings=around)
        assert (row.status, "set SPEEDTEST_CA_FILE" in (row.error or "")) == ("failed", True), row.error
        row = attempt(speedtest_cli, "speedtest-cli", surroundings=around, SPEEDTEST_CA_FILE=own)
    assert (row.status, row.error) == ("ok", None)


def test_an_interface_has_its_address_and_one_that_is_not_there_is_a_failure() -> None:
    assert [address_of(name) for name in ("lo", "192.0.2.7", "fe80::1%eth0")] == [
        "127.0.0.1",
        "192.0.2.7",
        "fe80::1%eth0",
    ]
    with pytest.raises(Failure, match=r"not-found: the interface nope0 has no IPv4 address: .*SPEEDTEST_INTERFACE"):
        address_of("nope0")


def test_real_programs_measure_over_the_interface_asked_for(
    librespeed_cli: Path, iperf3: Path, speedtest_cli: Path, tmp_path: Path
) -> None:
    """The three measure at once: it is not how fast they are that is asked here."""
    measured: list[Measurement] = []
    for over in ("lo", "127.0.0.2"):
        with (
            librespeed.Backend() as backend,
            iperf3_server.serving(iperf3) as server,
            Service() as service,
            ThreadPoolExecutor() as pool,
        ):
            servers = str(backend.write_list(tmp_path / "servers.json"))
            by = {"SPEEDTEST_INTERFACE": over}
            running = [
                pool.submit(attempt, librespeed_cli, "librespeed", SPEEDTEST_SERVER=servers, **by, **SECOND),
                pool.submit(attempt, iperf3, "iperf3", SPEEDTEST_SERVER=server, **by, **SECOND),
                pool.submit(attempt, speedtest_cli, "speedtest-cli", surroundings=service.environment, **by),
            ]
            measured += [each.result() for each in running]
            assert backend.clients == {"127.0.0.1" if over == "lo" else over}
    assert [row.error for row in measured] == [None] * 6
    assert json.loads(measured[4].raw["download_start_connected"] or "")[0]["local_host"] == "127.0.0.2"


def test_an_interface_that_is_not_there_is_a_row(speedtest_cli: Path) -> None:
    row = attempt(speedtest_cli, "speedtest-cli", SPEEDTEST_INTERFACE="nope0")
    assert (row.status, row.error_kind, row.exit_code) == ("failed", "not-found", None)


def test_pinned_servers_take_turns_from_slot_to_slot(tmp_path: Path) -> None:
    path = ookla.install(tmp_path)
    program, chosen = find(path, "ookla", {"HOME": "/"}, SPEEDTEST_SERVER_ID="1,2,3", SLEEP_SECONDS="600")
    for number in range(6):
        slot = Slot(NOW + timedelta(seconds=600 * number, milliseconds=number % 3 - 1))
        assert speedtest.run(program, chosen, slot, {"HOME": "/", "PATH": os.environ["PATH"]}, Stop())
    pins = [call[-1].removeprefix("--server-id=") for call in ookla.calls(path) if len(call) > 1]
    assert pins[:3] == pins[3:]
    assert sorted(pins[:3]) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("asked", "pinned"),
    [
        ("auto", {"ookla", "speedtest-cli"}),
        ("speedtest-cli,librespeed", {"ookla", "speedtest-cli"}),
        ("librespeed,ookla", {"librespeed"}),
    ],
)
def test_a_servers_number_counts_for_the_first_engine_and_those_that_share_its_list(
    asked: str, pinned: set[str]
) -> None:
    chosen = settings(SPEEDTEST_ENGINE=asked, SPEEDTEST_SERVER_ID="5")
    told = {name for name, engine in ENGINES.items() if speedtest.target(engine, chosen, 0).server_id == "5"}
    assert told == pinned


LISTED = """\
[ "$1" = --version ] && {{ echo "Speedtest by Ookla 1.2.0.84 (x) Linux"; exit; }}
echo "$@" >>{calls}
case " $* " in *" --servers "*) {listing} ;; *) echo '{result}' ;; esac
"""
SERVERS = '{"type":"serverList","timestamp":"2026-11-23T10:00:00Z","servers":[{"id":5,"name":"a"},{"id":6,"name":"b"}]}'


@pytest.mark.parametrize(
    ("listing", "chosen"),
    [(f"echo '{SERVERS}'", ["--server-id=6"]), ("echo nonsense", []), ("exit 2", []), ("echo '{}'", [])],
)
def test_ookla_measures_elsewhere_by_the_nearest_server_that_is_another(
    tmp_path: Path, listing: str, chosen: list[str]
) -> None:
    calls = tmp_path / "calls"
    result = json.dumps({"type": "result", "timestamp": "2026-11-23T10:00:00Z", "server": {"id": 5}} | BANDWIDTHS)
    path = write_program(tmp_path / "bin" / "speedtest", LISTED.format(calls=calls, listing=listing, result=result))
    row = attempt(path, "ookla")
    assert row.raw["server_id"] == "5"
    row = attempt(path, "ookla", lambda target: speedtest.elsewhere(target, row), SPEEDTEST_INTERFACE="eth1")
    assert row.status == "ok"
    first, listed, last = (call.split() for call in calls.read_text().splitlines())
    assert listed == [*first, "--interface=eth1", "--servers"]
    assert last == [*first, "--interface=eth1", *chosen]


BANDWIDTHS: dict[str, Any] = {"download": {"bandwidth": 1000}, "upload": {"bandwidth": 1000}, "ping": {"latency": 1}}


def test_speedtest_cli_measures_elsewhere_without_the_server_that_was_measured(speedtest_cli: Path) -> None:
    with Service() as service:
        row = attempt(speedtest_cli, "speedtest-cli", surroundings=service.environment)
        assert row.raw["server_id"] == NEAR["id"]
        other = attempt(
            speedtest_cli,
            "speedtest-cli",
            lambda target: speedtest.elsewhere(target, row),
            service.environment,
            SPEEDTEST_SERVER_ID=NEAR["id"],
        )
    assert (other.status, other.raw.get("server_id")) == ("ok", FAR["id"]), other.error


def test_a_pinned_server_that_vanished_is_told_and_the_programs_own_choice_measures(speedtest_cli: Path) -> None:
    with Service() as service:
        row = attempt(speedtest_cli, "speedtest-cli", surroundings=service.environment, SPEEDTEST_SERVER_ID="99999")
        assert speedtest.has_vanished(ENGINES["speedtest-cli"], Target(server_id="99999"), row)
        assert not speedtest.has_vanished(ENGINES["speedtest-cli"], Target(), row)
        row = attempt(
            speedtest_cli, "speedtest-cli", speedtest.anywhere, service.environment, SPEEDTEST_SERVER_ID="99999"
        )
    assert row.status == "ok"


def test_ooklas_words_for_a_server_that_is_gone_are_known(tmp_path: Path) -> None:
    words = "Configuration - No servers defined (NoServersException)"
    log = json.dumps({"type": "log", "message": words, "level": "error"})
    script = f"""[ "$1" = --version ] && echo "Speedtest by Ookla 1.2.0" || {{ echo '{log}' >&2; exit 2; }}"""
    path = write_program(tmp_path / "bin" / "speedtest", script)
    row = attempt(path, "ookla", SPEEDTEST_SERVER_ID="12746")
    assert speedtest.has_vanished(ENGINES["ookla"], Target(server_id="12746"), row)


def test_every_program_of_a_list_is_found_and_those_that_are_not_there_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ookla.install(tmp_path)
    ookla.install(tmp_path, version="librespeed-cli v1.0.11 (built on )", name="librespeed-cli")
    chosen = settings(SPEEDTEST_ENGINE="librespeed,speedtest-cli,ookla")
    found = programs.find_all(chosen, {"PATH": str(tmp_path)}, Stop())
    assert [(program.engine.name, program.version) for program in found.values()] == [
        ("librespeed", "1.0.11"),
        ("ookla", "1.2.0.84"),
    ]
    assert "speedtest-cli" in logged(caplog, "program_missing")[0]


FIFTH = """\
from speedtest.engines.engine import Engine, Target
ENGINE = Engine(name="fifth", programs=("fifth",), version=str, arguments=lambda target: [[]], read=lambda steps: None)
"""
ASK = "from speedtest.engines import AUTO, ENGINES, asked_for; print(*ENGINES, *(e.name for e in asked_for(AUTO)))"


@pytest.mark.parametrize("packed", [False, True], ids=["in a folder", "in an archive"])
def test_a_fifth_engine_is_one_more_module_and_nothing_else(tmp_path: Path, packed: bool) -> None:  # noqa: FBT001
    place = tmp_path / "package.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for file in (PROJECT / "speedtest").rglob("*.py"):
            archive.write(file, file.relative_to(PROJECT))
        archive.writestr("speedtest/engines/fifth.py", FIFTH)
    if not packed:
        with zipfile.ZipFile(place) as archive:
            archive.extractall(tmp_path / "package")
        place = tmp_path / "package"
    ended = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env={"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    *known, first, second = ended.stdout.split()
    auto = ["ookla", "speedtest-cli", "http", "librespeed"]
    assert known == [*auto, *sorted({*ENGINES, "fifth"} - set(auto))]
    assert (first, second) == ("ookla", "speedtest-cli")


def test_the_steps_of_iperf3_bear_the_names_under_which_their_fields_are_kept() -> None:
    engine = ENGINES["iperf3"]
    assert len(engine.arguments(Target(server="h", udp_mbps=1))) == len(iperf3_engine.STEPS)
    assert len(engine.arguments(Target(server="h"))) == len(iperf3_engine.STEPS) - 1
