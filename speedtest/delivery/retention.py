"""Remove files of the lake that a store has, when they are older than DELIVER_KEEP_DAYS.

A file is removed only if all of this holds: its receipt names this store; it still has the bytes of the receipt; no CSV
file of its day is left, held ones included, so that no source that it lists can be read again; and its object was read
back from the store once more, just before. The receipt stays. The caller holds the lock of UPLOAD_DIR, so that no
conversion sees half of this.
"""

from datetime import date, timedelta
from pathlib import Path

from speedtest.data import files
from speedtest.data.partitions import Folders, day_folder, row_files
from speedtest.data.receipts import Receipt
from speedtest.delivery import refusals
from speedtest.delivery.backlog import LocalFile, with_receipts
from speedtest.delivery.protocol import digest_of
from speedtest.delivery.stores import Store
from speedtest.logging import Events

events = Events(__name__)


def remove_old(folders: Folders, store: Store, url: str, oldest: date) -> int:
    """Remove the files of days before `oldest` that this store has; return how many.

    Raises `refusals.StoreRefused`, `receipts.BadReceipt`, or OSError.
    """
    removed = 0
    for file, found in with_receipts(folders):
        receipt = next((each for each in found if each.store == url), None)
        if receipt and file.day < oldest and _may_go(folders, file, receipt, store):
            file.path.unlink()
            files.sync_folder(file.path.parent)
            files.remove_empty(file.path.parent, base=folders.upload_dir)
            events.info("removed_here", "removed %s: %s has it", file.path, url, path=str(file.path))
            removed += 1
    return removed


def oldest_kept(keep_days: int, today: date) -> date:
    """Return the oldest day whose files are kept: so many days before today stay."""
    return today - timedelta(days=keep_days)


def _may_go(folders: Folders, file: LocalFile, receipt: Receipt, store: Store) -> bool:
    if any(_has_rows(day_folder(base, file.day)) for base in folders.csv):
        return False
    if digest_of(file.path.read_bytes()) != receipt.sha256:
        events.error("delivery_failed", "%s is not the file that was delivered; it stays here", file.path)
        return False
    there = store.get(receipt.key)
    if digest_of(there.data) != receipt.object_sha256:
        advice = "the file stays here; find out who writes there"
        raise refusals.damaged(f"{receipt.key} is not what was delivered", advice)
    return True


def _has_rows(folder: Path) -> bool:
    try:
        return any(True for _ in row_files(folder))
    except FileNotFoundError:
        return False
