"""`speedsnake watch` and what `check` says of the line, in a home of network namespaces."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import PATIENCE, until
from home import ROUTER, TARGETS, Home, environment, is_possible

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_possible(), reason="this machine does not let us make network namespaces"),
]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with Home() as home:
        yield home


def run(home: Home, folder: Path, *arguments: str, **variables: str) -> str:
    command = home.command(sys.executable, "-m", f"speedtest.handlers.{arguments[0]}", *arguments[1:])
    folder.mkdir(exist_ok=True)
    surroundings = dict(environment(folder, **variables))
    ended = subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def daemon(home: Home, folder: Path, **variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        home.command(sys.executable, "-m", "speedtest.handlers.loop"),
        cwd=folder,
        env=dict(environment(folder, **variables)),
        stderr=subprocess.DEVNULL,
    )


def test_without_a_daemon_it_watches_by_itself(home: Home, tmp_path: Path) -> None:
    first, *_, last = [
        json.loads(line) for line in run(home, tmp_path, "watch", "--json", "--seconds", "3").splitlines()
    ]
    assert first["by"] == "this command"
    assert last["state"] == "up"
    assert set(TARGETS) <= set(last["targets"])
    assert 0 < last["last_latency_ms"] < 1000
    assert last["loss_percent"] == 0
    assert last["outages"] == []


def test_beside_a_daemon_it_shows_what_that_one_knows(home: Home, tmp_path: Path) -> None:
    process = daemon(home, tmp_path)
    try:
        state = tmp_path / "results" / ".watch.json"
        until(lambda: state.exists() and json.loads(state.read_text())["state"] == "up", "a line that is up")
        with home.cut_upstream():
            until(lambda: json.loads(state.read_text())["state"] == "down", "a line that is down")
            text = run(home, tmp_path, "watch", "--seconds", "2")
            assert " down latency \N{EN DASH} ms" in text.splitlines()[-1]
            assert text.splitlines()[-1].endswith(("(unknown-place)", "(beyond-router)"))
        until(lambda: json.loads(state.read_text())["recent"], "an outage")
        seen = json.loads(run(home, tmp_path, "watch", "--json", "--seconds", "1").splitlines()[-1])
        assert (seen["by"], seen["state"]) == ("daemon", "up")
        assert seen["outages"][0]["place"] in ("unknown-place", "beyond-router")  # is this machine a container?
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert json.loads(state.read_text())["state"] == "unknown"


def test_a_daemon_of_another_line_is_not_asked(home: Home, tmp_path: Path) -> None:
    process = daemon(home, tmp_path, SPEEDTEST_LOCATION_UUID="another")
    try:
        until((tmp_path / "results" / ".watch.json").exists, "the watch's file")
        seen = json.loads(run(home, tmp_path, "watch", "--json", "--seconds", "1").splitlines()[-1])
        assert seen["by"] == "this command"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_check_says_what_the_watch_sees_from_here(home: Home, tmp_path: Path) -> None:
    line = json.loads(run(home, tmp_path, "check", "--json"))["line"]
    assert line["methods"] == {"ipv4": "icmp", "ipv6": "icmp"}
    assert [target for target in line["targets"] if ":" not in target] == list(TARGETS)
    assert line["resolvers"] == [ROUTER]
    assert (line["interface"], line["link"]) == ("h0", "virtual")
    shown = run(home, tmp_path, "check")
    assert f"resolvers                         {ROUTER}\n" in shown
    shown = run(home, tmp_path, "check", WATCH_SECONDS="0")
    assert "watch                             off\n" in shown
