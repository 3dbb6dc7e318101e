"""Mutants of the delivery: how an object is put, looked at, numbered, noted and removed here."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speedtest.data.delivery_note import DeliveryNote
from speedtest.data.partitions import Folders
from speedtest.delivery import protocol, run, stores
from speedtest.delivery.backlog import LocalFile
from speedtest.delivery.footer import Footer
from speedtest.delivery.protocol import Delivered
from speedtest.delivery.refusals import StoreRefused
from speedtest.delivery.stores import ObjectStore, Store, Stored
from speedtest.environment import Settings
from speedtest.handlers import deliver
from tests.faults.patch import put


def no_read_back() -> None:
    """Believe a put without looking at what is there."""

    def make(_: Callable[..., Any]) -> Callable[..., tuple[str, str]]:
        def place(file: LocalFile, data: bytes, digest: str, _: Footer, store: Store) -> tuple[str, str]:
            store.put_new(file.key(file.number), data, digest)
            return file.key(file.number), digest

        return place

    put(protocol, "_place", make)


def receipt_before_the_put() -> None:
    def make(real: Callable[..., Any]) -> Callable[..., Any]:
        def deliver_one(file: LocalFile, store: Store, url: str, result_dir: Path) -> Delivered:
            class Nowhere:
                def put_new(self, *_: object) -> bool:
                    return True

                def get(self, _: str) -> Stored:
                    return Stored(file.path.read_bytes(), None)

            delivered = real(file, Nowhere(), url, result_dir)
            with contextlib.suppress(StoreRefused):
                store.put_new(delivered.key, file.path.read_bytes(), "0")
            return delivered

        return deliver_one

    put(run, "deliver", make)


def overwritten() -> None:
    """Put an object whether there is one or not; only the probe is put as it should be."""

    def make(real: Callable[..., Any]) -> Callable[..., Any]:
        def overwrite(store: object, key: str, data: bytes, *, mode: str, **more: object) -> object:
            return real(store, key, data, mode=mode if ".probe" in key else "overwrite", **more)

        return overwrite

    put(stores.obstore, "put", make)


def removed_before_the_receipt() -> None:
    """Remove a file here as soon as it was put."""

    def make(real: Callable[..., Any]) -> Callable[..., Any]:
        def deliver_one(file: LocalFile, store: Store, url: str, result_dir: Path) -> Delivered:
            data = file.path.read_bytes()
            file.path.unlink()
            try:
                store.put_new(file.key(file.number), data, "0")
            finally:
                with contextlib.suppress(StoreRefused):
                    store.get(file.key(file.number))
            file.path.write_bytes(data)
            return real(file, store, url, result_dir)

        return deliver_one

    put(run, "deliver", make)


def number_reused() -> None:
    """Take whatever is under the file's number for the file."""
    put(protocol, "_holds_our_rows", lambda _: lambda *_: True)


def next_number_after_a_lost_answer() -> None:
    """Take the next number when it is not known what became of a put."""

    def make(real: Callable[..., bool]) -> Callable[..., bool]:
        def put_new(self: ObjectStore, key: str, data: bytes, digest: str) -> bool:
            try:
                return real(self, key, data, digest)
            except StoreRefused:
                stem, number = key.removesuffix(".parquet").rsplit("_", 1)
                return real(self, f"{stem}_{int(number) + 1:03}.parquet", data, digest)

        return put_new

    put(ObjectStore, "put_new", make)


def damaged_counts_as_another_machines() -> None:
    """Take the next number beside an object that is no Parquet file or has the same rows."""

    def make(real: Callable[..., bool]) -> Callable[..., bool]:
        def holds(key: str, there: Stored, own: Footer) -> bool:
            try:
                return real(key, there, own)
            except StoreRefused:
                return False

        return holds

    put(protocol, "_holds_our_rows", make)


def removed_without_a_receipt() -> None:
    """Remove all files here after a delivery, whether they have a receipt or not."""

    def make(real: Callable[..., int]) -> Callable[..., int]:
        def deliver_then_remove(
            settings: Settings, folders: Folders, note: DeliveryNote, batches: list[list[LocalFile]]
        ) -> int:
            code = real(settings, folders, note, batches)
            for path in folders.upload_dir.rglob("*.parquet"):
                path.unlink()
            return code

        return deliver_then_remove

    put(deliver, "_deliver", make)
