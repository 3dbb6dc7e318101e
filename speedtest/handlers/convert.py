"""Convert complete days to Parquet once. The daemon runs this as a child; you can run it at any time.

Exit codes: 0 done, also if there was nothing to do or a file went to quarantine · 1 a day could not be converted, the
log says which and why · 75 another conversion is running · 78 wrong configuration, or a folder cannot be written.
"""

import fcntl
import os
import resource
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from speedtest import logging as logs
from speedtest.data import bare_arrow, probe
from speedtest.data.lake_lock import alone
from speedtest.data.lock import Held
from speedtest.data.partitions import Folders
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.terminal import exits, startup

events = Events("speedtest.handlers.convert")

_OPEN_FILES = 4096
"""How many files a conversion keeps open if the system allows it. With fewer it is only slower."""


def prepare() -> None:
    """Prepare this process for a conversion, before it imports pyarrow: no numpy, no pandas, many open files.

    Linux extends a process's table of open files step by step, and a process with several threads waits 10 ms for each
    step. Opening one file with a high number extends the table once, to its final size.
    """
    bare_arrow.hide_pandas()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with Path(os.devnull).open("rb") as nothing:
        os.close(fcntl.fcntl(nothing, fcntl.F_DUPFD_CLOEXEC, most - 1))


def main() -> None:
    """Convert while holding the lock, and exit."""
    startup.no_arguments("convert", __doc__)
    settings = startup.settings()
    run(settings, settings.log_level)


def run(settings: Settings, log_level: str, begun: Callable[[date], None] | None = None) -> None:
    """Convert while holding the lock; exit with a code other than 0 if a day could not be converted."""
    prepare()
    from speedtest.data.conversion import convert  # noqa: PLC0415 (it imports pyarrow, so only after prepare())

    logs.configure(log_level, commit_hash=settings.commit_hash)
    if (why := probe.refusal(settings.upload_dir)) and not probe.may_pass(why):
        reason = probe.why(settings.upload_dir, why)
        exits.end(exits.MISCONFIGURED, f"UPLOAD_DIR {settings.upload_dir} cannot be written: {reason}")
    folders = Folders(settings.result_dir, settings.upload_dir)
    try:
        with alone(settings.upload_dir):
            failed = convert(folders, settings.speedtest_location_uuid, datetime.now(UTC).date(), begun)
    except Held as held:
        exits.end(exits.BUSY, f"another conversion is running: {held}; retry when it has ended")
    except OSError as error:
        events.error(
            "conversion_failed", "a disk error ended the conversion: %s; no row is lost, the next one retries", error
        )
        exits.end(exits.FAILED)
    if failed:
        events.error("conversion_failed", "could not convert %d days; the next conversion retries", failed)
        exits.end(exits.FAILED)


if __name__ == "__main__":
    main()
