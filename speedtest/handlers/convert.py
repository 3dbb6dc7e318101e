"""Complete days → Parquet, once, then exit. The daemon runs it as a child; a person may, at any time.

Exit codes: 0 done, also when there was nothing to do or a file went to quarantine · 1 a day could not be converted,
which and why is logged · 75 another conversion is running · 78 configuration.
"""

import fcntl
import os
import resource
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import override

from speedtest import logging as logs
from speedtest.data import probe
from speedtest.data.lock import Held, Lock
from speedtest.data.partitions import Folders
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.terminal import exits, startup

events = Events("speedtest.handlers.convert")

LOCK_NAME = ".convert.lock"
_OPEN_FILES = 4096
"""What a conversion may keep open, if this is granted; with fewer it only takes longer."""


class _Bare(MetaPathFinder):
    """Pyarrow imports numpy, and at its first array pandas, if it can: 50 MiB and half a second, of no use here."""

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in {"numpy", "pandas"}:
            raise ModuleNotFoundError(f"a conversion does without {fullname}", name=fullname)
        return None


def prepare() -> None:
    """Make this a process that only converts, before it imports pyarrow: no numpy, no pandas, many open files.

    Linux makes its table of open files longer step by step, and a process of several threads waits 10 ms for each. One
    file of a high number makes it as long as it will have to be, at once.
    """
    sys.meta_path.insert(0, _Bare())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with Path(os.devnull).open("rb") as nothing:
        os.close(fcntl.fcntl(nothing, fcntl.F_DUPFD_CLOEXEC, most - 1))


def main() -> None:
    """Convert, under the lock, and exit."""
    startup.no_arguments("convert", __doc__)
    settings = startup.settings()
    run(settings, settings.log_level)


def run(settings: Settings, log_level: str, begun: Callable[[date], None] | None = None) -> None:
    """Convert, under the lock; end with an exit code other than 0 if not all could be."""
    prepare()
    from speedtest.data.conversion import convert  # noqa: PLC0415 (not before it)

    logs.configure(log_level, commit_hash=settings.commit_hash)
    if (why := probe.refusal(settings.upload_dir)) and not probe.may_pass(why):
        exits.end(exits.MISCONFIGURED, f"UPLOAD_DIR {settings.upload_dir} cannot be written: {why.strerror}")
    folders = Folders(settings.result_dir, settings.upload_dir)
    try:
        with Lock(settings.upload_dir / LOCK_NAME):
            failed = convert(folders, settings.speedtest_location_uuid, datetime.now(UTC).date(), begun)
    except Held as held:
        exits.end(exits.BUSY, f"another conversion is running: {held}")
    except OSError as error:
        events.error(
            "conversion_failed", "the disk stopped the conversion: %s; nothing is lost, the next one continues", error
        )
        exits.end(exits.FAILED)
    if failed:
        events.error("conversion_failed", "could not convert %d days; the next conversion tries again", failed)
        exits.end(exits.FAILED)


if __name__ == "__main__":
    main()
