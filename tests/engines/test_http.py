"""The engine `http`: our own program against servers that answer, refuse, cut, stall and lie."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from attempts import SECOND, attempt, find
from hypothesis import given, strategies as st
from paths import PROJECT
from standins import http_server as server
from standins.http_server import HttpServer

from speedtest import programs
from speedtest.engines import ENGINES
from speedtest.http_test import phase, trouble
from speedtest.http_test.latency import summarised
from speedtest.http_test.phase import Mark
from speedtest.http_test.server import SpeedServer
from speedtest.measurement import ErrorKind, Failure, Measurement
from speedtest.process import Finished
from speedtest.values import samples
from speedtest.values.samples import Samples
from speedtest.version import VERSION

NOWHERE = Path("/nowhere/http")


@contextmanager
def serving(port: int = 0, connections: int = 32) -> Iterator[SpeedServer]:
    """Run the server of `speedsnake serve-test` in a thread."""
    with SpeedServer("127.0.0.1", port, connections=connections) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


def measure(url: str, **variables: str) -> Measurement:
    chosen = {"SPEEDTEST_SERVER": url} | SECOND | variables
    return attempt(NOWHERE, "http", lambda target: target, None, **chosen)


@pytest.mark.slow
def test_it_measures_and_tells_how() -> None:
    with serving() as running:
        row = measure(running.url)
    assert (row.status, row.engine, row.engine_version, row.error) == ("ok", "http", VERSION, None)
    assert min(row.download_mbps or 0, row.upload_mbps or 0) > 10
    assert 0 < (row.latency_ms or 0) < 50
    assert row.jitter_ms is not None
    assert row.packet_loss_percent is None
    assert (row.download_latency_ms or 0) > 0
    assert (row.upload_latency_ms or 0) > 0
    assert row.ip_version == 4
    assert row.data_bytes == int(row.raw["download_moved_bytes"] or 0) + int(row.raw["upload_moved_bytes"] or 0)
    assert (row.raw["server_host"], row.raw["server_url"]) == ("127.0.0.1", running.url)
    assert (row.raw["download_counted"], row.raw["dialect"]) == ("received", "cloudflare")
    assert row.raw["upload_counted"] == ("acknowledged" if sys.platform == "linux" else "confirmed")
    assert {row.raw["confidence"]} <= {"high", "medium", "low"}
    assert "null_because" not in row.raw
    curve = [samples.unpack(row.raw[f"samples_{way}"] or "") for way in ("download", "upload")]
    assert all(one.milliseconds == 100 and 11 <= len(one.mbps) <= 14 for one in curve)
    assert len(json.dumps({name: row.raw[name] for name in row.raw if name.startswith("samples_")})) <= 4000
    assert float(row.raw["cost_peak_mib"] or 99) <= 40


@pytest.mark.slow
def test_what_the_server_has_sent_and_received_is_what_is_counted() -> None:
    with HttpServer() as running:
        row = measure(running.url)
    moved = int(row.raw["upload_moved_bytes"] or 0)
    assert row.status == "ok", row.error
    assert 0.98 * running.received < moved < 1.02 * running.received + 6 * server.MEBIBYTE


REFUSALS: dict[str, tuple[server.Behaviour, ErrorKind, str]] = {
    "429": (server.always(429), "rate-limited", "429 Too Many Requests: too many requests"),
    "429, under load": (server.under_load(429), "rate-limited", "__down?bytes="),
    "429, Retry-After: 7200": (
        server.under_load(429, Retry_After="7200"),
        "rate-limited",
        "retry after 7200 s",
    ),
    "429, Retry-After: a date": (server.always(429, Retry_After=server.in_an_hour()), "rate-limited", "retry after 3"),
    "429, of uploads": (server.of_uploads(429), "rate-limited", "POST /__up"),
    "403": (server.always(403, b"Access denied"), "refused", "403 Forbidden ('Access denied')"),
    "403, of large requests": (server.under_load(403), "refused", "such large requests"),
    "413, of uploads": (server.of_uploads(413, server.PAGE, "text/html"), "refused", "nginx: client_max_body_size"),
    "500": (server.always(500), "refused", "500 Internal Server Error"),
    "502, under load": (server.under_load(502, server.PAGE, "text/html"), "refused", "'Please log in & pay'"),
    "503": (server.always(503, b"try later"), "server-busy", "503 Service Unavailable ('try later')"),
    "404": (server.always(404, server.PAGE, "text/html"), "malformed", "knows neither __down nor empty.php"),
    "a page": (server.always(200, server.PAGE, "text/html"), "malformed", "answered with a page ('Please log in"),
    "a page, under load": (server.under_load(200, server.PAGE, "text/html"), "malformed", "captive portal"),
    "a page, by a proxy": (server.always(200, server.PAGE, "text/html", Via="1.1 x"), "malformed", "a proxy answers"),
    "a redirection elsewhere": (
        server.always(302, Location="http://login.example/?mac=00:00:5e:00:53:01"),
        "malformed",
        "302 Found to http://login.example/: a captive portal",
    ),
    "a redirection under load": (server.under_load(307, Location="/login"), "malformed", "307 Temporary Redirect"),
    "a redirection in a circle": (server.always(302, Location="/__down?bytes=0"), "malformed", "302 Found"),
    "511": (server.always(511, server.PAGE, "text/html"), "malformed", "log in to this network"),
    "407": (server.always(407, Proxy_Authenticate="Basic"), "malformed", "a proxy answers in the server's place"),
    "no HTTP": (server.says(b"SSH-2.0-OpenSSH_9.9\r\n"), "malformed", "does not speak HTTP: b'SSH-2.0"),
    "no answer": (server.says(b""), "exit", "the server closed the connection"),
    "downloads cut in the middle": (server.cuts(300_000), "exit", "the download was cut 1"),
    "downloads that end after 1 MB": (server.cuts(1_000_000), "exit", "bytes were missing"),
    "uploads cut in the middle": (server.cuts(30_000, "POST"), "exit", "the upload was cut 13 times"),
    "a length of less than asked for": (server.tells_length("1000", 1000), "malformed", "1000 bytes in place of"),
    "a length of more than asked for": (server.tells_length("99999999"), "malformed", "99999999 bytes in place of"),
    "two lengths": (server.tells_length("1000\r\nContent-Length: 1001"), "malformed", "an impossible length"),
    "a length below 0": (server.tells_length("-1"), "malformed", "an impossible length: -1"),
    "more bytes than told": (server.sends_more, "malformed", "does not speak HTTP"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if "uploads" in name else ()) for name in REFUSALS]
)
def test_a_refusal_is_a_failure_of_the_right_kind_and_never_a_speed(name: str) -> None:
    behaviour, kind, words = REFUSALS[name]
    with HttpServer(behaviour) as running:
        row = measure(running.url)
    assert (row.status, row.error_kind) == ("failed", kind), row.error
    assert words in (row.error or "")
    assert (row.download_mbps, row.upload_mbps, row.latency_ms) == (None, None, None)
    assert row.exit_code == 1
    assert "mac=" not in (row.error or "")


OK_HEAD = b"HTTP/1.1 200 OK\r\n"
HOSTILE_HEADS: dict[str, tuple[bytes, ErrorKind, str]] = {
    "a place that is no URL": (
        b"HTTP/1.1 302 Found\r\nLocation: http://[x\r\n\r\n",
        "malformed",
        "302 Found: a captive",
    ),
    "a place with a password": (
        b"HTTP/1.1 302 Found\r\nLocation: http://user:hunter2@login.example/\r\n\r\n",
        "malformed",
        "302 Found to http://login.example/: a captive portal",
    ),
    "a date of no calendar": (
        b"HTTP/1.1 429 No\r\nRetry-After: Mon, 01 Jan 2024 00:00:00 +99999999999999\r\nContent-Length: 0\r\n\r\n",
        "rate-limited",
        "429 Too Many Requests",
    ),
    "a chunk of endless length": (
        OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n",
        "malformed",
        "a chunk without a length",
    ),
    "letters that a terminal obeys": (OK_HEAD + b"Content-Length: 5\x1b[31m\r\n\r\n", "malformed", "length: 5?[31m"),
}


@pytest.mark.parametrize("name", HOSTILE_HEADS)
def test_a_head_that_is_made_to_break_the_program_is_told_apart_too(name: str) -> None:
    head, kind, words = HOSTILE_HEADS[name]
    with HttpServer(server.says(head)) as running:
        row = measure(running.url)
    assert (row.status, row.error_kind) == ("failed", kind), row.error
    assert words in (row.error or "")
    assert "hunter2" not in (row.error or "")


STALLS: dict[str, tuple[server.Behaviour, str]] = {
    "downloads": (server.stalls("GET"), "the download stalled: nothing moved for 5 s"),
    "uploads": (server.stalls("POST"), "the upload stalled: nothing moved for 5 s"),
    "every answer": (server.never_answers, "did not answer in time"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STALLS)
def test_a_server_that_stalls_is_a_timeout(name: str) -> None:
    behaviour, words = STALLS[name]
    with HttpServer(behaviour) as running:
        row = measure(running.url)
    assert (row.status, row.error_kind) == ("failed", "timeout"), row.error
    assert words in (row.error or "")
    assert (row.duration_seconds or 99) < 20


def test_nobody_who_listens_is_told_apart_from_a_line_that_is_down() -> None:
    with HttpServer() as running:
        url = running.url
    row = measure(url)
    assert (row.error_kind, "connection refused by 127.0.0.1, port" in (row.error or "")) == ("refused", True)
    row = measure("http://no..such.host/")  # a name that no name server is asked for
    assert (row.error_kind, "an address of no..such.host" in (row.error or "")) == ("exit", True)


@pytest.mark.slow
def test_a_download_before_an_upload_that_failed_is_kept_and_its_bytes_count() -> None:
    with HttpServer(server.of_uploads(413)) as running:
        row = measure(running.url)
    assert float(row.raw["raw_download_mbps"] or 0) > 1
    moved = [int(row.raw[f"{way}_moved_bytes"] or 0) for way in ("download", "upload")]
    assert moved[0] > 1_000_000
    assert row.data_bytes == sum(moved)
    assert samples.unpack(row.raw["samples_download"] or "").mbps
    assert "samples_upload" not in row.raw


def test_how_long_the_service_wants_to_be_left_alone_is_kept() -> None:
    behaviour, _, _ = REFUSALS["429, Retry-After: 7200"]
    with HttpServer(behaviour) as running:
        row = measure(running.url)
    assert row.raw["retry_after_seconds"] == "7200"


GOOD: dict[str, Callable[[], HttpServer]] = {
    "that asks for a short pause first": lambda: HttpServer(server.first(1, server.always(429, Retry_After="1"))),
    "that closes after each answer": lambda: HttpServer(server.closes_after_each),
    "that wants its cookie back": lambda: HttpServer(server.wants_its_cookie),
    "that redirects on the same host": lambda: HttpServer(server.moved_to("/speed/"), folder="/speed"),
    "that speaks LibreSpeed": lambda: HttpServer(dialect="librespeed"),
    "that speaks LibreSpeed in backend/": lambda: HttpServer(dialect="librespeed", folder="/backend"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_it_measures_at_a_server(name: str) -> None:
    with GOOD[name]() as running:
        row = measure(running.url)
    assert (row.status, row.error) == ("ok", None)
    assert min(row.download_mbps or 0, row.upload_mbps or 0) > 10
    assert row.raw["dialect"] == ("librespeed" if "LibreSpeed" in name else "cloudflare")
    if "cookie" in name:
        assert all("__cf_bm=abc.def" in asked.headers["cookie"] for asked in running.asked if asked.loads)
    if "closes" in name:
        assert int(row.raw["download_refreshed"] or 0) >= 1
        assert 0.9 * running.sent < int(row.raw["download_moved_bytes"] or 0) <= running.sent


@pytest.mark.slow
def test_no_request_is_larger_than_25_mb_and_each_says_who_asks() -> None:
    with HttpServer() as running:
        measure(running.url)
    assert max(asked.size for asked in running.asked) <= 25_000_000
    assert {asked.headers["user-agent"] for asked in running.asked} == {f"speedsnake/{VERSION}"}


@pytest.mark.slow
def test_a_server_with_tls_is_trusted_by_the_authority_in_the_file(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with HttpServer(certificate=authority.issue_cert("127.0.0.1")) as running:
        row = measure(running.url, SPEEDTEST_CA_FILE=str(tmp_path / "ca.pem"))
        assert (row.status, row.error, row.raw["tls"]) == ("ok", None, "TLSv1.3")
        row = measure(running.url)
        assert (row.status, row.error_kind) == ("failed", "exit")
        assert "set SPEEDTEST_CA_FILE to its authority's certificate" in (row.error or "")
        row = measure(running.url.replace("https", "http"))
        assert row.status == "failed"
    with serving() as plain:
        row = measure(plain.url.replace("http", "https"))
    assert (row.status, row.error_kind, "no TLS with 127.0.0.1" in (row.error or "")) == ("failed", "exit", True)


@pytest.mark.slow
def test_only_the_place_is_kept_of_what_the_service_says_of_its_client() -> None:
    trace = b"fl=1\nip=203.0.113.9\nts=1\nvisit_scheme=https\ncolo=ZRH\nloc=CH\ntls=TLSv1.3\n"

    def traced(connection: "server.socket.socket", asked: server.Asked) -> bool | None:
        return server.reply(connection, 200, trace) if asked.path == "/cdn-cgi/trace" else None

    with HttpServer(traced) as running:
        row = measure(running.url)
    assert (row.status, row.raw["server_name"]) == ("ok", "ZRH"), row.error
    assert "203.0.113.9" not in json.dumps(row.raw)


@pytest.mark.slow
def test_an_upload_counts_by_confirmed_requests_where_the_kernel_does_not_tell() -> None:
    with HttpServer() as running:
        row = measure(running.url, SPEEDTEST_ARGUMENTS="http=--count confirmed", SPEEDTEST_SECONDS_PER_DIRECTION="2")
    assert (row.status, row.raw["upload_counted"], row.error) == ("ok", "confirmed", None)
    moved = int(row.raw["upload_moved_bytes"] or 0)
    assert moved <= running.received
    assert row.upload_mbps == pytest.approx(moved * 8e-6 / 2.5, rel=0.3)


@pytest.mark.slow
def test_over_which_address_it_measures_is_chosen() -> None:
    with HttpServer() as running:
        row = measure(running.url, SPEEDTEST_IP_VERSION="4", SPEEDTEST_INTERFACE="127.0.0.1")
        assert (row.status, row.ip_version) == ("ok", 4)
        row = measure(running.url, SPEEDTEST_IP_VERSION="6")
    assert (row.status, row.error_kind) == ("failed", "exit")


@pytest.mark.slow
def test_each_progress_line_is_told_and_leaves_the_row_as_it_is() -> None:
    with serving() as running:
        command = [sys.executable, "-m", "speedtest.http_test", "--server", running.url, "--seconds", "1", "--live"]
        ended = subprocess.run(command, capture_output=True, cwd=PROJECT, check=True)
    *lines, last = ended.stdout.splitlines()
    read = ENGINES["http"].progress
    assert read
    told = [read(line) for line in lines]
    assert [each.step for each in told if each and each.step == "start"] == ["start"]
    for step in ("download", "upload"):
        parts = [each.part for each in told if each and each.step == step]
        assert parts == sorted(parts)
        assert len(parts) >= 4
        assert all(each.now_mbps for each in told if each and each.step == step and each.part > 0.5)
    assert None not in told
    assert read(last) is None
    assert ENGINES["http"].read([Finished("exit", 0, last, b"", 4)]).status == "ok"


@pytest.mark.parametrize(
    "arguments", [["--seconds", "0"], ["--server", "ftp://h"], ["--connections", "33"], ["--nonsense"], ["surplus"]]
)
def test_arguments_that_mean_nothing_are_refused(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "speedtest.http_test", *arguments]
    ended = subprocess.run(command, capture_output=True, cwd=PROJECT, text=True, check=False)
    assert (ended.returncode, ended.stdout, arguments[-1] in ended.stderr) == (64, "", True)


def test_the_program_needs_nothing_but_the_standard_library() -> None:
    look = "import sys; import speedtest.http_test.program; print(*sorted(n for n in sys.modules if n[0] != '_'))"
    ended = subprocess.run([sys.executable, "-c", look], capture_output=True, cwd=PROJECT, text=True, check=True)
    imported = {name.partition(".")[0] for name in ended.stdout.split()} - set(sys.stdlib_module_names)
    assert imported - imported_by_this_python() == {"speedtest"}


def imported_by_this_python() -> set[str]:
    """Return what this environment imports at each start."""
    look = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    ended = subprocess.run(look, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in ended.stdout.split()}


def test_it_is_always_found_with_the_version_of_the_project() -> None:
    program, _ = find(NOWHERE, "http", {})
    assert (program.engine.name, program.version, str(program.path)) == ("http", VERSION, sys.executable)
    assert program.is_unchanged()
    project = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^version = "(.*)"$', project, re.MULTILINE)[1] == VERSION  # type: ignore[index]


def test_a_module_of_ours_finds_this_package_and_other_programs_never_do() -> None:
    around = {"PYTHONPATH": "/elsewhere", "GITHUB_TOKEN": "x"}
    assert programs.child_environment(around, ours=True).items() >= {"PYTHONPATH": str(PROJECT)}.items()
    assert not {"PYTHONPATH", "GITHUB_TOKEN"} & programs.child_environment(around).keys()
    assert "GITHUB_TOKEN" not in programs.child_environment(around, ours=True)


def marks(*mbps: float) -> list[Mark]:
    """Return the marks of these speeds, each of a tenth of a second."""
    found = [Mark(0.0, 0)]
    for speed in mbps:
        found.append(Mark(found[-1].seconds + 0.1, found[-1].moved + round(speed * 12_500)))
    return found


def test_a_steady_speed_ends_a_test_and_one_that_still_grows_or_wavers_does_not() -> None:
    assert phase.is_steady(marks(*[100.0] * 51), 2.0)
    assert not phase.is_steady(marks(*[100.0] * 45), 2.0), "three seconds after the warm-up"
    assert not phase.is_steady(marks(*[100 + number for number in range(51)]), 2.0)
    assert not phase.is_steady(marks(*[90.0, 90, 90, 90, 90, 110, 110, 110, 110, 110] * 6), 2.0)
    assert not phase.is_steady(marks(*[0.0] * 60), 2.0)
    assert not phase.is_steady(marks(*[50.0] * 30, *[100.0] * 31), 2.0), "what came before belongs to the mean"


def test_the_samples_of_a_long_test_are_merged_until_they_fit() -> None:
    speeds = tuple(100 + 900 * (number * 7919 % 1000) / 1000 for number in range(3020))
    text = samples.pack(Samples(100, speeds))
    assert len(text) <= samples.LONGEST_TEXT
    back = samples.unpack(text)
    assert back.milliseconds > 100
    assert sum(back.mbps) / len(back.mbps) == pytest.approx(sum(speeds) / len(speeds), rel=0.01)


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=3000), st.integers(1, 1000))
def test_samples_come_back_as_they_were_packed(speeds: list[float], milliseconds: int) -> None:
    text = samples.pack(Samples(milliseconds, tuple(speeds)))
    assert len(text) <= samples.LONGEST_TEXT
    back = samples.unpack(text)
    merged = back.milliseconds // milliseconds
    assert len(back.mbps) == -(-len(speeds) // merged)
    if merged == 1:
        assert back.mbps == pytest.approx(speeds, rel=0.005, abs=0.0005)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_what_is_no_samples_is_told(text: str) -> None:
    try:
        samples.unpack(text)
    except ValueError:
        return
    assert text


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=50))
def test_the_figures_of_round_trips_are_among_them(trips: list[float]) -> None:
    found = summarised(trips)
    assert min(trips) <= found.median <= found.p95 <= max(trips)
    assert found.p95 in trips
    assert (found.jitter is None) == (len(trips) == 1)


NAMES = st.sampled_from(["timestamp", "error", "kind", "download", "upload", "idle", "mbps", "retry_after_seconds"])
TREE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(printed=st.binary() | st.dictionaries(NAMES, TREE).map(json.dumps).map(str.encode), code=st.integers(0, 2))
def test_whatever_is_printed_is_a_measurement_or_a_failure(printed: bytes, code: int) -> None:
    try:
        kind = ENGINES["http"].read([Finished("exit", code, printed, b"", 1.0)]).status
    except Failure as failure:
        kind = failure.kind
    assert kind in ("ok", "exit", "no-output", "malformed", "rejected")


@given(st.integers(100, 599), st.dictionaries(st.sampled_from(["content-type", "retry-after", "location"]), st.text()))
def test_whatever_is_answered_is_trouble_unless_it_is_200(status: int, headers: dict[str, str]) -> None:
    found = trouble.trouble_of("GET /", status, headers, b"")
    assert (found is None) == (status == 200)


def test_the_documentation_lists_each_refusal_with_its_kind() -> None:
    text = (PROJECT / "docs/http.md").read_text(encoding="utf-8").partition("## What is no measurement")[2]
    text = text.partition("|---|---|")[2]
    told = dict(re.findall(r"^\| (.+) \| `([\w-]+)` \|$", text, re.MULTILINE))
    stalled = {f"stalls: {name}": "timeout" for name in STALLS}
    nobody = {"nothing listens at the port": "refused", "no such host": "exit", "TLS by an unknown authority": "exit"}
    assert told == {name: kind for name, (_, kind, _) in REFUSALS.items()} | stalled | nobody
