"""Mutants: the real code, patched so that one step is missing or two are swapped. The harness must catch each one.

A child calls `apply` before it acts; nothing else is patched.
"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from tests.faults import (
    mutants_of_delivery as of_delivery,
    mutants_of_files as of_files,
    mutants_of_outages as of_outages,
    mutants_of_the_lake as of_the_lake,
)


class Mutant(msgspec.Struct, frozen=True):
    """A change of the code, and the families that must catch it."""

    patch: Callable[[], None]
    caught_by: tuple[str, ...]
    scenario: str | None = None
    """The only scenario to run, because it can catch the mutant."""
    where: str = ""
    """A pattern of the cases that can catch it, so that it is caught soon."""
    by_words: bool = False
    """True if it loses and doubles no row by itself, so that any other breach counts too."""


def apply(name: str) -> None:
    MUTANTS[name].patch()


_POWER, _KILL, _ERRORS, _DELIVERY = ("power loss",), ("kill",), ("errors",), ("delivery",)

MUTANTS: Mapping[str, Mutant] = {
    "no fsync of the file": Mutant(of_files.no_file_sync, _POWER, "rows", "a clean run"),
    "no fsync of the folder": Mutant(of_files.no_folder_sync, _POWER, "rows", "a clean run"),
    "new folders are not synced": Mutant(of_files.new_folders_not_synced, _POWER, "rows", "a clean run"),
    "folders that a killed run made are not synced": Mutant(
        of_files.folders_of_a_killed_run_not_synced, _POWER, "first conversion", "killed at mkdir.*uploads"
    ),
    "fsync after the link": Mutant(of_files.sync_after_link, _POWER, "rows", "a clean run"),
    "no fsync of a file that was written without a name": Mutant(
        of_files.not_synced_by_name, _POWER, "first conversion", "a clean run"
    ),
    "fsync again after it failed": Mutant(of_files.sync_again_after_failure, _POWER, "rows", "EIO at fsync.*tmp"),
    "rename instead of link": Mutant(of_files.rename_over, _KILL, "rows"),
    "written straight to the final name": Mutant(
        of_files.straight_to_the_name, (*_KILL, *_POWER), "first conversion", "write|clean"
    ),
    "a temporary that bears a row's name": Mutant(
        of_files.temporary_with_a_rows_name, (*_KILL, *_POWER), "rows", "write|clean"
    ),
    "nothing is verified": Mutant(of_files.nothing_verified, ("bit flips",)),
    "a row counts as saved though the disk refused it": Mutant(
        of_files.saved_though_refused, _ERRORS, "rows", "ENOSPC.*(mkdir|write)"
    ),
    "the queue is dropped": Mutant(
        of_files.queue_dropped, (*_ERRORS, "full disk"), "rows", "ENOSPC.*(mkdir|write)", by_words=True
    ),
    "the queue is not printed at the end": Mutant(
        of_files.queue_not_printed, _ERRORS, "rows", r"ENOSPC.*\+ at (mkdir|write)", by_words=True
    ),
    "a held row is deleted before its new file is published": Mutant(
        of_files.held_deleted_before_published, _KILL, "re-dating"
    ),
    "a re-dated row does not count as the held one": Mutant(of_files.redated_names_nothing, _KILL, "half re-dated"),
    "a conversion leaves held rows that were re-dated": Mutant(of_files.conversion_leaves_held, _KILL, "half re-dated"),
    "a held row is deleted though its new file's folder was not synced": Mutant(
        of_files.held_deleted_before_sync, _POWER, "re-dating", "killed at link.*was|EIO"
    ),
    "a conversion does not sync what it deleted of held rows": Mutant(
        of_files.conversion_trusts_unsynced_deletion, _POWER, "half re-dated", "a clean run"
    ),
    "the file of the watch is replaced without fsync": Mutant(
        of_outages.state_not_synced, _POWER, "outages", "a clean run"
    ),
    "the row of an outage is published before the file has it": Mutant(
        of_outages.published_before_written, _KILL, "outages, re-dated", "watch.json"
    ),
    "the row of an outage is taken out of the file before it is published": Mutant(
        of_outages.taken_out_before_published, (*_KILL, *_POWER), "outages", "outage-|clean"
    ),
    "the file of the watch is not taken over": Mutant(of_outages.not_taken_over, (*_KILL, "kill twice"), "outages"),
    "an outage that was open is not taken over": Mutant(of_outages.only_rows_taken_over, _KILL, "outages"),
    "the row of an outage has no id in its name": Mutant(of_outages.name_without_id, _KILL, "outages"),
    "a file of the watch that cannot be read is overwritten": Mutant(
        of_outages.unreadable_file_overwritten,
        _ERRORS,
        "outages, re-dated",
        r"EIO:when=\d+ .*(openat|read).*watch.json$",
    ),
    "a held row is re-dated while the file of the watch has it": Mutant(
        of_outages.redated_while_in_the_file, _ERRORS, "outages, re-dated", r"EIO.*\+ at rename"
    ),
    "an outage is not printed at the end": Mutant(
        of_outages.not_printed_at_the_end, _ERRORS, "outages, re-dated", r"ENOSPC.*\+ at write", by_words=True
    ),
    "no lock": Mutant(of_files.no_lock, ("lock",), by_words=True),
    "today by local time": Mutant(of_files.local_today, ("clock",), by_words=True),
    "sources are unlinked before publishing": Mutant(
        of_the_lake.unlink_before_publish, (*_KILL, *_POWER, "soak"), "first conversion", "openat|clean"
    ),
    "sources are unlinked by listing again": Mutant(
        of_the_lake.unlink_by_listing_again, ("beside",), "late conversion"
    ),
    "Parquet is deleted on an error": Mutant(
        of_the_lake.parquet_deleted_on_error, _ERRORS, "late conversion", "EIO.*unlink.*csv"
    ),
    "no source list": Mutant(of_the_lake.no_source_list, _KILL, "first conversion", "unlink"),
    "every location's file lists all sources": Mutant(
        of_the_lake.all_sources_in_every_file, _KILL, "first conversion", "linkat.*parquet"
    ),
    "sources are known by name, without digest": Mutant(of_the_lake.sources_without_digest, _KILL, "late conversion"),
    "the number is the count of files": Mutant(of_the_lake.number_from_count, _KILL, "late conversion", by_words=True),
    "no recovery": Mutant(of_the_lake.no_recovery, (*_KILL, "kill twice"), "recovery"),
    "recovery trusts a folder that was not synced": Mutant(
        partial(of_the_lake.recovery_trusts, "sync_folder"),
        _POWER,
        "first conversion",
        "killed at fsync.*(parquet|day)",
    ),
    "recovery trusts a file that was not synced": Mutant(
        partial(of_the_lake.recovery_trusts, "sync_file"), _POWER, "first conversion", "killed at fsync.*parquet"
    ),
    "a folder that cannot be read counts as empty": Mutant(
        of_the_lake.unreadable_folder_is_empty, _ERRORS, "recovery", "EIO.*(openat|getdents).*day="
    ),
    "a Parquet file that cannot be read is passed over": Mutant(
        of_the_lake.damaged_parquet_passed_over, _ERRORS, "recovery", "EIO.*(openat|read).*parquet"
    ),
    "a damaged CSV file is deleted": Mutant(of_the_lake.damaged_csv_deleted, (*_KILL, "malformed CSV"), "quarantine"),
    "quarantine by copy, without fsync": Mutant(of_the_lake.quarantine_not_synced, _POWER, "quarantine", "a clean run"),
    "the reader looks at Parquet before CSV": Mutant(of_the_lake.reader_looks_at_parquet_first, ("readers",)),
    "the reader lists the lake twice": Mutant(of_the_lake.reader_lists_twice, ("readers",)),
    "the reader keeps rows that are listed": Mutant(of_the_lake.reader_keeps_listed, ("readers", *_KILL, "soak")),
    "a put is believed without reading back": Mutant(of_delivery.no_read_back, _DELIVERY, where="^another there"),
    "the receipt is written before the put": Mutant(
        of_delivery.receipt_before_the_put, _DELIVERY, where="^(503|reset) at request [46]$"
    ),
    "an object is overwritten": Mutant(of_delivery.overwritten, _DELIVERY, where="^another there", by_words=True),
    "a file is removed here before its receipt": Mutant(
        of_delivery.removed_before_the_receipt, _DELIVERY, where="^no fault, killed at step 2[5-9]$"
    ),
    "old files are removed here without a receipt": Mutant(
        of_delivery.removed_without_a_receipt, _DELIVERY, where="^503 at request [46] for good"
    ),
    "what is under the number counts as delivered": Mutant(
        of_delivery.number_reused, _DELIVERY, where="^another there"
    ),
    "a lost answer takes the next number": Mutant(
        of_delivery.next_number_after_a_lost_answer, _DELIVERY, where="stored at request|after at request"
    ),
    "a damaged object counts as another machine's": Mutant(
        of_delivery.damaged_counts_as_another_machines, _DELIVERY, where="other bytes.* for good"
    ),
}
