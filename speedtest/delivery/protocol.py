"""Deliver one file of the lake so that its rows are at the store exactly once.

1. Put the object where there is none. The key is the file's path below UPLOAD_DIR.
2. Read back what is there, whole. The same bytes: write the receipt. It is written after the read, and after nothing
   else: a receipt means that the store has the rows.
3. Other bytes under that key are another machine's rows of the same location: take the next number. Nothing there is
   overwritten or deleted. Objects that hold the same rows in other bytes, or some of them, or that are no Parquet, are
   told apart by the list of sources in their metadata.

A put whose answer is lost needs no care: the same put later finds the object there, with the same bytes.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from speedtest.data import receipts
from speedtest.data.receipts import Receipt
from speedtest.delivery import footer, refusals
from speedtest.delivery.backlog import LocalFile
from speedtest.delivery.footer import Footer, NoParquet
from speedtest.delivery.stores import Store, Stored

MOST_TAKEN = 1000
"""After so many numbers taken by others, something other than a second machine is at work."""
_CANNOT_DELIVER = "the rows stay here; move the object away, or ask whoever writes there"


class Delivered(msgspec.Struct, frozen=True):
    """A file that is at the store, and its receipt there."""

    file: LocalFile
    key: str
    receipt: Path


def deliver(file: LocalFile, store: Store, url: str, result_dir: Path) -> Delivered:
    """Deliver a file and write its receipt. Raises `refusals.StoreRefused`, or OSError if a disk of ours refuses."""
    data = file.path.read_bytes()
    digest = digest_of(data)
    try:
        own = footer.read(data)
    except NoParquet as error:
        why = f"{file.path} is damaged on this machine ({error})"
        raise refusals.damaged(why, "restore it or move it away; it is not delivered") from error
    key, stored = _place(file, data, digest, own, store)
    receipt = Receipt(
        store=url,
        key=key,
        sha256=digest,
        object_sha256=stored,
        bytes=len(data),
        rows=own.rows,
        delivered_at=datetime.now(UTC).replace(microsecond=0),
        sources=own.sources,
    )
    return Delivered(file, key, receipts.publish(result_dir, file.location, file.day, file.number, receipt))


def _place(file: LocalFile, data: bytes, digest: str, own: Footer, store: Store) -> tuple[str, str]:
    """Put the object under the first number that is free there, or find it; return its key and its digest."""
    for number in range(file.number, file.number + MOST_TAKEN):
        key = file.key(number)
        is_new = store.put_new(key, data, digest)
        there = store.get(key)
        if digest_of(there.data) == digest:
            return key, digest
        if is_new:
            why = f"{key} was stored, but other bytes came back"
            raise refusals.damaged(why, _CANNOT_DELIVER)
        if _holds_our_rows(key, there, own):
            return key, digest_of(there.data)
    why = f"{MOST_TAKEN} numbers from {file.key(file.number)} on are taken by other rows"
    raise refusals.damaged(why, "give this machine a location of its own (SPEEDTEST_LOCATION_UUID)")


def _holds_our_rows(key: str, there: Stored, own: Footer) -> bool:
    """Return whether another object holds our rows; False if it has none. Raises StoreRefused if that is unclear."""
    try:
        theirs = footer.read(there.data)
    except NoParquet as error:
        raise refusals.damaged(f"{key} is there, but {error}", _CANNOT_DELIVER) from error
    common = set(own.sources) & set(theirs.sources)
    if not common:
        return False
    if common == set(own.sources) and there.digest == digest_of(there.data):
        return True
    some = "some of our rows" if common != set(own.sources) else "our rows in other bytes, and no digest vouches for it"
    raise refusals.damaged(f"{key} is there with {some}", _CANNOT_DELIVER)


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of these bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def probe(store: Store, location: str) -> None:
    """Check that objects can be put, are not overwritten, and can be read. Raises `refusals.StoreRefused`.

    It leaves one empty object, `.probe/location=NAME`, which engines that read the folder pass over. The same bytes are
    put each time, so nothing changes where a store overwrites them.
    """
    key, digest = f".probe/location={location}", digest_of(b"")
    store.put_new(key, b"", digest)
    if store.put_new(key, b"", digest):
        raise refusals.ignores_conditions()
    if store.get(key).data:
        raise refusals.damaged(f"{key} is not empty, as it was put", _CANNOT_DELIVER)
