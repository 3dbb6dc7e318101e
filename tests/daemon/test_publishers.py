"""The daemon visits receivers of numbers by itself: after each row, when the line changes, and by the clock."""

import json
from pathlib import Path
from typing import override

import pytest
from daemon import DaemonProcess, until, variables
from publishing import settings_of
from receivers import hook, mosquitto, retained
from samples import HOME, keep, measured, utc
from standins import ookla
from standins.ookla_behaviours import NOW
from standins.ookla_results import V1_2_0

from speedtest.daemon.clock import Clock
from speedtest.daemon.publishers import REFRESH_SECONDS, Publishers
from speedtest.process import Stop


def daemon(folder: Path, **receivers: str) -> DaemonProcess:
    program = ookla.install(folder / "bin", result=V1_2_0.replace("2024-03-09T14:25:36Z", NOW))
    return DaemonProcess(folder, program.parent, SPEEDTEST_LOCATION_UUID=HOME, **receivers)


@pytest.mark.slow
def test_a_row_reaches_every_receiver_that_is_set_and_a_restart_sends_nothing_again(tmp_path: Path) -> None:
    """Where this machine's clock is not synchronised, the next start gives the row its date, and then it is sent."""
    with hook() as receiver, mosquitto(tmp_path / "broker") as port:
        both = {"WEBHOOK_URL": receiver.url, "MQTT_URL": f"mqtt://127.0.0.1:{port}"}
        with daemon(tmp_path, **both) as running:
            until(lambda: running.logged("measured"))
            state = until(lambda: retained(port).get(f"speedsnake/speedsnake_{HOME}/state"))
            until(lambda: json.loads(retained(port)[f"speedsnake/speedsnake_{HOME}/state"])["test"] == "ok")
            assert running.stop() == 0
        assert state
        for _ in range(2):
            known = len(receiver.got)
            with daemon(tmp_path, **both) as running:
                until(lambda: running.logged("measured"))
                until(lambda known=known: len(receiver.got) > known)
                assert running.stop() == 0
        ids = [request.id for request in receiver.got]
        assert len(set(ids)) == len(ids)


def test_without_a_receiver_nothing_is_started(tmp_path: Path) -> None:
    with daemon(tmp_path) as running:
        until(lambda: running.logged("measured"))
        assert running.stop() == 0
        assert not any("publish" in str(record) for record in running.log)
    assert not (tmp_path / "results" / "publishing").exists()


class LaterClock(Clock):
    """A clock that can be set forward."""

    ahead = 0.0

    @override
    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.mark.slow
def test_receivers_are_visited_after_a_row_when_the_line_changes_and_by_the_clock(tmp_path: Path) -> None:
    stop = Stop()
    clock = LaterClock(stop)
    with hook() as receiver:
        settings = settings_of(tmp_path, WEBHOOK_URL=receiver.url)
        environment = variables(tmp_path, SPEEDTEST_LOCATION_UUID=HOME, WEBHOOK_URL=receiver.url)
        environment |= {"RESULT_DIR": str(settings.result_dir), "UPLOAD_DIR": str(settings.upload_dir)}
        publishers = Publishers(settings, clock, environment, stop)

        def got(line: str) -> int:
            """Let the daemon look once; return how many rows the receiver has then."""
            keep([measured(utc(2026, 11, 26), seed=len(list(settings.result_dir.rglob("*.csv"))))], settings.result_dir)
            publishers.visit(line)
            publishers.join()
            return len(receiver.got)

        assert [got("up"), got("up"), got("down"), got("down")] == [1, 1, 3, 3]
        publishers.want()
        assert got("down") == 5
        clock.ahead = REFRESH_SECONDS
        assert got("down") == 6
        assert got("down") == 6
