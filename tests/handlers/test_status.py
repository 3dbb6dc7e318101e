"""`speedsnake status` shows the current status to people and scripts, and writes nothing."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from command import Terminal, speedsnake
from daemon import DaemonProcess, run
from foreign import without_status
from msgspec.structs import replace
from samples import failed, keep, measured
from standins import ookla
from standins.ookla_behaviours import NOW
from standins.ookla_results import V1_2_0, changed

from speedtest.data import heartbeat
from speedtest.measurement import Measurement

NOON = datetime.now(UTC).replace(microsecond=0)
ADDRESS = "home"


def row(ago: timedelta, *, good: bool = True, attempt: int = 1, seed: int = 0) -> Measurement:
    """Return a row of a slot this long ago."""
    when = NOON - ago
    made = measured(when, ADDRESS, seed) if good else failed(when, ADDRESS)
    return replace(made, slot=when - timedelta(seconds=30 if good else 0), attempt=attempt, interval_seconds=600.0)


def status(folder: Path, **more: str) -> dict[str, Any]:
    ended = speedsnake(folder, "status", "--json", programs=None, **more)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def said(folder: Path, *arguments: str, **more: str) -> dict[str, str]:
    ended = speedsnake(folder, "status", *arguments, programs=None, **more)
    assert (ended.returncode, ended.stderr) == (0, "")
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in ended.stdout.splitlines() if line)


@pytest.mark.slow
def test_nothing_there_yet_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    found = status(tmp_path)
    assert (found["lines"], found["quarantined_files"], found["daemon"]["on_time"]) == ([], 0, False)
    assert "no daemon has run yet" in found["daemon"]["why_not"]
    assert [(disk["bytes_used"], disk["bytes_free"]) for disk in found["disk"]] == [(0, None), (0, None)]
    shown = said(tmp_path)
    assert shown["rows"] == "none yet"
    assert shown["results"].endswith(f"not there yet, {tmp_path / 'results'}")
    assert {path.name for path in tmp_path.iterdir()} == {"tools"}


@pytest.mark.slow
def test_a_running_daemon_is_on_time_and_its_next_test_is_told(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin", result=changed(V1_2_0, ("2024-03-09T14:25:36Z", NOW)) + "\n")
    with DaemonProcess(tmp_path, tmp_path / "bin", SPEEDTEST_LOCATION_UUID=ADDRESS) as daemon:
        daemon.first_rows()
        found = status(tmp_path)
        assert found["daemon"]["on_time"] is True
        assert found["daemon"]["rows_waiting"] == 0
        due = datetime.fromisoformat(found["daemon"]["next_due"])
        assert timedelta(seconds=500) < due - datetime.now(UTC) < timedelta(seconds=601)
        shown = said(tmp_path)
        assert shown["daemon"] == "on time"
        assert heartbeat.read(tmp_path / "results").location == ADDRESS
        assert re.search(r" UTC \(in (10|9) min\)$", shown["next test"])
        assert re.search(r"ago\), ookla 1.2.0.84: 290 Mbit/s down, 12.5 Mbit/s up, 15.4 ms$", shown["last test"])
        assert daemon.stop() == 0


def test_a_heartbeat_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/.heartbeat.json").write_text("{broken")
    assert ".heartbeat.json cannot be read: JSON is malformed" in said(tmp_path)["daemon"]


@pytest.mark.slow
def test_the_bufferbloat_of_the_last_test_is_graded(tmp_path: Path) -> None:
    made = replace(row(timedelta(hours=1)), latency_ms=10.0, download_latency_ms=12.0, upload_latency_ms=16.0)
    keep([made], tmp_path / "results")
    assert said(tmp_path)["bufferbloat"].startswith("A+: +4.00 ms, mean of download and upload; scale of DSLReports")


@pytest.mark.slow
def test_uptime_counts_slots_and_not_attempts(tmp_path: Path) -> None:
    """In a day of ten slots, one failed, and another failed at first and succeeded at the retry."""
    rows = [row(timedelta(hours=2 * number), good=number != 3, seed=number) for number in range(10)]
    rows.append(replace(row(timedelta(hours=8), good=False), slot=rows[4].slot, attempt=2))
    rows += [row(timedelta(days=3, minutes=10 * number), good=number >= 4) for number in range(10)]
    keep(rows, tmp_path / "results")
    (line,) = status(tmp_path)["lines"]
    assert line["uptime_percent"] == pytest.approx({"24h": 90.0, "7d": 75.0, "30d": 75.0})
    assert said(tmp_path)["uptime"] == "24h 90 %, 7d 75 %, 30d 75 %"


@pytest.mark.slow
def test_failures_in_a_row_are_those_since_the_last_good_test(tmp_path: Path) -> None:
    keep([row(timedelta(minutes=10 * number), good=number in (3, 5)) for number in range(8)], tmp_path / "results")
    (line,) = status(tmp_path)["lines"]
    assert line["failures_in_a_row"] == 3
    assert (line["last"]["status"], line["last"]["error_kind"]) == ("failed", "exit")
    assert 'failed, exit: Cannot open socket, "again"' in said(tmp_path)["last test"]


def test_failures_that_a_dead_line_does_not_have_leave_the_state_unknown(tmp_path: Path) -> None:
    rows = [replace(row(timedelta(minutes=10 * number), good=False), error_kind="rate-limited") for number in (0, 1)]
    keep(rows, tmp_path / "results")
    shown = said(tmp_path)
    assert shown["state"].startswith("unknown: the test failed")
    assert (shown["failures in a row"], shown["uptime"][:8]) == ("2", "24h 0 %,")


def test_rows_without_a_status_are_counted_and_nothing_good_is_said(tmp_path: Path) -> None:
    without_status(tmp_path / "results", NOON - timedelta(hours=1), 3)
    shown = said(tmp_path, SPEEDTEST_LOCATION_UUID=ADDRESS)
    assert (shown["location"], shown["without a status"]) == (ADDRESS, "3 rows of the last month")
    assert (shown["last test"], shown["failures in a row"]) == ("none", "not known")
    assert shown["state"] == "unknown: there is no test"


@pytest.mark.slow
def test_all_failed_and_long_ago_is_told_as_such(tmp_path: Path) -> None:
    keep([row(timedelta(days=400, minutes=10 * number), good=False) for number in range(3)], tmp_path / "results")
    assert run(tmp_path, "convert").returncode == 0
    (line,) = status(tmp_path)["lines"]
    assert line["failures_in_a_row"] == 3
    assert line["uptime_percent"] == {"24h": None, "7d": None, "30d": None}
    assert said(tmp_path)["uptime"] == "24h not measured, 7d not measured, 30d not measured"


@pytest.mark.slow
def test_the_data_of_the_month_is_that_of_the_local_month(tmp_path: Path) -> None:
    """The month begins at a different instant in each time zone. Everything since then counts."""
    rows = [row(timedelta(minutes=10 * number), seed=number) for number in range(6)]
    local = {zone: NOON.astimezone(ZoneInfo(zone)) for zone in ("Pacific/Kiritimati", "Etc/GMT+12")}
    keep(rows, tmp_path / "results")
    for zone, now in local.items():
        begun = now.replace(day=1, hour=0, minute=0, second=0)
        expected = sum(each.data_bytes or 0 for each in rows if each.timestamp >= begun)
        (line,) = status(tmp_path, TZ=zone)["lines"]
        assert line["data_bytes_of_month"] == expected


@pytest.mark.slow
def test_the_budget_is_told_if_there_is_one(tmp_path: Path) -> None:
    keep([row(timedelta(minutes=10))], tmp_path / "results")
    state = {"bytes_by_month": {f"{NOON:%Y-%m}": 12_300_000_000}}
    (tmp_path / "results/.schedule.json").write_text(json.dumps(state))
    assert "data budget" not in said(tmp_path)
    assert said(tmp_path, DATA_BUDGET_GB_PER_MONTH="50", TZ="UTC")["data budget"] == "12.3 of 50 GB"


@pytest.mark.slow
def test_each_location_is_told_for_itself_or_one_that_is_asked_for(tmp_path: Path) -> None:
    keep([row(timedelta(minutes=10)), replace(row(timedelta(minutes=20)), speedtest_address="x")], tmp_path / "results")
    assert sorted(line["location"] for line in status(tmp_path)["lines"]) == ["home", "x"]
    only = speedsnake(tmp_path, "status", "--json", "--location", "x")
    assert [line["location"] for line in json.loads(only.stdout)["lines"]] == ["x"]


def test_disk_and_quarantine_are_told(tmp_path: Path) -> None:
    keep([row(timedelta(days=3))], tmp_path / "results")
    day = next((tmp_path / "results").glob("year=*/month=*/day=*"))
    (day / "speedtest_bad.csv").write_text("no row")
    assert run(tmp_path, "convert").returncode == 0
    found = status(tmp_path)
    assert found["quarantined_files"] == 1
    assert all(disk["bytes_used"] > 0 and disk["bytes_free"] > 0 for disk in found["disk"])


def test_a_file_that_cannot_be_read_is_named_and_the_exit_code_is_1(tmp_path: Path) -> None:
    when = NOON - timedelta(days=2)
    bad = tmp_path / f"uploads/location=x/year={when:%Y}/month={when:%m}/day={when:%d}"
    bad.mkdir(parents=True)
    (bad / "speedtest_001.parquet").write_bytes(b"junk")
    ended = speedsnake(tmp_path, "status")
    assert (ended.returncode, "speedtest_001.parquet cannot be read" in ended.stderr) == (1, True)
    assert "Traceback" not in ended.stderr


def test_hostile_words_of_a_program_are_shown_as_text(tmp_path: Path) -> None:
    words = "[blink]\x1b[2J\x07\u202e" + "x" * 400
    keep([replace(row(timedelta(minutes=1), good=False), error=words)], tmp_path / "results")
    with Terminal(tmp_path, "status") as terminal:
        assert terminal.end() == 0
    assert r"[blink]\x1b[2J\x07\u202exxx" in terminal.text
    assert "\x1b[2J" not in terminal.raw
