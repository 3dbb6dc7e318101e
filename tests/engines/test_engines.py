"""librespeed-cli and iperf3, the programs with a configured server: real programs against real servers."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attempts import SECOND, attempt, write_program
from daemon import DaemonProcess, rows, until
from hypothesis import given, strategies as st
from standins import iperf3 as iperf3_server, librespeed, tcp_only
from standins.ookla_results import V1_2_0

from speedtest import speedtest
from speedtest.data import schema
from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.engines import ENGINES
from speedtest.engines.engine import Target
from speedtest.measurement import Failure
from speedtest.process import Finished


def test_the_real_librespeed_cli_measures_and_its_fields_are_kept(librespeed_cli: Path, tmp_path: Path) -> None:
    with librespeed.Backend() as backend:
        servers = backend.write_list(tmp_path / "servers.json")
        row = attempt(librespeed_cli, "librespeed", SPEEDTEST_SERVER=str(servers), **SECOND)
    assert (row.status, row.engine, row.error) == ("ok", "librespeed", None)
    assert (row.engine_version or "")[0].isdigit()
    assert row.download_mbps == float(row.raw["raw_download"] or 0) > 1
    assert row.upload_mbps == float(row.raw["raw_upload"] or 0) > 1
    assert row.data_bytes == int(row.raw["bytes_sent"] or 0) + int(row.raw["bytes_received"] or 0)
    assert 0 < int(row.raw["bytes_received"] or 0) <= backend.sent
    assert backend.received > 0
    assert (row.raw["server_name"], row.raw["server_url"]) == (librespeed.NAME, backend.url)
    assert 0 <= (-1 if row.latency_ms is None else row.latency_ms) < 100
    assert (row.packet_loss_percent, row.download_latency_ms, row.upload_latency_ms) == (None, None, None)


@pytest.mark.parametrize(
    ("fault", "pinned", "kind", "words"),
    [
        ("down", "7", "no-output", "no server answered"),
        ("down", "", "exit", "No server is currently available"),
        ("no download", "7", "rejected", "a download speed of 0 Mbit/s"),
        ("none", "99", "exit", "not found: [99]"),
    ],
)
def test_whatever_happens_to_the_real_librespeed_cli_is_the_row_that_it_should_be(  # noqa: PLR0913, PLR0917 (a table)
    librespeed_cli: Path, tmp_path: Path, fault: librespeed.Fault, pinned: str, kind: str, words: str
) -> None:
    with librespeed.Backend(fault=fault) as backend:
        servers = str(backend.write_list(tmp_path / "servers.json"))
        row = attempt(librespeed_cli, "librespeed", SPEEDTEST_SERVER=servers, SPEEDTEST_SERVER_ID=pinned, **SECOND)
    assert (row.status, row.error_kind) == ("failed", kind), row.error
    assert words in (row.error or "")
    assert (row.download_mbps, row.upload_mbps, row.latency_ms) == (None, None, None)
    target = Target(server_id=pinned or None)
    assert speedtest.has_vanished(ENGINES["librespeed"], target, row) == (pinned == "99")


def test_the_real_iperf3_measures_and_the_fields_of_each_step_are_kept(iperf3: Path) -> None:
    """It takes nine seconds because the real program is run four times, for as long as its engine asks it to."""
    with iperf3_server.serving(iperf3) as server:
        row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=server, SPEEDTEST_UDP_MBPS="5", **SECOND)
    assert (row.status, row.engine, row.error) == ("ok", "iperf3", None)
    assert (row.engine_version or "").startswith("3.")
    assert row.raw["download_start_version"] == f"iperf {row.engine_version}"
    assert row.download_mbps == float(row.raw["download_end_sum_received_bits_per_second"] or 0) / 1e6 > 1
    assert row.upload_mbps == float(row.raw["upload_end_sum_received_bits_per_second"] or 0) / 1e6 > 1
    assert 0 < (row.latency_ms or 0) < 100
    assert (row.upload_latency_ms or 0) > 0
    assert row.download_latency_ms is None, "only the sending side knows it"
    assert (row.jitter_ms, row.packet_loss_percent) == (
        float(row.raw["udp_end_sum_jitter_ms"] or -1),
        float(row.raw["udp_end_sum_lost_percent"] or -1),
    )
    moved = [int(row.raw[f"{step}_end_sum_sent_bytes"] or 0) for step in ("download", "upload", "idle", "udp")]
    assert row.data_bytes == sum(moved)
    assert 500_000 < moved[3] < 5_000_000
    assert row.timestamp.microsecond == 0
    assert not set(row.raw) & set(schema.BY_NAME), "no field of iperf3 is in another program's column"


def test_what_iperf3_was_not_asked_to_measure_is_null_and_not_0(iperf3: Path) -> None:
    with iperf3_server.serving(iperf3) as server:
        row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=server, **SECOND)
    assert (row.status, row.jitter_ms, row.packet_loss_percent) == ("ok", None, None)


def test_an_iperf3_server_that_is_not_there_is_a_failure_whatever_the_exit_code(iperf3: Path) -> None:
    row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=f"127.0.0.1:{iperf3_server.free_port()}")
    assert (row.status, row.error_kind) == ("failed", "refused")
    assert "download: unable to connect to server" in (row.error or "")


def test_an_iperf3_server_that_is_busy_with_somebody_else_is_a_failure_of_its_own_kind(iperf3: Path) -> None:
    with iperf3_server.serving(iperf3) as server, somebody_measures(iperf3, server):
        row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=server)
    assert (row.status, row.error_kind) == ("failed", "server-busy")
    assert "download: the server is busy running a test" in (row.error or "")


@contextlib.contextmanager
def somebody_measures(iperf3: Path, server: str) -> Iterator[None]:
    """Let another client measure with this server during the block."""
    port = server.rpartition(":")[2]
    other = [str(iperf3), "-c", "127.0.0.1", "-p", port, "-t", "60", "-b", "1M", "--forceflush", "-i", "0.1"]
    with subprocess.Popen(other, stdout=subprocess.PIPE, text=True) as somebody:
        try:
            until(lambda: "sec" in (somebody.stdout.readline() if somebody.stdout else ""), "another client's test")
            yield
        finally:
            somebody.kill()


def test_a_busy_server_and_one_that_is_not_there_are_passed_over_within_one_attempt(iperf3: Path) -> None:
    nobody = f"127.0.0.1:{iperf3_server.free_port()}"
    with (
        iperf3_server.serving(iperf3) as busy,
        iperf3_server.serving(iperf3, "127.0.0.2") as free,
        somebody_measures(iperf3, busy),
    ):
        row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=f"{busy}+{nobody}+{free}", **SECOND)
        assert (row.status, row.error, row.attempt) == ("ok", None, 1)
        assert row.raw["download_start_connecting_to_host"] == "127.0.0.2"
        tried = row.raw["servers_tried"] or ""
        assert f"{busy}: download: the server is busy" in tried
        assert f"{nobody}: download: unable to connect" in tried
        row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=f"{nobody}+{busy}", **SECOND)
    assert (row.status, row.error_kind) == ("failed", "server-busy"), "the line is up, for one server answered"
    assert f"{nobody}: download: unable to connect" in (row.raw["servers_tried"] or "")


def test_where_udp_is_dropped_the_speeds_stand_and_the_test_takes_little_longer(iperf3: Path) -> None:
    with iperf3_server.serving(iperf3) as server, tcp_only.forwarding(server) as forwarded:
        without = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=forwarded, **SECOND)
        row = attempt(iperf3, "iperf3", SPEEDTEST_SERVER=forwarded, SPEEDTEST_UDP_MBPS="5", **SECOND)
    assert (row.status, row.exit_code, row.error) == ("ok", 0, None)
    assert min(row.download_mbps or 0, row.upload_mbps or 0, row.latency_ms or 0) > 0
    assert (row.jitter_ms, row.packet_loss_percent) == (None, None)
    assert "udp: ended after" in (row.raw["null_because"] or "")
    assert (row.duration_seconds or 0) - (without.duration_seconds or 0) <= 10
    moved = [int(row.raw[f"{step}_end_sum_sent_bytes"] or 0) for step in ("download", "upload", "idle")]
    assert row.data_bytes == sum(moved)


UDP = '{ real=$(%s "$@"); case " $* " in *\' --udp \'*) %s ;; *) echo "$real" ;; esac; exit; }'
PRINTED = [
    ("lost_percent", "179.64904660556834", "packet_loss_percent", "packet_loss_percent: 179.649046605568 is more than"),
    ("lost_percent", "-0.578", "packet_loss_percent", "packet_loss_percent: -0.578 is below 0"),
    ("lost_percent", "-nan", "packet_loss_percent", 'udp_end_sum_lost_percent is "-nan": Expected'),
    ("jitter_ms", "6.11273e+08", "jitter_ms", "jitter_ms: 611273000 is longer than the test"),
    ("packets", "0", "jitter_ms", "udp: no datagram arrived"),
]


@pytest.mark.parametrize(("field", "printed", "lost", "reason"), PRINTED)
def test_a_figure_of_the_real_iperf3_that_cannot_be_true_is_null_alone(  # noqa: PLR0913, PLR0917 (a table)
    iperf3: Path, tmp_path: Path, field: str, printed: str, lost: str, reason: str
) -> None:
    change = f"""echo "$real" | sed -E '/"{field}"/s/:[[:space:]]*[-0-9.e+]+/: {printed}/'"""
    path = write_program(tmp_path / "bin" / "iperf3", UDP % (iperf3, change))
    with iperf3_server.serving(iperf3) as server:
        row = attempt(path, "iperf3", SPEEDTEST_SERVER=server, SPEEDTEST_UDP_MBPS="5", **SECOND)
    assert (row.status, getattr(row, lost)) == ("ok", None), row.error
    assert min(row.download_mbps or 0, row.upload_mbps or 0, row.latency_ms or 0) > 0
    other = "packet_loss_percent" if lost == "jitter_ms" else "jitter_ms"
    assert (getattr(row, other) is None) == (field == "packets")
    assert row.raw[f"udp_end_sum_{field}"] == printed
    assert reason in (row.raw["null_because"] or "")


def test_an_idle_step_that_a_busy_server_refuses_loses_the_latency_alone(iperf3: Path, tmp_path: Path) -> None:
    answer = '{"start":{},"end":{},"error":"the server is busy running a test. try again later"}'
    script = f"case \" $* \" in *' --bitrate 200K '*) echo '{answer}' ;; *) exec {iperf3} \"$@\" ;; esac"
    path = write_program(tmp_path / "bin" / "iperf3", script)
    with iperf3_server.serving(iperf3) as server:
        row = attempt(path, "iperf3", SPEEDTEST_SERVER=server, SPEEDTEST_UDP_MBPS="5", **SECOND)
    assert (row.status, row.latency_ms, (row.upload_latency_ms or 0) > 0) == ("ok", None, True)
    assert row.packet_loss_percent is not None
    assert "busy running a test" in (row.raw["idle_error"] or "")
    assert "idle: the server is busy" in (row.raw["null_because"] or "")


ANSWERS = """\
[ "$1" = --version ] && {{ echo "iperf 3.12 (cJSON 1.7.15)"; exit; }}
echo "$@" >>{calls}
count=$(wc -l <{calls})
{body}
"""


def iperf3_that(folder: Path, body: str) -> tuple[Path, Path]:
    calls = folder / "calls"
    return write_program(folder / "bin" / "iperf3", ANSWERS.format(calls=calls, body=body)), calls


def test_an_attempt_ends_at_the_first_step_that_fails_and_keeps_the_fields_of_those_before(tmp_path: Path) -> None:
    path, calls = iperf3_that(
        tmp_path, """[ $count = 1 ] && echo '{"end":{"x":1}}' || echo '{"end":{},"error":"it broke"}'"""
    )
    row = attempt(path, "iperf3", SPEEDTEST_SERVER="192.0.2.1")
    assert (row.error_kind, row.error, row.exit_code) == ("exit", "upload: it broke", 0)
    assert row.raw["download_end_x"] == "1"
    assert len(calls.read_text().splitlines()) == 2


@pytest.mark.parametrize(("times", "status"), [(2, "ok"), (3, "failed")])
def test_a_server_that_is_still_busy_with_the_step_before_is_asked_again(
    tmp_path: Path, times: int, status: str
) -> None:
    busy = '{"end":{},"error":"the server is busy running a test. try again later"}'
    path, calls = iperf3_that(
        tmp_path, f"""[ $count -gt 1 ] && [ $count -le {times + 1} ] && echo '{busy}' || echo '{iperf3_answer(1500)}'"""
    )
    row = attempt(path, "iperf3", SPEEDTEST_SERVER="192.0.2.1")
    assert (row.status, row.error_kind) == (status, None if status == "ok" else "server-busy")
    assert row.data_bytes == (3_000_000 if status == "ok" else 1_000_000)
    assert len(calls.read_text().splitlines()) == (5 if status == "ok" else 4)


def iperf3_answer(rtt: int) -> str:
    """Return the fields of an iperf3 run that SpeedSnake reads, with speeds in whole Mbit/s."""
    moved = {"bytes": 1_000_000, "bits_per_second": 8_000_000}
    streams = [{"sender": {"mean_rtt": rtt}}, {"sender": {"mean_rtt": rtt * 3}}]
    start = {"timestamp": {"timesecs": 1_795_454_515}}
    return json.dumps({"start": start, "end": {"streams": streams, "sum_sent": moved, "sum_received": moved}})


@pytest.mark.parametrize(("rtt", "latency_ms"), [(1500, 3.0), (0, None)])
def test_a_round_trip_time_of_0_is_one_that_iperf3_did_not_measure(
    tmp_path: Path, rtt: int, latency_ms: float | None
) -> None:
    path, _ = iperf3_that(tmp_path, f"echo '{iperf3_answer(rtt)}'")
    row = attempt(path, "iperf3", SPEEDTEST_SERVER="192.0.2.1")
    assert (row.status, row.latency_ms, row.upload_latency_ms) == ("ok", latency_ms, latency_ms)
    assert (row.download_mbps, row.upload_mbps, row.data_bytes) == (8, 8, 3_000_000)
    assert f"{row.timestamp:%Y-%m-%dT%H:%M:%SZ}" == "2026-11-23T17:21:55Z"


@pytest.mark.slow
def test_all_steps_of_an_attempt_share_one_time_limit(tmp_path: Path) -> None:
    path, calls = iperf3_that(tmp_path, "sleep 1; echo '{}'")
    row = attempt(path, "iperf3", SPEEDTEST_SERVER="192.0.2.1", SPEEDTEST_TIMEOUT_SECONDS="1.5")
    assert (row.error_kind, row.error) == ("timeout", "ended after 1.5 s")
    assert 1.4 < (row.duration_seconds or 0) < 3
    assert len(calls.read_text().splitlines()) == 2


@pytest.mark.parametrize("engine", ["librespeed", "iperf3"])
def test_real_bytes_reach_the_lake(request: pytest.FixtureRequest, engine: str, iperf3: Path, tmp_path: Path) -> None:
    path: Path = iperf3 if engine == "iperf3" else request.getfixturevalue("librespeed_cli")
    home = tmp_path / "home"
    with librespeed.Backend() as backend, iperf3_server.serving(iperf3) as server:
        servers = f"iperf3={server},librespeed={backend.write_list(tmp_path / 'servers.json')}"
        chosen = {"SPEEDTEST_ENGINE": engine, "SPEEDTEST_SERVER": servers, "TZ": "UTC"} | SECOND
        with DaemonProcess(home, path.parent, **chosen) as daemon:
            (waiting,) = daemon.first_rows()
            assert daemon.stop() == 0
    assert (waiting["status"], waiting["engine"]) == ("ok", engine)
    assert min(waiting["download_mbps"], waiting["upload_mbps"], waiting["data_bytes"]) > 1
    extra = json.loads(waiting["extra"])
    if engine == "librespeed":
        assert float(extra["raw_download"]) == waiting["download_mbps"]
        assert waiting["server_name"] == librespeed.NAME
        assert "download" not in waiting, "that column is bit/s"
    else:
        assert float(extra["download_end_sum_received_bits_per_second"]) / 1e6 == waiting["download_mbps"]
    lake = Folders(home / "results", home / "uploads")
    assert convert(lake, "unused", datetime.now(UTC).date() + timedelta(days=1)) == 0
    assert list(home.glob("results/year=*")) == []
    assert rows(home) == [waiting]


TREE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["timestamp", "download", "upload", "ping", "jitter", "bytes_sent", "bytes_received", "start", "end", "error"]
)


@given(printed=st.binary() | st.dictionaries(NAMES, TREE).map(json.dumps).map(str.encode), code=st.integers(0, 2))
@pytest.mark.parametrize("engine", ["librespeed", "iperf3"])
def test_whatever_is_printed_is_a_measurement_or_a_failure(engine: str, printed: bytes, code: int) -> None:
    steps = [Finished("exit", code, printed, b"", 1.0)] * 3
    try:
        kind = ENGINES[engine].read(steps).status
    except Failure as failure:
        kind = failure.kind
    assert kind in ("ok", "server-busy", "exit", "no-output", "malformed", "rejected")


RESULTS = {
    "ookla": ("speedtest", "Speedtest by Ookla 1.2.0.84 (x)", V1_2_0),
    "librespeed": (
        "librespeed-cli",
        "librespeed-cli v1.0.13",
        '[{"timestamp":"2026-03-28T12:00:00Z","download":94.1,"upload":38.2,"ping":1,"jitter":1,"bytes_sent":1}]',
    ),
    "speedtest-cli": (
        "speedtest-cli",
        "speedtest-cli 2.1.3",
        '{"timestamp":"2026-03-28T12:00:00Z","download":94100000,"upload":38200000,"ping":12,"bytes_sent":1}',
    ),
}


@pytest.mark.parametrize("engine", RESULTS)
def test_a_byte_order_mark_before_a_good_result_costs_nothing(tmp_path: Path, engine: str) -> None:
    name, version, result = RESULTS[engine]
    (tmp_path / "result").write_text(f"\ufeff{result}\n")
    path = write_program(
        tmp_path / "bin" / name,
        f"[ \"$1\" = --version ] && {{ echo '{version}'; exit; }}\nexec cat '{tmp_path / 'result'}'\n",
    )
    row = attempt(path, engine)
    assert (row.status, row.error) == ("ok", None)
