"""Mutants of the conversion, its recovery and the reader."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from speedtest.data import conversion, csv_rows, files, lake, parquet, partitions, table
from speedtest.data.day_cache import Day
from speedtest.data.parquet import Damaged
from speedtest.data.partitions import Folders, parquet_files
from speedtest.data.table import Parsed
from tests.faults.patch import get, nothing, put

type Metadata = Callable[[pa.Table], dict[str, str]]
type Published = Mapping[date, list[Path]]
type Remove = Callable[[Folders, Any], None]


def unlink_before_publish() -> None:
    def make(publish: Callable[..., Path]) -> Callable[..., Path]:
        def removed_first(place: Folders, day: Any, *rest: Any) -> Path:  # noqa: ANN401 (passed on)
            get(conversion, "_remove")(place, day)
            return publish(place, day, *rest)

        return removed_first

    put(conversion, "_publish", make)


def unlink_by_listing_again() -> None:
    def make(remove: Remove) -> Remove:
        def remove_all(place: Folders, day: Any) -> None:  # noqa: ANN401 (the private class _Day)
            for entry in list(partitions.row_files(day.folder)):
                Path(entry.path).unlink()
            remove(place, day)

        return remove_all

    put(conversion, "_remove", make)


def parquet_deleted_on_error() -> None:
    def make(remove: Remove) -> Remove:
        def removed(place: Folders, day: Any) -> None:  # noqa: ANN401 (the private class _Day)
            try:
                remove(place, day)
            except OSError:
                for location in place.upload_dir.glob("location=*"):
                    for path in parquet_files(partitions.day_folder(location, day.date))[-1:]:
                        path.unlink()
                raise

        return removed

    put(conversion, "_remove", make)


def no_source_list() -> None:
    def make(metadata: Metadata) -> Metadata:
        return lambda rows: metadata(rows) | {parquet.SOURCES_KEY: ""}

    put(parquet, "_metadata", make)


def all_sources_in_every_file() -> None:
    whole: dict[str, str] = {}

    def make_parse(parse_days: Callable[..., list[Parsed]]) -> Callable[..., list[Parsed]]:
        def parsed(*arguments: Any) -> list[Parsed]:  # noqa: ANN401 (passed on)
            days = parse_days(*arguments)
            for day in days:
                names = [str(name) for name in day.table[table.SOURCE].to_pylist()]
                whole.update(dict.fromkeys(names, "\n".join(names)))
            return days

        return parsed

    def make_metadata(metadata: Metadata) -> Metadata:
        return lambda rows: metadata(rows) | {parquet.SOURCES_KEY: whole[str(rows[table.SOURCE][0])]}

    put(conversion, "parse_days", make_parse)
    put(parquet, "_metadata", make_metadata)


def sources_without_digest() -> None:
    def same(_: bytes) -> str:
        return "0" * 16

    put(csv_rows, "digest", lambda _: same)


def number_from_count() -> None:
    def highest(folder: Path) -> int:
        return len(parquet_files(folder))

    put(conversion, "highest_number", lambda _: highest)


def no_recovery() -> None:
    def recover(_: Path) -> set[str]:
        return set()

    put(conversion, "recover", lambda _: recover)


def recovery_trusts(sync: str) -> None:
    """Let a recovery do without one of the two functions that sync what a killed conversion has published."""

    def make(recover: Callable[[Path], set[str]]) -> Callable[[Path], set[str]]:
        def trusting(folder: Path) -> set[str]:
            real = get(files, sync)
            put(files, sync, lambda _: nothing)
            try:
                return recover(folder)
            finally:
                put(files, sync, lambda _: real)

        return trusting

    put(conversion, "recover", make)


def unreadable_folder_is_empty() -> None:
    def make(names: Callable[[Path], list[Path]]) -> Callable[[Path], list[Path]]:
        def or_none(folder: Path) -> list[Path]:
            try:
                return names(folder)
            except OSError:
                return []

        return or_none

    put(parquet, "parquet_files", make)


def damaged_parquet_passed_over() -> None:
    def make(sources: Callable[[Path], set[str]]) -> Callable[[Path], set[str]]:
        def or_none(path: Path) -> set[str]:
            try:
                return sources(path)
            except Damaged:
                return set()

        return or_none

    put(parquet, "sources_of", make)


def damaged_csv_deleted() -> None:
    def delete(_: Folders, day: Any, name: str, __: str) -> None:  # noqa: ANN401 (the private class _Day)
        Path(day.folder, name).unlink()

    put(conversion, "_quarantine", lambda _: delete)


def quarantine_not_synced() -> None:
    def move(source: Path, target: Path, *, base: Path) -> None:
        files.make_folder(target.parent, base=base)
        if not target.exists():
            target.write_bytes(source.read_bytes())
        source.unlink()

    put(files, "move", lambda _: move)


def reader_looks_at_parquet_first() -> None:
    found: list[Published] = []
    published: Callable[..., Published] = get(lake, "_published")

    def make(days: Callable[..., Iterable[tuple[date, Path]]]) -> Callable[..., Iterable[tuple[date, Path]]]:
        def looked_before(base: Path, first: date, last: date) -> Iterable[tuple[date, Path]]:
            if not base.name.startswith("location=") and not found:
                found.append(published(base.parent / "uploads", first, last, None))
            return days(base, first, last)

        return looked_before

    def first_found(*_: object) -> Published:
        return found.pop()

    put(lake, "days", make)
    put(lake, "_published", lambda _: first_found)


def reader_lists_twice() -> None:
    asked: list[tuple[Any, ...]] = []
    published: Callable[..., Published] = get(lake, "_published")

    def remembered(*arguments: Any) -> Published:  # noqa: ANN401 (passed on)
        asked.append(arguments)
        return published(*arguments)

    def make(read: Callable[..., pa.Table]) -> Callable[..., pa.Table]:
        def listed_again(self: lake.TableCache, _: list[Path], columns: list[str]) -> pa.Table:
            return read(self, [path for paths in published(*asked.pop()).values() for path in paths], columns)

        return listed_again

    put(lake, "_published", lambda _: remembered)
    put(lake.TableCache, "read", make)


def reader_keeps_listed() -> None:
    def unlisted(found: Day, _: object) -> pa.Table:
        return found.table.drop_columns([table.SOURCE])

    put(lake, "_unlisted", lambda _: unlisted)
