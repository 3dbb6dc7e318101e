"""Tell people what is wrong, or right again, once. The daemon runs this as a child; you can run it at any time.

Exit codes: 0 done, also if a channel refused · 1 a file cannot be read, or the disk refuses to note what was sent ·
75 another one is running · 78 wrong configuration.
"""

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from speedtest import logging as logs
from speedtest.alerts.channel import Channel, ChannelAnswer
from speedtest.alerts.outbox import FOLDER, AlertEvent
from speedtest.data import bare_arrow
from speedtest.data.lock import Held, Lock
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.terminal import exits, startup
from speedtest.variables import REPORT

events = Events("speedtest.handlers.alert_child")

LOCK_NAME = ".lock"
SEND_SECONDS = 60.0
"""How long one message may take. The daemon gives all of them five minutes."""


def main() -> None:
    """Find what has changed and tell it, while holding the lock on the outbox; then exit."""
    startup.no_arguments("alert_child", __doc__)
    settings = startup.settings(REPORT)
    logs.configure(settings.log_level, commit_hash=settings.commit_hash)
    try:
        with Lock(settings.result_dir / FOLDER / LOCK_NAME):
            _run(settings)
    except Held as held:
        exits.end(exits.BUSY, f"alerts are being sent already: {held}; retry when that has ended")
    except OSError as error:
        why = "could not note what to tell: %s; the next run continues, so make room or fix the disk"
        events.error("alerts_failed", why, error)
        _tell_of_disk(settings, error)
        exits.end(exits.FAILED)


def _tell_of_disk(settings: Settings, error: OSError) -> None:
    """Tell PING_URL, which needs no file, that a disk that refuses the outbox holds up all else."""
    if settings.ping_url:
        words = f"{settings.speedtest_location_uuid}: alerts cannot be noted: {error.strerror or error}"
        _ping(settings.ping_url, words, failed=True)


def _run(settings: Settings) -> None:
    from speedtest.alerts import needs  # noqa: PLC0415 (it imports no pyarrow, and tells whether pandas is needed)

    now = datetime.now(UTC)
    if not needs.pandas(settings, now):
        bare_arrow.hide_pandas()

    from speedtest.alerts.run import run  # noqa: PLC0415 (it imports pyarrow, so only now)
    from speedtest.data.parquet import Damaged  # noqa: PLC0415 (the same)

    try:
        run(settings, now, _send, _ping)
    except Damaged as error:
        events.error("alerts_failed", "could not read the rows: %s", error)
        exits.end(exits.FAILED)


def _send(channel: Channel, event: AlertEvent, report: Path | None) -> ChannelAnswer:
    from speedtest.alerts import apprise_channel  # noqa: PLC0415 (only if there is something to send)

    return in_time(lambda: apprise_channel.send(channel, event, report))


def _ping(url: str, words: str, failed: bool) -> ChannelAnswer:  # noqa: FBT001 (the form of `run.Ping`)
    from speedtest.alerts import ping  # noqa: PLC0415 (the same)

    return in_time(lambda: ping.send(url, words, failed=failed))


def in_time(send: Callable[[], ChannelAnswer], seconds: float = SEND_SECONDS) -> ChannelAnswer:
    """Send, but not for longer than this: whoever answers a byte now and then must not hold up the others."""
    words = f"it did not answer within {seconds:g} s"

    def late(*_: object) -> None:
        raise TimeoutError(words)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)  # again, if a service swallows the first
    try:
        return send()
    except TimeoutError:
        return ChannelAnswer(is_yes=False, words=words)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    main()
