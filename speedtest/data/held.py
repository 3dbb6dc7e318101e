"""Rows whose dates may be wrong: they lie in `RESULT_DIR/held/` until this machine's clock is right.

The daemon saves a row there while the clock is not synchronised. Readers read these rows; a conversion does not touch
them. The folders of days are those of RESULT_DIR, and a file's name ends with a token that no other run of the daemon
uses, so that the file can keep its name everywhere. `release` gives each row its place:

- A row whose date is right, or not known to be wrong, is moved to the same day and name below RESULT_DIR.
- A row whose date is known to be wrong becomes a new file, `speedtest_HH-MM-SS_was-DIGEST.csv` in its right day. DIGEST
  is that of the held file, which is deleted afterwards.

A kill may leave both files of a re-dated row. The new one's name tells that they are one row: readers leave out the
held one, and the next start deletes it. Two rules make that hold after a power loss too. The new file's folder is
synced before the held file is deleted. And a conversion deletes the held file, and syncs its folder, before it makes
the new one Parquet: so whoever sees a held file can be sure that no Parquet file has its row.
"""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from speedtest.data import files, results
from speedtest.data.partitions import day_folder, days, held_folder, row_files

type Shift = Callable[[str], timedelta | None]
"""By how much the rows of a token are dated wrong; None if that is not known yet. The token ends a file's name."""

_REPLACES = re.compile(r"_was-([0-9a-f]{16})(?:\.csv|#\d+)?$")
_TOKEN = re.compile(r"speedtest_\d\d-\d\d-\d\d_([0-9A-Za-z-]+?)(?:_\d+)?\.csv")


def release(result_dir: Path, shift: Shift) -> int:
    """Give the held rows their places, re-dated by `shift`, or leave them; return how many were re-dated.

    The caller holds the daemon's lock. Raises OSError if the disk refuses; the next call continues.
    """
    redated = 0
    found = list(days(held_folder(result_dir)))
    placed = _placed(result_dir) if found else {}
    for day, folder in found:
        for name in sorted(entry.name for entry in row_files(folder)):
            redated += _release(folder / name, day_folder(result_dir, day), result_dir, placed, shift(_token(name)))
        files.sync_folder(folder)
        files.remove_empty(folder, base=result_dir)
    return redated


def _release(path: Path, kept_in: Path, result_dir: Path, placed: dict[str, Path], by: timedelta | None) -> bool:
    """Give a held row its place, unless its error is not known yet; return whether it was re-dated."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # a conversion has just deleted it: its row was re-dated before
        return False
    replacement = placed.get(files.digest(data))
    if not replacement and by is None:
        return False
    replacement = replacement or _redate(data, result_dir, by)
    if not replacement:
        files.publish(kept_in / path.name, data, base=result_dir)
    _delete(path, replacement or kept_in / path.name)
    return replacement is not None


def replaced(result_dir: Path) -> set[str]:
    """Return the digests of held files that a new file replaces already. Looks only if there is any held row."""
    return set(_placed(result_dir)) if next(days(held_folder(result_dir)), None) else set()


def replaced_by(sources: Iterable[str]) -> set[str]:
    """Return the digests of held files that these sources or file names replace."""
    return {found[1] for source in sources if (found := _REPLACES.search(source))}


def drop_replaced(result_dir: Path, folder: Path, names: Iterable[str]) -> None:
    """Delete, durably, the held files that these files of a day replace. Raises OSError if the disk refuses."""
    digests = replaced_by(names)
    if not digests:
        return
    files.sync_folder(folder)
    for _, held in days(held_folder(result_dir)):
        try:
            for entry in row_files(held):
                if _digest(Path(entry.path)) in digests:
                    Path(entry.path).unlink(missing_ok=True)
            files.sync_folder(held)
        except FileNotFoundError:  # the daemon has just emptied, synced and removed it
            continue


def _placed(result_dir: Path) -> dict[str, Path]:
    """Return the files that replace a held file, by that file's digest."""
    placed: dict[str, Path] = {}
    for _, folder in days(result_dir):
        try:
            for entry in row_files(folder):
                if found := _REPLACES.search(entry.name):
                    placed[found[1]] = Path(entry.path)
        except FileNotFoundError:  # a conversion has just removed the empty folder
            continue
    return placed


def _redate(data: bytes, result_dir: Path, by: timedelta | None) -> Path | None:
    """Publish the re-dated row and return its path; None if it keeps its date."""
    if not by:
        return None
    try:
        row = results.redated(data, by)
    except (ValueError, KeyError, OverflowError):  # not a file of ours, or a date outside the calendar
        return None
    name = f"speedtest_{row.timestamp:%H-%M-%S}_was-{files.digest(data)}.csv"
    path = day_folder(result_dir, row.timestamp.date()) / name
    files.publish(path, row.data, base=result_dir)
    return path


def _delete(path: Path, replacement: Path) -> None:
    """Delete a held file. A killed run may have published its replacement without syncing the folder."""
    try:
        files.sync_folder(replacement.parent)
    except FileNotFoundError:  # converted meanwhile, and the folder is empty: the conversion has deleted our file
        return
    path.unlink(missing_ok=True)


def _digest(path: Path) -> str | None:
    try:
        return files.digest(path.read_bytes())
    except FileNotFoundError:
        return None


def _token(name: str) -> str:
    found = _TOKEN.fullmatch(name)
    return found[1] if found else ""
