"""`speedsnake deliver`: to a folder, as a NAS is one; what it does with what lies there; what it leaves here."""

import json
import os
import shutil
import socket
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command import speedsnake
from daemon import DaemonProcess, run, until
from samples import HOME, day_of, keep, logged, measured, utc
from standins import ookla

from speedtest import environment
from speedtest.data import delivery_note, heartbeat, receipts
from speedtest.data.conversion import convert
from speedtest.data.delivery_note import DeliveryNote, pause
from speedtest.data.elsewhere import only_at_store
from speedtest.data.lake import read
from speedtest.data.lock import Lock
from speedtest.data.partitions import Folders
from speedtest.engines import ENGINES
from speedtest.handlers import deliver
from speedtest.variables import DELIVERY

DAY = utc(2026, 3, 1)
PLACE = f"location={HOME}/year=2026/month=03/day=01"
FIRST, SECOND = f"{PLACE}/speedtest_001.parquet", f"{PLACE}/speedtest_002.parquet"


def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "results", tmp_path / "uploads")


def converted(tmp_path: Path, *, minutes: int = 0, days: int = 1) -> Folders:
    """Convert two rows of each of some days."""
    here = folders(tmp_path)
    for number in range(days):
        first = DAY + timedelta(days=number, minutes=minutes)
        keep([measured(first, seed=number), measured(first + timedelta(hours=3), seed=number + 1)], here.result_dir)
    assert convert(here, HOME, (DAY + timedelta(days=days)).date()) == 0
    return here


def share(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "share"
    folder.mkdir(exist_ok=True)
    return {"DELIVER_TO": f"file://{folder}", "SPEEDTEST_LOCATION_UUID": HOME, "LOG_LEVEL": "INFO"}


def there(tmp_path: Path) -> list[str]:
    base = tmp_path / "share"
    return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())


def delivering(tmp_path: Path, settings: dict[str, Any]) -> int:
    """Deliver in this process, which is faster than a command; return the exit code."""
    places = {"RESULT_DIR": str(tmp_path / "results"), "UPLOAD_DIR": str(tmp_path / "uploads")}
    read_ = environment.read(places | settings, ENGINES, DELIVERY)
    assert read_.deliver_to
    return deliver.run(read_, read_.deliver_to)


def noted(here: Folders) -> DeliveryNote:
    note = delivery_note.read(here.result_dir)
    assert note
    return note


