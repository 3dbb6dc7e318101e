"""`speedsnake convert` runs alone in its UPLOAD_DIR, and its lock leaves nothing there that is not Parquet."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from daemon import run
from samples import OFFICE, day_of, keep, logged, utc

from speedtest.data import lake_lock
from speedtest.data.lock import FolderLock, Held, Lock

DAY = utc(2026, 3, 28)


def converted(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "uploads").rglob("*") if path.is_file())


def test_two_daemons_of_one_upload_dir_cannot_convert_at_once(tmp_path: Path) -> None:
    uploads = str(tmp_path / "uploads")
    keep(day_of(DAY, 3, OFFICE), tmp_path / "second" / "results")
    with FolderLock(tmp_path / "uploads"):  # as a conversion of the first daemon holds it
        ended = run(tmp_path / "second", "convert", UPLOAD_DIR=uploads)
    assert ended.returncode == os.EX_TEMPFAIL
    assert f"another conversion is running: {uploads} is held" in ended.stderr
    assert converted(tmp_path) == []
    assert run(tmp_path / "second", "convert", UPLOAD_DIR=uploads).returncode == 0
    assert converted(tmp_path) == ["speedtest_001.parquet"]


def test_the_lock_of_an_earlier_version_is_removed_if_nobody_holds_it(tmp_path: Path) -> None:
    keep(day_of(DAY, 3), tmp_path / "results")
    (tmp_path / "uploads").mkdir()
    with Lock(tmp_path / "uploads" / lake_lock.LOCK_NAME):  # as a conversion of that version holds it
        ended = run(tmp_path, "convert")
        assert (ended.returncode, converted(tmp_path)) == (os.EX_TEMPFAIL, [lake_lock.LOCK_NAME])
        assert f"held by process {os.getpid()}" in ended.stderr
    assert run(tmp_path, "convert").returncode == 0
    assert converted(tmp_path) == ["speedtest_001.parquet"]


def test_where_a_folder_cannot_be_locked_an_empty_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flock = fcntl.flock

    def only_files(descriptor: int, how: int) -> None:
        if os.path.isdir(descriptor):  # noqa: PTH112 (a descriptor)
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", only_files)
    caplog.set_level("INFO")
    path = tmp_path / lake_lock.LOCK_NAME
    with lake_lock.alone(tmp_path):
        assert path.read_bytes() == b""
        with pytest.raises(Held):
            lake_lock.alone(tmp_path)
    assert os.strerror(errno.ENOLCK) in logged(caplog, "lock_file")[0]
    lake_lock.alone(tmp_path).release()
