"""Time stamps by a real authority (`openssl ts`) on loopback."""

import hashlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon import DaemonProcess, run, until
from samples import keep, measured, utc
from standins import ookla
from standins.authority import Authority, Mood

from speedtest.evidence import stamps
from speedtest.evidence.stamps import NotStamped

DATA = b"0123  location=home/year=2026/month=03/day=02/speedtest_001.parquet\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority(tmp_path_factory.mktemp("authority") / "tsa") as made:
        yield made


def test_a_stamp_says_when_the_bytes_existed_and_who_says_so(authority: Authority) -> None:
    authority.mood = "stamps"
    stamp = stamps.request(authority.url, DATA)
    said = stamps.verify(stamp, DATA, stamps.roots_of(authority.root))
    assert abs(said.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert "Test Time-Stamp Authority" in said.authority


def test_openssl_verifies_our_stamp(authority: Authority, tmp_path: Path) -> None:
    authority.mood = "stamps"
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "data.tsr").write_bytes(stamps.request(authority.url, DATA))
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", "data", "-in", "data.tsr", "-CAfile", str(authority.root)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_stamp_does_not_hold_for_other_bytes_nor_by_another_root(authority: Authority, tmp_path: Path) -> None:
    authority.mood = "stamps"
    stamp = stamps.request(authority.url, DATA)
    with pytest.raises(NotStamped, match="does not hold"):
        stamps.verify(stamp, DATA + b"x", stamps.roots_of(authority.root))
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(NotStamped, match="--stamp-ca"):
        stamps.verify(stamp, DATA, stamps.roots_of(stranger.root))
    with pytest.raises(NotStamped):
        stamps.verify(stamp[:-40], DATA, stamps.roots_of(authority.root))


@pytest.mark.parametrize("mood", ["refuses", "talks nonsense", "repeats itself", "is busy"])
def test_an_answer_that_is_no_stamp_of_ours_is_refused(authority: Authority, mood: Mood) -> None:
    authority.mood = "stamps"
    stamps.request(authority.url, DATA)
    authority.mood = mood
    with pytest.raises(NotStamped, match=authority.url):
        stamps.request(authority.url, DATA)


def test_an_authority_that_is_not_there_is_told() -> None:
    with pytest.raises(NotStamped, match="could not be asked"):
        stamps.request("http://127.0.0.1:9/tsr", DATA)


@pytest.mark.slow
def test_the_handler_stamps_the_list_of_all_files_once_a_day(authority: Authority, tmp_path: Path) -> None:
    authority.mood = "is busy"
    keep([measured(utc(2026, 3, 2, 12))], tmp_path / "results")
    failed = run(tmp_path, "stamp", STAMP_URL=authority.url)
    assert failed.returncode == 1
    assert '"stamp_failed"' in failed.stderr
    authority.mood = "stamps"
    before = authority.asked
    for _ in range(2):
        done = run(tmp_path, "stamp", STAMP_URL=authority.url)
        assert (done.returncode, done.stdout) == (0, "")
    assert authority.asked == before + 1
    (stamp,) = (tmp_path / "results" / "stamps").glob("*.tsr")
    listed = stamp.with_suffix(".manifest").read_bytes()
    (row,) = (tmp_path / "results").glob("year=*/**/*.csv")
    assert (
        listed.decode() == f"{hashlib.sha256(row.read_bytes()).hexdigest()}  {row.relative_to(tmp_path / 'results')}\n"
    )
    assert stamps.verify(stamp.read_bytes(), listed, stamps.roots_of(authority.root))


@pytest.mark.slow
def test_without_an_authority_the_handler_says_what_to_set(tmp_path: Path) -> None:
    done = run(tmp_path, "stamp")
    assert done.returncode == 78
    assert "STAMP_URL" in done.stderr


@pytest.mark.slow
def test_the_daemon_has_the_lake_stamped(authority: Authority, tmp_path: Path) -> None:
    authority.mood = "stamps"
    ookla.install(tmp_path / "bin")
    keep([measured(utc(2026, 3, 2, 12))], tmp_path / "results")
    with DaemonProcess(tmp_path, tmp_path / "bin", STAMP_URL=authority.url, SLEEP_SECONDS="1") as daemon:
        until(lambda: daemon.logged("stamped"), "stamp")
        assert daemon.stop() == 0
    (stamp,) = (tmp_path / "results" / "stamps").glob("*.tsr")
    assert stamp.with_suffix(".manifest").exists()
