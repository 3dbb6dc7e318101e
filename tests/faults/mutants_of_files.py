"""Mutants of the code that creates files, of the queue of rows and of the lock."""

import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self, override

from speedtest.data import files, held, row_queue
from speedtest.data.results import Row
from speedtest.data.row_queue import RowQueue
from speedtest.handlers import convert
from tests.faults.patch import get, nothing, put

type Publish = Callable[..., None]
type Sync = Callable[[int], None]


def no_file_sync() -> None:
    def make(fsync: Sync) -> Sync:
        def sync(descriptor: int) -> None:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                fsync(descriptor)

        return sync

    put(os, "fsync", make)


def no_folder_sync() -> None:
    put(files, "sync_folder", lambda _: nothing)


def new_folders_not_synced() -> None:
    def make_folder(folder: Path, *, base: Path) -> None:
        del base
        folder.mkdir(parents=True, exist_ok=True)

    put(files, "make_folder", lambda _: make_folder)


def folders_of_a_killed_run_not_synced() -> None:
    class Everything(set[Path]):
        @override
        def __contains__(self, _: object) -> bool:
            return True

    put(files, "_known_durable", lambda _: Everything())


def rename_over() -> None:
    def link(temporary: Path, path: Path, _: bytes) -> None:
        temporary.replace(path)

    put(files, "_link", lambda _: link)


def straight_to_the_name() -> None:
    def publish(path: Path, data: bytes, _: object, *, hidden: bool) -> None:
        del hidden
        if path.exists() and path.read_bytes() != data:
            raise FileExistsError(path)
        if not path.exists():
            get(files, "_write")(path, data)
            files.sync_folder(path.parent)

    put(files, "_publish", lambda _: publish)


def sync_after_link() -> None:
    fsync = os.fsync
    no_file_sync()

    def make(link: Callable[[Path, Path, bytes], None]) -> Callable[[Path, Path, bytes], None]:
        def link_and_sync(temporary: Path, path: Path, data: bytes) -> None:
            link(temporary, path, data)
            with path.open("rb") as file:
                fsync(file)

        return link_and_sync

    put(files, "_link", make)


def not_synced_by_name() -> None:
    def sync_file(_: Path) -> None:
        pass

    put(files, "sync_file", lambda _: sync_file)


def sync_again_after_failure() -> None:
    def make(fsync: Sync) -> Sync:
        def sync(descriptor: int) -> None:
            try:
                fsync(descriptor)
            except OSError:
                fsync(descriptor)

        return sync

    put(os, "fsync", make)


def temporary_with_a_rows_name() -> None:
    def temporary_of(path: Path) -> Path:
        return path.with_name(f"{path.stem}-new{path.suffix}")

    put(files, "temporary_of", lambda _: temporary_of)


def nothing_verified() -> None:
    def make(publish: Publish) -> Publish:
        def unverified(path: Path, data: bytes, _: object, *, hidden: bool) -> None:
            publish(path, data, None, hidden=hidden)

        return unverified

    put(files, "_publish", make)


def saved_though_refused() -> None:
    def make(save: Callable[[Row, Path, str], Path]) -> Callable[[Row, Path, str], Path]:
        def saved(row: Row, result_dir: Path, suffix: str) -> Path:
            try:
                return save(row, result_dir, suffix)
            except OSError:
                return result_dir

        return saved

    put(row_queue, "save", make)


def queue_dropped() -> None:
    def make(save: Callable[[RowQueue], dict[Row, Path]]) -> Callable[[RowQueue], dict[Row, Path]]:
        def save_and_forget(self: RowQueue) -> dict[Row, Path]:
            saved = save(self)
            get(self, "_rows").clear()
            return saved

        return save_and_forget

    put(RowQueue, "save", make)


def queue_not_printed() -> None:
    put(RowQueue, "give_up", lambda _: nothing)


def held_deleted_before_published() -> None:
    def make(redate: Callable[..., Path | None]) -> Callable[..., Path | None]:
        def deleted_first(data: bytes, result_dir: Path, by: timedelta | None) -> Path | None:
            if by:
                for path in (result_dir / "held").rglob("*.csv"):
                    if path.read_bytes() == data:
                        path.unlink()
            return redate(data, result_dir, by)

        return deleted_first

    put(held, "_redate", make)


def redated_names_nothing() -> None:
    put(held, "_REPLACES", lambda _: re.compile("never"))


def conversion_leaves_held() -> None:
    put(held, "drop_replaced", lambda _: nothing)


def held_deleted_before_sync() -> None:
    def delete(path: Path, _: Path) -> None:
        path.unlink(missing_ok=True)

    put(held, "_delete", lambda _: delete)


def conversion_trusts_unsynced_deletion() -> None:
    def drop(result_dir: Path, _: Path, names: Iterable[str]) -> None:
        digests = held.replaced_by(names)
        for path in (result_dir / "held").rglob("*.csv"):
            if files.digest(path.read_bytes()) in digests:
                path.unlink()

    put(held, "drop_replaced", lambda _: drop)


def no_lock() -> None:
    put(fcntl, "flock", lambda _: nothing)


def local_today() -> None:
    class Local(datetime):
        @classmethod
        @override
        def now(cls, tz: tzinfo | None = None) -> Self:
            del tz
            return super().now()

    put(convert, "datetime", lambda _: Local)
