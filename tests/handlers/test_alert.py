"""`speedsnake alert` tries, lists and silences; the child of the daemon tells."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alerting import TOKEN, AlertedLine, HttpReceiver, good_row, outage
from command import speedsnake
from daemon import DaemonProcess, run, until, variables
from samples import ookla_result
from standins import ookla

from speedtest.alerts import ping
from speedtest.alerts.channel import ChannelAnswer
from speedtest.alerts.outbox import Outbox
from speedtest.handlers import alert_child


@pytest.fixture
def hook() -> Iterator[HttpReceiver]:
    with HttpReceiver() as receiver:
        yield receiver


@pytest.mark.slow
def test_alert_test_sends_to_each_channel_and_says_what_each_answered(tmp_path: Path, hook: HttpReceiver) -> None:
    channels = {"ALERT_URLS": f"{hook.url} json://127.0.0.1:1/{TOKEN}", "PING_URL": f"http://{hook.address}/{TOKEN}"}
    ended = speedsnake(tmp_path, "alert", "test", **channels, SPEEDTEST_LOCATION_UUID="home")
    assert ended.returncode == 1
    assert TOKEN not in ended.stdout + ended.stderr
    said = {line[:22].strip(): line[22:] for line in ended.stdout.splitlines()}
    assert said["channel 1 (json)"] == "taken"
    assert "Connection refused" in said["channel 2 (json)"]
    assert said["PING_URL"] == "200 OK"
    message, called = (body.decode() for _, body in hook.bodies)
    assert json.loads(message)["title"] == called == "home: test message"
    assert said["event"] in message


def test_alert_test_without_a_channel_says_what_to_set(tmp_path: Path) -> None:
    ended = run(tmp_path, "alert", "test")
    assert (ended.returncode, "ALERT_URLS" in ended.stderr) == (78, True)


def test_alert_list_shows_what_lasts_what_waits_and_the_channels(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    line = AlertedLine(tmp_path, (f"json://127.0.0.1:1/{TOKEN}",))
    line.run(now - timedelta(hours=1))
    line.watch(now, "down", now - timedelta(minutes=9))
    line.keep(outage(now - timedelta(minutes=30), 600))
    line.run(now)
    ended = speedsnake(tmp_path, "alert", "list", programs=None, **line.environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("waiting") == 3
    assert "line up again after 10 min" in ended.stdout
    assert "channel 1 (json)      0 events taken, 2 waiting" in ended.stdout
    listed = json.loads(speedsnake(tmp_path, "alert", "list", "--json", programs=None, **line.environment).stdout)
    assert [each["waiting"] for each in listed["channels"]] == [2]
    assert TOKEN not in ended.stdout + json.dumps(listed)


@pytest.mark.parametrize("arguments", ["silence", "silence forever", "silence 32d", "list 2h", "loud"])
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: str) -> None:
    assert run(tmp_path, "alert", *arguments.split()).returncode == 64


def test_alert_silence_says_until_when_and_0_ends_it(tmp_path: Path) -> None:
    ended = run(tmp_path, "alert", "silence", "2h", TZ="Europe/Berlin")
    assert (ended.returncode, "(Europe/Berlin)" in ended.stdout) == (0, True)
    until_when = json.loads((Outbox(tmp_path / "results").folder / "silence.json").read_text())["until"]
    left = datetime.fromisoformat(until_when) - datetime.now(UTC)
    assert timedelta(hours=1, minutes=58) < left <= timedelta(hours=2)
    assert run(tmp_path, "alert", "silence", "0").stdout == "alerts are not silenced\n"


@pytest.mark.slow
def test_the_child_tells_and_exits_and_one_at_a_time(tmp_path: Path, hook: HttpReceiver) -> None:
    line = AlertedLine(tmp_path, (hook.url,))
    surroundings = variables(tmp_path, **line.environment)
    assert run(tmp_path, "alert_child", programs=None, **line.environment).returncode == 0
    line.keep(outage(datetime.now(UTC) - timedelta(seconds=80), 300))
    both = [
        subprocess.Popen([sys.executable, "-m", "speedtest.handlers.alert_child"], cwd=tmp_path, env=surroundings)
        for _ in range(2)
    ]
    assert sorted(process.wait(60) for process in both) in ([0, 0], [0, 75])
    assert run(tmp_path, "alert_child", programs=None, **line.environment).returncode == 0
    assert [title[:15] for title in hook.titles] == ["home: line down", "home: line up a"]


def test_ping_url_is_told_of_a_disk_that_refuses_the_outbox(tmp_path: Path, hook: HttpReceiver) -> None:
    line = AlertedLine(tmp_path, (), {"PING_URL": f"http://{hook.address}/{TOKEN}"})
    line.outbox.folder.write_text("no folder")
    assert run(tmp_path, "alert_child", programs=None, **line.environment).returncode == 1
    ((path, body),) = hook.bodies
    assert path == f"/{TOKEN}/fail"
    assert body.startswith(b"home: alerts cannot be noted: ")


def test_a_receiver_that_answers_a_byte_now_and_then_holds_up_the_others_only_for_a_while(hook: HttpReceiver) -> None:
    over = threading.Event()
    hook.on_call = lambda: over.wait(60)
    try:
        answer = alert_child.in_time(lambda: ping.send(f"http://{hook.address}/", "words", failed=False), 0.2)
    finally:
        over.set()
    assert answer == ChannelAnswer(is_yes=False, words="it did not answer within 0.2 s")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_child_with_nothing_to_send_loads_neither_apprise_nor_pandas(tmp_path: Path) -> None:
    line = AlertedLine(tmp_path, ("json://127.0.0.1:1/",))
    line.keep(good_row(datetime.now(UTC) - timedelta(minutes=1)))
    code = (
        "import sys; from speedtest.handlers import alert_child; alert_child.main(); "
        "print([name for name in ('apprise', 'pandas', 'numpy', 'requests') if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=variables(tmp_path, **line.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "[]\n"


def test_the_daemon_calls_ping_url_after_its_test_and_never_shows_it(tmp_path: Path, hook: HttpReceiver) -> None:
    ookla.install(tmp_path / "bin", result=json.dumps(ookla_result(datetime.now(UTC))))
    url = f"http://{hook.address}/{TOKEN}"
    with DaemonProcess(tmp_path, tmp_path / "bin", PING_URL=url) as daemon:
        until(lambda: hook.bodies, "call")
        until(lambda: daemon.logged("alerts_ended"), "end of the child")
        assert daemon.stop() == 0
        assert [path for path, _ in hook.bodies] == [f"/{TOKEN}"]
        assert TOKEN not in daemon.stderr + (tmp_path / "logs/speedtest.log").read_text()
    shown = run(tmp_path, "check", programs=tmp_path / "bin", PING_URL=url)
    assert TOKEN not in shown.stdout + shown.stderr


def test_without_a_channel_the_daemon_starts_no_child(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    with DaemonProcess(tmp_path, tmp_path / "bin", ALERT_BELOW_MBPS="100,10") as daemon:
        until(lambda: daemon.logged("measured"), "row")
        assert daemon.stop() == 0
    assert not (tmp_path / "results/outbox").exists()
    shutil.rmtree(tmp_path / "results")
