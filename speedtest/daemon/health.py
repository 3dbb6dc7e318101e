"""The daemon's health, judged from outside by its heartbeat and by whether its folders can be written.

The daemon is unhealthy if its loop is late, if a folder cannot be written, if rows wait because the disk refuses them,
or if files wait for delivery and a person must do something about it, or have waited for two days. Failed tests do not
make it unhealthy: they are results too.
"""

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from speedtest.data import delivery_note, heartbeat, probe
from speedtest.data.heartbeat import Heartbeat
from speedtest.environment import Settings
from speedtest.values import amounts


def reason(settings: Settings) -> str | None:
    """Return why the daemon with these settings is unhealthy; None if it is healthy."""
    for name, folder in (("RESULT_DIR", settings.result_dir), ("UPLOAD_DIR", settings.upload_dir)):
        if why := probe.refusal(folder):
            return f"{name} {folder} cannot be written: {probe.why(folder, why)}"
    return judge(settings.result_dir) or undelivered(settings)


def judge(result_dir: Path) -> str | None:
    """Return why a daemon is unhealthy by its heartbeat alone; None if it is healthy. Writes nothing."""
    path = result_dir / heartbeat.FILE_NAME
    try:
        said = heartbeat.read(result_dir)
    except FileNotFoundError:
        return f"no daemon has run yet: {path} does not exist"
    except (OSError, msgspec.MsgspecError) as error:
        return f"{path} cannot be read: {error}"
    return _lateness(said) or _waiting(said, result_dir)


def undelivered(settings: Settings) -> str | None:
    """Return why a person should look at the delivery; None if nothing is to be delivered, or all is well."""
    if not settings.deliver_to:
        return None
    try:
        note = delivery_note.read(settings.result_dir)
    except OSError as error:
        return f"{settings.result_dir / delivery_note.FILE_NAME} cannot be read: {error}"
    return note.complaint(datetime.now(UTC)) if note else None


def _lateness(said: Heartbeat) -> str | None:
    now, monotonic = datetime.now(UTC), time.monotonic()
    if not said.is_late(now, monotonic):
        return None
    when = f"at {said.next_due:%Y-%m-%d %H:%M:%S}Z"
    if said.is_before_restart(monotonic):
        return f"no daemon has run since this machine started; the next test was due {when}"
    late = said.seconds_late(now, monotonic)
    return f"the next test was due {late:.0f} s ago, {when}: the loop has stopped; restart the daemon"


def _waiting(said: Heartbeat, result_dir: Path) -> str | None:
    if said.rows_waiting:
        waiting = f"{amounts.count(said.rows_waiting, 'row')} wait{'s' if said.rows_waiting == 1 else ''} in memory"
        return f"{waiting} because {result_dir} refused to save: free space or repair the disk"
    return None
