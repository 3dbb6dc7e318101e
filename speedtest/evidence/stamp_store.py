"""`RESULT_DIR/stamps/`: the list of the lake's files of a UTC day, and its time stamp, one pair a day.

`YYYY-MM-DD.manifest` is the list (see `data.manifest`), `YYYY-MM-DD.tsr` the stamp of its bytes. Both are published
once and never changed; the list comes first. They are not below UPLOAD_DIR: engines read that folder whole, and some of
them fail on any file that is no Parquet, even in a hidden folder (docs/decisions/folder.md).
"""

import contextlib
import re
from datetime import date
from pathlib import Path

import msgspec

from speedtest.data import files
from speedtest.data.manifest import Manifest

FOLDER = "stamps"
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.tsr")


class StoredStamp(msgspec.Struct, frozen=True):
    """A list and its stamp."""

    day: str
    manifest: bytes
    stamp: bytes


def paths(result_dir: Path, day: date) -> tuple[Path, Path]:
    """Return the paths of a day's list and stamp."""
    folder = result_dir / FOLDER
    return folder / f"{day}.manifest", folder / f"{day}.tsr"


def keep_manifest(result_dir: Path, day: date, found: Manifest) -> bytes:
    """Publish a day's list, or keep the one that is there already; return its bytes. Raises OSError."""
    path, _ = paths(result_dir, day)
    with contextlib.suppress(FileExistsError):  # an earlier try got no stamp for it
        files.publish(path, found.text.encode(), base=result_dir)
    return path.read_bytes()


def keep_stamp(result_dir: Path, day: date, stamp: bytes) -> Path:
    """Publish a day's stamp. Raises OSError."""
    _, path = paths(result_dir, day)
    files.publish(path, stamp, base=result_dir)
    return path


def read(result_dir: Path) -> list[StoredStamp]:
    """Return all pairs, oldest first. Raises OSError if one cannot be read."""
    folder = result_dir / FOLDER
    days = sorted(match[1] for path in folder.glob("*.tsr") if (match := _NAME.fullmatch(path.name)))
    return [_read(folder, day) for day in days]


def _read(folder: Path, day: str) -> StoredStamp:
    return StoredStamp(day, (folder / f"{day}.manifest").read_bytes(), (folder / f"{day}.tsr").read_bytes())
