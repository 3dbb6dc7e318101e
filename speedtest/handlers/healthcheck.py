"""Is the daemon on time? `python -m speedtest.handlers.healthcheck` exits 0, or 1 with the reason, for a container.

A line that is down is not an unhealthy daemon: failed tests are answers. Unhealthy is a loop that is late, a folder
that cannot be written, or rows that wait because the disk refuses them. Exit code 78 is a mistake in the settings.
"""

import sys
import time
from pathlib import Path

import msgspec

from speedtest.data import heartbeat, probe
from speedtest.data.heartbeat import Heartbeat
from speedtest.environment import Settings
from speedtest.terminal import exits, startup

GRACE_SECONDS = 30.0
"""How late a test may start before the daemon counts as hung, beside the longest that a test may run."""


def reason(settings: Settings) -> str | None:
    """Return what is wrong with the daemon of these settings, None if it is well."""
    for name, folder in (("RESULT_DIR", settings.result_dir), ("UPLOAD_DIR", settings.upload_dir)):
        if why := probe.refusal(folder):
            return f"{name} {folder} cannot be written: {why.strerror}"
    return judge(settings.result_dir)


def judge(result_dir: Path) -> str | None:
    """Return what is wrong with a daemon by its heartbeat alone, None if nothing is. Writes nothing."""
    path = result_dir / heartbeat.FILE_NAME
    try:
        state = heartbeat.read(result_dir)
    except FileNotFoundError:
        return f"no daemon has run yet: {path} is not there"
    except (OSError, msgspec.MsgspecError) as error:
        return f"{path} cannot be read: {error}"
    return _lateness(state) or _waiting(state, result_dir)


def _lateness(state: Heartbeat) -> str | None:
    late = time.monotonic() - state.next_due_monotonic
    if -late > state.interval_seconds + GRACE_SECONDS:  # the monotonic clock begins anew with the machine
        return f"no daemon has run since this machine started; it was due at {state.next_due:%Y-%m-%d %H:%M:%S}Z"
    if late > state.timeout_seconds + GRACE_SECONDS:
        return f"the next test was due {late:.0f} s ago, at {state.next_due:%Y-%m-%d %H:%M:%S}Z: the loop has stopped"
    return None


def _waiting(state: Heartbeat, result_dir: Path) -> str | None:
    if state.rows_waiting:
        return f"{state.rows_waiting} rows wait in memory because {result_dir} refused them: make room or mend the disk"
    return None


def main() -> None:
    """Exit with the answer."""
    startup.no_arguments("healthcheck", __doc__)
    why = reason(startup.settings())
    if why:
        exits.end(exits.FAILED, f"unhealthy: {why}")
    sys.stdout.write("healthy\n")


if __name__ == "__main__":
    main()
