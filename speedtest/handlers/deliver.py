"""Deliver the files of the lake to DELIVER_TO once. The daemon runs this as a child; you can run it at any time.

Exit codes: 0 done, also if nothing waited · 1 files still wait, the log says why · 75 another delivery is running · 78
wrong configuration: DELIVER_TO is not set, the store refuses these settings, or a folder cannot be written.
"""

import contextlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from speedtest import logging as logs
from speedtest.data import delivery_note, files, receipts
from speedtest.data.delivery_note import DeliveryNote
from speedtest.data.lake_lock import alone
from speedtest.data.lock import Held
from speedtest.data.partitions import Folders
from speedtest.data.receipts import BadReceipt
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.terminal import exits, startup
from speedtest.values import amounts
from speedtest.variables import DELIVERY

if TYPE_CHECKING:
    from speedtest.delivery.backlog import LocalFile

events = Events("speedtest.handlers.deliver")

LOCK_NAME = ".deliver.lock"


def main() -> None:
    """Deliver while holding the lock, and exit."""
    startup.no_arguments("deliver", __doc__)
    settings = startup.settings(DELIVERY)
    logs.configure(settings.log_level, commit_hash=settings.commit_hash)
    if not settings.deliver_to:
        exits.end(exits.MISCONFIGURED, "DELIVER_TO is not set: set it to a store, such as s3://bucket/uploads")
    with startup.take_lock(LOCK_NAME, "another delivery is running", RESULT_DIR=settings.result_dir):
        exits.end(run(settings, settings.deliver_to))


def run(settings: Settings, url: str) -> int:
    """Deliver what waits, remove what may go, write how it ended; return the exit code."""
    from speedtest.delivery import backlog  # noqa: PLC0415 (help needs no store)

    folders = Folders(settings.result_dir, settings.upload_dir)
    earlier = _earlier(settings)
    note = DeliveryNote(store=url, ended=datetime.now(UTC))
    try:
        files.sweep(sorted(folders.result_dir.glob(f"{receipts.FOLDER}/**/.speedtest_*.tmp")))
        batches = backlog.waiting(folders, url)
        code = _deliver(settings, folders, note, batches)
        left = backlog.waiting(folders, url)
    except (OSError, BadReceipt) as error:
        events.error("delivery_failed", "could not deliver: %s", error)
        return exits.FAILED
    note.waiting = sum(map(len, left))
    note.waiting_since = left[0][0].day if left else None
    if left or code:
        note.failures = 1 if note.delivered or not earlier else earlier.failures + 1
        pause = delivery_note.LONGEST_PAUSE if note.trouble == "settings" else delivery_note.pause(note.failures)
        note.next_try = datetime.now(UTC) + pause
    note.ended = datetime.now(UTC)
    with contextlib.suppress(OSError):  # it holds no rows; the daemon tries again without it
        delivery_note.write(note, settings.result_dir)
    level = events.info if note.delivered else events.debug
    waits = amounts.count(note.waiting, "file")
    level("delivery_ended", "delivered %s; %s left", amounts.count(note.delivered, "file"), waits)
    return code or (exits.FAILED if left else exits.OK)


def _deliver(settings: Settings, folders: Folders, note: DeliveryNote, batches: "list[list[LocalFile]]") -> int:
    """Deliver these files, then remove old ones; return the exit code."""
    from speedtest.delivery import protocol, retention, stores  # noqa: PLC0415 (the same)
    from speedtest.delivery.refusals import StoreRefused  # noqa: PLC0415 (the same)
    from speedtest.delivery.run import deliver_all  # noqa: PLC0415 (the same)

    worst: StoreRefused | None = None
    try:
        store = stores.open_store(settings, os.environ)
        if batches:
            protocol.probe(store, settings.speedtest_location_uuid)
            outcome = deliver_all(batches, store, note.store, folders.result_dir)
            note.delivered, worst = outcome.delivered, outcome.worst
        if settings.deliver_keep_days is not None and not worst:
            oldest = retention.oldest_kept(settings.deliver_keep_days, datetime.now(UTC).date())
            with alone(folders.upload_dir):
                retention.remove_old(folders, store, note.store, oldest)
    except Held:
        events.debug("delivery_ended", "a conversion is running: old files are removed after the next delivery")
    except StoreRefused as refused:
        worst = refused
        events.error("delivery_failed", "could not deliver to %s: %s", note.store, refused)
    if worst:
        note.trouble, note.why = worst.trouble, str(worst)
        return exits.MISCONFIGURED if worst.trouble == "settings" else exits.FAILED
    return exits.OK


def _earlier(settings: Settings) -> DeliveryNote | None:
    with contextlib.suppress(OSError):
        return delivery_note.read(settings.result_dir)
    return None


if __name__ == "__main__":
    main()
