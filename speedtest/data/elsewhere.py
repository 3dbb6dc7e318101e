"""Count the days whose rows are only at a store, because their files were removed here (DELIVER_KEEP_DAYS)."""

from collections.abc import Collection
from datetime import date
from pathlib import Path

import msgspec

from speedtest.data import receipts
from speedtest.data.partitions import Folders, day_folder, location_folder, numbered


class Elsewhere(msgspec.Struct, frozen=True):
    """Days of which at least one file is only at a store."""

    days: int
    """Each once for each location."""
    store: str
    """The store of the newest of them."""


def only_at_store(
    folders: Folders, first: date = date.min, last: date = date.max, wanted: Collection[str] | None = None
) -> Elsewhere | None:
    """Count the days from `first` to `last` of these locations, or of all; None if there are none.

    Raises OSError if a folder cannot be listed, `receipts.BadReceipt` if a receipt cannot be read.
    """
    count, newest, where = 0, date.min, Path()
    for location, day, folder in receipts.days_with(folders.result_dir, first, last):
        if wanted is not None and location not in wanted:
            continue
        here = {number for number, _ in numbered(day_folder(location_folder(folders.upload_dir, location), day))}
        if not receipts.numbers_of(folder) <= here:
            count += 1
            newest, where = max((newest, where), (day, folder))
    if not count:
        return None
    last_receipts = receipts.of_day(where)
    return Elsewhere(count, last_receipts[max(last_receipts)][0].store)
