"""Stamp the list of the lake's files once a day. The daemon runs this as a child if STAMP_URL is set.

Exit codes: 0 stamped, or stamped already today · 1 no stamp could be had; the log says why, the next run retries · 78
wrong configuration, or STAMP_URL is not set.
"""

from datetime import UTC, datetime

from speedtest import logging as logs
from speedtest.data import manifest
from speedtest.data.partitions import Folders
from speedtest.evidence import stamp_store, stamps
from speedtest.logging import Events
from speedtest.terminal import exits, startup

events = Events("speedtest.handlers.stamp")


def main() -> None:
    """Stamp, and exit."""
    startup.no_arguments("stamp", __doc__)
    settings = startup.settings()
    logs.configure(settings.log_level, commit_hash=settings.commit_hash)
    if settings.stamp_url is None:
        exits.end(exits.MISCONFIGURED, "STAMP_URL is not set: name a time-stamp authority (RFC 3161)")
    today = datetime.now(UTC).date()
    folder = settings.result_dir
    if stamp_store.paths(folder, today)[1].exists():
        return
    try:
        found = manifest.of(Folders(folder, settings.upload_dir), None)
        if not found.text:
            return  # there is nothing to stamp yet
        data = stamp_store.keep_manifest(folder, today, found)
        path = stamp_store.keep_stamp(
            folder, today, stamps.request(settings.stamp_url, data, settings.speedtest_ca_file)
        )
    except (stamps.NotStamped, OSError) as error:
        events.error("stamp_failed", "no time stamp for %s: %s", today, error)
        exits.end(exits.FAILED)
    events.info("stamped", "stamped %d files", len(found.parquet) + len(found.csv), path=str(path))


if __name__ == "__main__":
    main()
