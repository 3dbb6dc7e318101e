"""`auto` measures with another program when the first one fails, and each row says which."""

from pathlib import Path

import pytest
from attempts import SECOND
from daemon import DaemonProcess, run
from standins import ookla
from standins.http_server import HttpServer


@pytest.mark.slow
def test_where_ookla_fails_our_own_program_measures_in_the_same_slot(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin", "error object on stdout")
    with HttpServer() as server:
        chosen = {"SPEEDTEST_ENGINE": "auto", "SPEEDTEST_SERVER": f"http={server.url}"} | SECOND
        with DaemonProcess(tmp_path, tmp_path / "bin", **chosen) as daemon:
            rows = daemon.first_rows(2)
            assert daemon.stop() == 0
    told = [(row["engine"], row["status"], row["attempt"]) for row in sorted(rows, key=lambda row: row["attempt"])]
    assert told == [("ookla", "failed", 1), ("http", "ok", 2)]
    assert len({row["slot"] for row in rows}) == 1


def test_check_lists_every_program_that_auto_may_use(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    ookla.install(tmp_path / "bin", version="librespeed-cli v1.0.11 (built on )", name="librespeed-cli")
    printed = run(tmp_path, "check", programs=tmp_path / "bin", SPEEDTEST_ENGINE="auto").stdout
    programs = [line.split("(")[-1].split()[0] for line in printed.splitlines() if line.startswith("program ")]
    assert programs == ["ookla", "http", "librespeed"]