def lines(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


def receipt(tmp_path: Path, name: str = FIRST) -> receipts.Receipt:
    path = Path(name.replace(".parquet", ".receipt.json"))
    number = int(path.name[10:13])
    return receipts.of_day(tmp_path / "results" / "receipts" / path.parent)[number][0]


def test_each_file_is_there_once_with_a_receipt_here(tmp_path: Path) -> None:
    here = converted(tmp_path, days=2)
    ended = run(tmp_path, "deliver", **share(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert [line["event"] for line in lines(ended.stderr)] == ["delivered", "delivered", "delivery_ended"]
    assert there(tmp_path) == [f".probe/location={HOME}", FIRST, FIRST.replace("day=01", "day=02")]
    assert (tmp_path / "share" / FIRST).read_bytes() == (here.upload_dir / FIRST).read_bytes()
    assert (receipt(tmp_path).key, receipt(tmp_path).rows) == (FIRST, 2)
    assert len(receipt(tmp_path).sources) == 2
    again = run(tmp_path, "deliver", **share(tmp_path))
    assert (again.returncode, again.stderr) == (0, "")
    note = noted(here)
    assert (note.waiting, note.failures, note.next_try) == (0, 0, None)


def test_another_machine_s_file_under_the_same_number_stays_and_ours_takes_the_next(tmp_path: Path) -> None:
    converted(tmp_path)
    theirs = converted(tmp_path / "another", minutes=7).upload_dir / FIRST
    settings = share(tmp_path)
    (tmp_path / "share" / PLACE).mkdir(parents=True)
    shutil.copy(theirs, tmp_path / "share" / FIRST)
    assert delivering(tmp_path, settings) == 0
    assert (tmp_path / "share" / FIRST).read_bytes() == theirs.read_bytes()
    assert (tmp_path / "share" / SECOND).read_bytes() == (tmp_path / "uploads" / FIRST).read_bytes()
    assert receipt(tmp_path).key == SECOND
    converted(tmp_path, minutes=3)  # late rows are number 002 here
    assert delivering(tmp_path, settings) == 0
    assert receipt(tmp_path, SECOND).key == SECOND.replace("002", "003")
    assert len(there(tmp_path)) == 4


@pytest.mark.parametrize("damage", ["half", "same rows in other bytes", "some of the rows"])
def test_what_is_there_and_unclear_stops_that_file_only_and_says_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    here = converted(tmp_path, days=2)
    settings = share(tmp_path)
    ours = (here.upload_dir / FIRST).read_bytes()
    (tmp_path / "share" / PLACE).mkdir(parents=True)
    if damage == "half":
        there_already = ours[: len(ours) // 2]
    elif damage == "same rows in other bytes":
        there_already = ours[:50] + bytes([ours[50] ^ 1]) + ours[51:]
    else:
        other = folders(tmp_path / "another")
        keep([measured(DAY, seed=0), measured(DAY + timedelta(hours=9))], other.result_dir)
        convert(other, HOME, (DAY + timedelta(days=1)).date())
        there_already = (other.upload_dir / FIRST).read_bytes()
    (tmp_path / "share" / FIRST).write_bytes(there_already)
    assert delivering(tmp_path, settings) == 1
    (told,) = logged(caplog, "delivery_failed")
    assert "move the object away" in told
    assert (tmp_path / "share" / FIRST).read_bytes() == there_already
    assert receipt(tmp_path, FIRST.replace("day=01", "day=02")).rows == 2
    note = noted(here)
    assert (note.waiting, note.waiting_since, note.trouble) == (1, DAY.date(), "damaged")
    (tmp_path / "share" / FIRST).unlink()
    assert delivering(tmp_path, settings) == 0
    assert (tmp_path / "share" / FIRST).read_bytes() == ours


def test_old_files_go_when_they_are_there_and_the_receipt_keeps_number_and_sources(tmp_path: Path) -> None:
    here = converted(tmp_path, days=2)
    (csv,) = keep([measured(DAY + timedelta(hours=5))], here.result_dir)  # late: its day is not done
    settings = share(tmp_path) | {"DELIVER_KEEP_DAYS": "30"}
    assert delivering(tmp_path, settings) == 0
    assert [path.name for path in here.upload_dir.rglob("*.parquet")] == ["speedtest_001.parquet"]
    assert (here.upload_dir / FIRST).exists()  # a row of its day is still CSV
    saved = csv.read_bytes()
    assert convert(here, HOME, (DAY + timedelta(days=2)).date()) == 0
    assert delivering(tmp_path, settings) == 0
    assert list(here.upload_dir.rglob("*.parquet")) == []
    csv.parent.mkdir(parents=True, exist_ok=True)
    csv.write_bytes(saved)  # it reappears, from a backup
    keep([measured(DAY + timedelta(hours=7))], here.result_dir)
    assert convert(here, HOME, (DAY + timedelta(days=2)).date()) == 0
    (new,) = here.upload_dir.rglob("*.parquet")
    assert new == here.upload_dir / FIRST.replace("001", "003")
    assert len(read(result_dir=here.result_dir, upload_dir=here.upload_dir)) == 1
    assert delivering(tmp_path, settings) == 0
    found = read(result_dir=tmp_path / "none", upload_dir=tmp_path / "share")
    assert len(found) == found["started_at"].nunique() == 6


def test_recent_files_stay_and_so_do_those_that_were_changed_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = folders(tmp_path)
    today = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0)
    keep([measured(today - timedelta(days=ago)) for ago in (1, 40, 41, 42)], here.result_dir)
    assert convert(here, HOME, today.date()) == 0
    settings = share(tmp_path)
    assert delivering(tmp_path, settings) == 0
    day = f"day={(today - timedelta(days=41)).day:02}"
    (tmp_path / "share" / next(each for each in there(tmp_path) if day in each)).write_bytes(b"changed")
    assert delivering(tmp_path, settings | {"DELIVER_KEEP_DAYS": "30"}) == 1
    assert "is not what was delivered" in logged(caplog, "delivery_failed")[0]
    left = {path.parent.name for path in here.upload_dir.rglob("*.parquet")}
    assert {f"day={(today - timedelta(days=ago)).day:02}" for ago in (1, 41)} <= left


@pytest.mark.slow
def test_days_that_are_only_there_are_told(tmp_path: Path) -> None:
    here = converted(tmp_path, days=3)
    settings = share(tmp_path) | {"DELIVER_KEEP_DAYS": "30"}
    assert delivering(tmp_path, settings) == 0
    found = only_at_store(here)
    assert found
    assert (found.days, found.store) == (3, settings["DELIVER_TO"])
    assert only_at_store(here, date(2026, 3, 2), date(2026, 3, 2), {HOME}) != only_at_store(here)
    assert only_at_store(here, wanted={"elsewhere"}) is None
    told = speedsnake(tmp_path, "status", **settings)
    assert "3 days, at file://" in " ".join(told.stdout.split())
    asked = json.loads(speedsnake(tmp_path, "status", "--json", **settings).stdout)
    assert asked["only_at_store"] == {"days": 3, "store": settings["DELIVER_TO"]}


def test_a_second_store_gets_what_is_here_and_has_a_receipt_of_its_own(tmp_path: Path) -> None:
    here = converted(tmp_path)
    assert delivering(tmp_path, share(tmp_path)) == 0
    (tmp_path / "second").mkdir()
    second = share(tmp_path) | {"DELIVER_TO": f"file://{tmp_path}/second"}
    assert delivering(tmp_path, second) == 0
    assert (tmp_path / "second" / FIRST).exists()
    names = sorted(path.name for path in (here.result_dir / "receipts").rglob("*.json"))
    assert names == ["speedtest_001.receipt.json", "speedtest_001.receipt_2.json"]


def test_a_receipt_that_cannot_be_read_stops_delivery_and_conversion_of_its_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = converted(tmp_path)
    assert delivering(tmp_path, share(tmp_path)) == 0
    (path,) = (here.result_dir / "receipts").rglob("*.json")
    path.write_text("{")
    keep([measured(DAY + timedelta(hours=5))], here.result_dir)
    assert delivering(tmp_path, share(tmp_path)) == 1
    assert convert(here, HOME, (DAY + timedelta(days=1)).date()) == 1
    for event in ("delivery_failed", "conversion_failed"):
        assert f"{path} cannot be read" in logged(caplog, event)[0]
    assert len(list(here.upload_dir.rglob("*.parquet"))) == 1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"DELIVER_TO": ""}, "DELIVER_TO is not set"),
        ({"DELIVER_TO": "file:///nonexistent/share"}, "the folder does not exist"),
        ({"DELIVER_TO": "s3://key:secret@bucket/x"}, "DELIVER_TO="),
    ],
)
def test_a_wrong_setting_ends_with_78_and_loses_nothing(tmp_path: Path, setting: dict[str, Any], words: str) -> None:
    here = converted(tmp_path)
    ended = run(tmp_path, "deliver", **(share(tmp_path) | setting))
    assert ended.returncode == os.EX_CONFIG
    assert words in ended.stderr
    assert (here.upload_dir / FIRST).exists()


