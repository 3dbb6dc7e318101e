"""The engine `ndt7`: our own program against ndt7 servers that answer, refuse, close, stall and lie."""

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import trustme
from attempts import attempt, settings
from daemon import PATIENCE, DaemonProcess, until
from hypothesis import given, strategies as st
from paths import PROJECT
from standins import ndt7, ookla
from standins.ndt7 import Fault, Ndt7Server, answer
from websockets.http11 import Request, Response

from speedtest.daemon import second_opinion
from speedtest.daemon.schedule import Memory
from speedtest.engines.ndt7 import ENGINE
from speedtest.environment import Mistakes
from speedtest.http_test.trouble import Trouble
from speedtest.measurement import ErrorKind, Failure, Measurement
from speedtest.ndt7_test.locate import nearest
from speedtest.process import Finished
from speedtest.values import samples
from speedtest.version import VERSION

NOWHERE = Path("/nowhere/ndt7")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def measure(url: str, **variables: str) -> Measurement:
    chosen = {"SPEEDTEST_SERVER": url, "SPEEDTEST_SECONDS_PER_DIRECTION": "1"} | variables
    return attempt(NOWHERE, "ndt7", lambda target: target, None, **chosen)


def locate(url: str, authority: Path | None = None) -> dict[str, Any]:
    """Run the program without a server of one's own, against a stand-in of the service that names one."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "speedtest.ndt7_test", "--locate", url, "--seconds", "1"],
        env={"PYTHONPATH": str(PROJECT)} | ({"SSL_CERT_FILE": str(authority)} if authority else {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert ended.stderr == ""
    assert "SECRET" not in ended.stdout
    return json.loads(ended.stdout)


@pytest.mark.slow
def test_it_measures_with_one_stream_and_tells_what_the_server_told() -> None:
    with Ndt7Server() as running:
        row = measure(running.url)
        until(lambda: len(running.ends) == 2, "both goodbyes")
    assert (row.status, row.engine, row.engine_version, row.error) == ("ok", "ndt7", VERSION, None)
    assert min(row.download_mbps or 0, row.upload_mbps or 0) > 10
    assert row.data_bytes == int(row.raw["download_moved_bytes"] or 0) + int(row.raw["upload_moved_bytes"] or 0)
    assert row.download_latency_ms == 12.5
    assert (row.latency_ms or 0) > 0
    assert (row.jitter_ms, row.packet_loss_percent) == (None, None)
    assert row.raw["download_retransmitted_percent"] == "2.0"
    assert row.raw["server_host"] == "127.0.0.1"
    assert samples.unpack(row.raw["samples_download"] or "").mbps
    assert "203.0.113.77" not in json.dumps(row.raw)  # this machine's address, which the server tells
    assert all(request.headers["Sec-WebSocket-Protocol"] == ndt7.SUBPROTOCOL for request in running.asked)
    assert [request.path for request in running.asked] == ["/ndt/v7/download", "/ndt/v7/upload"]
    assert float(row.raw["cost_peak_mib"] or 99) <= 40
    sent = int(row.raw["upload_moved_bytes"] or 0)
    assert abs(sent - running.received) <= 0.02 * sent + (1 << 22)  # what was on its way is not counted there


def refuses(status: int, body: bytes = b"", **headers: str) -> Callable[[Request], Response]:
    return lambda _request: answer(status, body, **headers)


REFUSALS: dict[str, tuple[Callable[[Request], Response], ErrorKind, str]] = {
    "429": (refuses(429, Retry_After="3600"), "rate-limited", "retry after 3600 s"),
    "503": (refuses(503, b"try later"), "server-busy", "503 Service Unavailable ('try later')"),
    "400": (refuses(400, b"no"), "refused", "400 Bad Request ('no')"),
    "403": (refuses(403), "refused", "403 Forbidden"),
    "a page": (refuses(200, b"<title>Log in</title>", Content_Type="text/html"), "malformed", "opened no WebSocket"),
    "a redirection": (refuses(302, Location="http://login.example/"), "malformed", "captive portal"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in {"429", "a page"} else pytest.mark.slow) for name in REFUSALS]
)
def test_a_refusal_is_a_failure_of_the_right_kind_and_never_a_speed(name: str) -> None:
    refusal, kind, words = REFUSALS[name]
    with Ndt7Server(refusal=refusal) as running:
        row = measure(running.url)
    assert (row.status, row.error_kind) == ("failed", kind), row.error
    assert words in (row.error or "")
    assert (row.download_mbps, row.upload_mbps) == (None, None)


FAULTS: dict[str, tuple[Fault, Literal["download", "upload"], ErrorKind, str]] = {
    "closes the download": ("closes", "download", "exit", "the server ended the test in the middle (1011 overloaded)"),
    "closes the upload": ("closes", "upload", "exit", "the upload was cut: the server ended the test in the middle"),
    "cuts": ("cuts", "download", "exit", "was cut"),
    "sends what is no frame": ("masks", "download", "malformed", "no WebSocket"),
    "speaks another protocol": ("another protocol", "download", "malformed", "does not speak ndt7"),
    "stalls": ("stalls", "upload", "timeout", "the upload stalled: nothing moved for 5 s"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_misbehaves_makes_a_failure_that_keeps_what_was_measured(name: str) -> None:
    fault, way, kind, words = FAULTS[name]
    with Ndt7Server(fault, of=way) as running:
        row = measure(running.url)
    assert (row.status, row.error_kind) == ("failed", kind), row.error
    assert words in (row.error or "")
    assert (way == "download") == (float(row.raw.get("raw_download_mbps") or 0) < 10)
    assert fault == "another protocol" or (row.data_bytes or 0) > 500_000


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lies", "text"])
def test_what_a_server_tells_is_only_believed_where_it_can_be_true(fault: Fault) -> None:
    with Ndt7Server(fault, of="download") as running:
        row = measure(running.url)
    assert row.status == "ok", row.error
    assert float(row.raw.get("download_retransmitted_percent") or 0) <= 100
    assert (row.download_mbps or 0) > 10


@pytest.mark.slow
def test_a_server_that_ends_at_once_gives_no_speed() -> None:
    with Ndt7Server(seconds=0.3) as running:
        row = measure(running.url)
    assert (row.status, row.error_kind) == ("failed", "exit")
    assert "too early for a speed" in (row.error or "")


@pytest.mark.slow
def test_a_server_that_ends_after_its_ten_seconds_is_no_fault() -> None:
    with Ndt7Server(seconds=4.5) as running:
        row = measure(running.url, SPEEDTEST_SECONDS_PER_DIRECTION="60", SPEEDTEST_TIMEOUT_SECONDS="300")
    assert row.status == "ok", row.error


# ------------------------------------------------------------------------------------------- the service of M-Lab


@pytest.mark.slow
def test_the_service_names_the_server_and_the_next_one_is_asked_if_the_first_is_gone(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate = authority.issue_cert("localhost")
    with Ndt7Server(
        certificate=certificate, located=lambda server: answer(200, json.dumps(server.named("localhost:9")).encode())
    ) as running:
        told = locate(running.locate, tmp_path / "authority.pem")
    assert "error" not in told, told
    assert told["server"] == {"host": "localhost", "name": "mlab1-localhost.example.org", "location": "Bern, CH"}
    assert told["tls"] == "TLSv1.3"
    asked = [request.path for request in running.asked]
    assert asked[0] == f"/v2/nearest/ndt/ndt7?client_name=speedsnake&client_version={VERSION}"
    assert asked[1] == "/ndt/v7/download?access_token=SECRET"


@pytest.mark.parametrize(
    ("response", "kind", "words"),
    [
        (answer(204), "server-busy", "no server with capacity now"),
        (answer(429), "rate-limited", "too many requests"),
        (answer(500, b"oops"), "refused", "500"),
        (answer(200, b'{"results": []}'), "malformed", "named no server"),
        (answer(200, b"{}"), "malformed", "cannot be read"),
        (answer(200, b"[" * 50_000), "malformed", "cannot be read"),
        (answer(200, b'{"results": [{"urls": {"wss:///ndt/v7/download": 5}}]}'), "malformed", "cannot be read"),
        (answer(200, b'{"results": [{"urls": {}}]}'), "malformed", "named no server"),
        (answer(200, b" " * 100_000), "malformed", "more than 65536 bytes"),
    ],
)
def test_a_service_that_names_no_server_is_told_apart(response: Response, kind: str, words: str) -> None:
    with Ndt7Server(located=lambda _: response) as running, pytest.raises(Trouble) as told:
        nearest(running.locate, ip_version=None, source=None)
    assert (told.value.kind, words in told.value.words) == (kind, True), told


# ----------------------------------------------------------------------------------------------- when it is asked


def test_against_m_lab_it_is_no_engine_of_every_slot_but_with_a_server_of_ones_own_it_is() -> None:
    with pytest.raises(Mistakes, match="SPEEDTEST_SECOND_OPINION=ndt7"):
        settings(SPEEDTEST_ENGINE="ndt7")
    with pytest.raises(Mistakes, match="ndt-server of your own"):
        settings(SPEEDTEST_ENGINE="http", SPEEDTEST_SECOND_OPINION="ndt7", SPEEDTEST_SERVER="ndt7=nowhere")
    assert settings(SPEEDTEST_ENGINE="ndt7", SPEEDTEST_SERVER="wss://ndt.example.net/").speedtest_server
    assert settings(SPEEDTEST_SECOND_OPINION="ndt7").speedtest_server == {}
    both = settings(SPEEDTEST_SECOND_OPINION="ndt7", SPEEDTEST_SERVER="ndt7=wss://ndt.example.net")
    assert both.speedtest_server == {"ndt7": "wss://ndt.example.net"}
    alone = settings(SPEEDTEST_ENGINE="http", SPEEDTEST_SECOND_OPINION="ndt7", SPEEDTEST_SERVER="http://x.example/")
    assert alone.speedtest_server == {"http": "http://x.example/"}


@given(st.lists(st.floats(0.01, 90_000), min_size=1, max_size=400))
def test_no_day_has_more_than_four_public_tests_whatever_the_interval(waits: list[float]) -> None:
    memory, now, made = Memory(), NOON, list[datetime]()
    for seconds in waits:
        now += timedelta(seconds=seconds)
        if second_opinion.is_due(memory, now):
            second_opinion.note(memory, now)
            made.append(now)
    assert all((later - one) >= timedelta(days=1) for one, later in zip(made, made[4:], strict=False))


def test_a_year_of_public_tests_comes_at_random_times_less_than_four_a_day() -> None:
    memory, made = Memory(), list[datetime]()
    for slot in range(365 * 144):
        now = NOON + timedelta(minutes=10 * slot)
        if second_opinion.is_due(memory, now):
            second_opinion.note(memory, now)
            made.append(now)
    assert 2.5 * 365 < len(made) < 4 * 365
    hours = [sum(each.hour == hour for each in made) for hour in range(24)]
    mean = len(made) / 24
    assert 0.4 * mean < min(hours) <= max(hours) < 1.9 * mean
    assert all(later - one >= timedelta(minutes=30) for one, later in itertools.pairwise(made))


def test_a_memory_that_was_lost_or_a_clock_that_was_set_back_makes_no_test_at_once() -> None:
    assert not second_opinion.is_due(Memory(), NOON)
    memory = Memory(second_opinion_due=NOON + timedelta(days=400))
    assert not second_opinion.is_due(memory, NOON)
    assert memory.second_opinion_due
    assert memory.second_opinion_due < NOON + timedelta(hours=16)


@pytest.mark.slow
def test_the_daemon_keeps_a_second_opinion_that_belongs_to_no_slot(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    with Ndt7Server() as running:
        chosen = {"SPEEDTEST_SECOND_OPINION": "ndt7", "SPEEDTEST_SERVER": f"ndt7={running.url}"}
        with DaemonProcess(tmp_path, tmp_path / "bin", SPEEDTEST_SECONDS_PER_DIRECTION="1", **chosen) as daemon:
            rows = {row["engine"]: row for row in daemon.first_rows(2)}
            assert daemon.stop() == 0
    assert {name: row["status"] for name, row in rows.items()} == {"ookla": "ok", "ndt7": "ok"}
    assert "slot" in rows["ookla"]
    assert not {"slot", "attempt", "interval_seconds"} & set(rows["ndt7"])


def test_without_a_server_of_its_own_the_daemon_does_not_ask_at_once(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    with DaemonProcess(tmp_path, tmp_path / "bin", SPEEDTEST_SECOND_OPINION="ndt7") as daemon:
        daemon.first_rows(1)
        noted = until(
            lambda: (
                (found := json.loads((tmp_path / "results/.schedule.json").read_text()))
                and found.get("second_opinion_due")
            ),
            "when the first one is due",
        )
        assert daemon.stop() == 0
    assert datetime.fromisoformat(noted) > datetime.now(UTC) + timedelta(minutes=30)
    assert [row["engine"] for row in daemon.rows()] == ["ookla"]


@given(st.binary(max_size=300))
def test_any_output_is_a_result_or_a_failure(stdout: bytes) -> None:
    with contextlib.suppress(Failure):
        ENGINE.read([Finished("exit", 0, stdout, b"", 1.0)])
