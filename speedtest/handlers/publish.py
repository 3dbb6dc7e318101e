"""Send rows to the receivers that are set: MQTT_URL, INFLUX_URL, WEBHOOK_URL. The daemon runs this as a child.

`--test` asks each receiver whether it would take rows, and sends none. `--due` asks only those whose pause after a
failure is over. Without names all receivers that are set are asked: mqtt, influx, webhook.

Exit codes: 0 all is sent · 1 a receiver took nothing: the log says why, and the rows wait · 64 wrong arguments ·
75 another process sends to this receiver · 78 wrong configuration, or no receiver is set.
"""

import os
import signal
import sys
from collections.abc import Sequence
from typing import get_args

from speedtest import logging as logs
from speedtest.data import bare_arrow
from speedtest.data.lock import Held
from speedtest.environment import ReceiverName, Settings
from speedtest.logging import Events
from speedtest.process import Stop
from speedtest.publishing import visit
from speedtest.publishing.visit import Visit
from speedtest.terminal import exits, startup

events = Events("speedtest.handlers.publish")

USAGE = "usage: python -m speedtest.handlers.publish [--test | --due] [mqtt] [influx] [webhook]"
CHILD_SECONDS, PERSON_SECONDS = 500.0, 86_400.0
"""For how long rows are sent at most: by the daemon's child, whose next start goes on, and for a person."""
_OPTIONS = {"--test", "--due"}


def main() -> None:
    """Send what the arguments name, and exit."""
    given = sys.argv[1:]
    if given in (["--help"], ["-h"]):
        sys.stdout.write(f"{USAGE}\n\n{__doc__}")
        return
    options, wanted = _OPTIONS & {*given}, [word for word in given if word not in _OPTIONS]
    wrong = [word for word in wanted if word not in get_args(ReceiverName.__value__)]
    if wrong or len(options) > 1:
        exits.end(os.EX_USAGE, USAGE, *(f"no such receiver: {word}" for word in wrong))
    settings = startup.settings()
    logs.configure(settings.log_level, commit_hash=settings.commit_hash)
    names = _chosen(settings, wanted)
    bare_arrow.hide_pandas()
    stop = Stop()
    stop.on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    codes = [_ask(settings, name, options, stop) for name in names if not stop.requested]
    sys.exit(next((code for code in (exits.FAILED, exits.BUSY) if code in codes), exits.OK))


def _chosen(settings: Settings, wanted: Sequence[str]) -> list[ReceiverName]:
    """Return the receivers to ask: all that are set, or those of them that are wanted."""
    names = [name for name in settings.receivers if not wanted or name in wanted]
    if missing := [name for name in wanted if name not in names]:
        exits.end(exits.MISCONFIGURED, *(f"{name} is not set: set {name.upper()}_URL" for name in missing))
    if not names:
        exits.end(exits.MISCONFIGURED, "no receiver is set: set MQTT_URL, INFLUX_URL or WEBHOOK_URL")
    return names


def _ask(settings: Settings, name: ReceiverName, options: set[str], stop: Stop) -> int:
    """Test or visit one receiver, and say how that went; return its part of the exit code."""
    is_child = "--due" in options
    try:
        if "--test" in options:
            done = visit.test(settings, name)
        else:
            seconds = CHILD_SECONDS if is_child else PERSON_SECONDS
            done = visit.visit(settings, name, seconds=seconds, only_if_due=is_child, stopped=lambda: stop.requested)
    except Held as held:
        sys.stderr.write(f"another process sends to {name}: {held}; retry when it has ended\n")
        return exits.BUSY
    except OSError as error:
        events.error("publish_failed", "%s: a disk error ended it: %s; nothing is lost, the next retries", name, error)
        return exits.FAILED
    if not is_child:
        _say(name, done)
    return exits.OK if done.is_well else exits.FAILED


def _say(name: str, done: Visit) -> None:
    sys.stdout.write(f"{name:<9}{done.place}: {done.words}\n")


if __name__ == "__main__":
    main()