def test_two_deliveries_at_once_are_one(tmp_path: Path) -> None:
    here = converted(tmp_path)
    with Lock(here.result_dir / deliver.LOCK_NAME):
        ended = run(tmp_path, "deliver", **share(tmp_path))
    assert (ended.returncode, there(tmp_path)) == (os.EX_TEMPFAIL, [])
    assert f"process {os.getpid()}" in ended.stderr


@pytest.mark.slow
def test_the_daemon_delivers_what_it_converts_tries_again_and_says_what_waits(tmp_path: Path) -> None:
    here = folders(tmp_path)
    keep(day_of(DAY, 3), here.result_dir)
    ookla.install(tmp_path / "bin", "error object on stdout")
    settings = share(tmp_path)
    (tmp_path / "share").rmdir()  # the share is not mounted
    with DaemonProcess(tmp_path, tmp_path / "bin", **settings, SLEEP_SECONDS="0.3") as daemon:
        until(lambda: daemon.logged("delivery_failed", "does not exist"), "failed delivery")
        until(lambda: heartbeat.read(here.result_dir).files_waiting == 1, "heartbeat that says so")
        assert heartbeat.read(here.result_dir).files_waiting_since == DAY.date()
        unhealthy = run(tmp_path, "healthcheck", **settings)
        assert (unhealthy.returncode, "1 file since 2026-03-01 waits" in unhealthy.stderr) == (1, True)
        rows_before = len(daemon.csv_files())
        until(lambda: len(daemon.csv_files()) > rows_before + 1, "more rows meanwhile")
        assert len(daemon.logged("delivery_failed", "does not exist")) == 1
        assert daemon.stop() == 0
    (tmp_path / "share").mkdir()
    with DaemonProcess(tmp_path, tmp_path / "bin", **settings, SLEEP_SECONDS="0.3") as daemon:
        until(lambda: daemon.logged("delivered"), "delivery")
        until(lambda: heartbeat.read(here.result_dir).files_waiting == 0, "heartbeat that says so")
        assert daemon.stop() == 0
    assert len(there(tmp_path)) == 2
    assert run(tmp_path, "healthcheck", **settings).returncode == 0


def test_a_store_that_cannot_be_reached_is_tried_again_after_longer_and_longer(tmp_path: Path) -> None:
    here = converted(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings = {"DELIVER_TO": "s3://lake", "DELIVER_ENDPOINT": endpoint}
    settings |= {"DELIVER_ACCESS_KEY": "KEY", "DELIVER_SECRET_KEY": "very-secret"}
    pauses: list[float] = []
    for _ in range(3):
        assert delivering(tmp_path, settings) != 0
        note = noted(here)
        assert note.next_try
        pauses.append((note.next_try - note.ended).total_seconds())
    assert [round(each / 60) for each in pauses] == [1, 2, 4]
    assert pause(100) == timedelta(hours=6)


def test_a_file_that_waits_for_two_days_makes_the_daemon_unhealthy() -> None:
    note = DeliveryNote(store="s3://a", ended=DAY, waiting=1, waiting_since=DAY.date(), trouble="temporary", why="busy")
    assert note.complaint(DAY + timedelta(days=3)) is None  # the day ended one day later
    assert note.complaint(DAY + timedelta(days=4)) == "1 file since 2026-03-01 waits for delivery: busy"
