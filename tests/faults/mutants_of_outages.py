"""Mutants of the outages: of the file that the watch writes, and of how it becomes a row."""

from collections.abc import Callable
from pathlib import Path

from speedtest.daemon.outages import Outages
from speedtest.data import files, results, watch_state
from speedtest.data.results import Row
from speedtest.data.watch_state import Unsaved, WatchState
from tests.faults.patch import get, nothing, put

type Save = Callable[[Outages], bool]


def state_not_synced() -> None:
    def make(replace: Callable[[Path, bytes], None]) -> Callable[..., None]:
        def not_durable(path: Path, data: bytes, *, durable: bool) -> None:
            del durable
            replace(path, data)

        return not_durable

    put(watch_state, "replace", make)


def published_before_written() -> None:
    def make(save: Save) -> Save:
        def published_first(self: Outages) -> bool:
            _publish(self, get(self, "_unsaved"))
            return save(self)

        return published_first

    put(Outages, "_save", make)


def taken_out_before_published() -> None:
    def save(self: Outages) -> bool:
        get(self, "_recall")()
        rows: list[Unsaved] = get(self, "_unsaved").copy()
        get(self, "_unsaved").clear()
        written = get(self, "_write")()
        _publish(self, rows)
        return written

    put(Outages, "_save", lambda _: save)


def _publish(of: Outages, rows: list[Unsaved]) -> None:
    base = get(of, "_settings").result_dir
    for row in rows:
        files.publish(base / row.path, row.data.encode(), base=base)


def not_taken_over() -> None:
    put(Outages, "_take_over", lambda _: nothing)


def only_rows_taken_over() -> None:
    def make(take_over: Callable[[Outages, WatchState], None]) -> Callable[[Outages, WatchState], None]:
        def rows_only(self: Outages, left: WatchState) -> None:
            left.open.clear()
            take_over(self, left)

        return rows_only

    put(Outages, "_take_over", make)


def name_without_id() -> None:
    def make(path: Callable[[Row, Path], Path]) -> Callable[..., Path]:
        def without_suffix(row: Row, result_dir: Path, suffix: str = "") -> Path:
            del suffix
            return path(row, result_dir)

        return without_suffix

    put(results, "path", make)


def unreadable_file_overwritten() -> None:
    def make(read: Callable[[Path], WatchState]) -> Callable[[Path], WatchState]:
        def read_or_nothing(result_dir: Path) -> WatchState:
            try:
                return read(result_dir)
            except OSError as error:
                raise FileNotFoundError from error

        return read_or_nothing

    put(watch_state, "read", make)


def redated_while_in_the_file() -> None:
    def waits(self: Outages) -> bool:
        return bool(get(self, "_unsaved"))

    put(Outages, "waits", lambda _: property(waits))


def not_printed_at_the_end() -> None:
    def end(self: Outages) -> None:
        if self.watch:
            self.watch.end()
        self.keep()
        self.note()

    put(Outages, "end", lambda _: end)
