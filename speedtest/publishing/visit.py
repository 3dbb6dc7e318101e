"""One visit to a receiver: send it what it has not got if it is due, and note how it stands."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from speedtest.data.lock import Lock
from speedtest.data.partitions import Folders
from speedtest.data.watch_state import SeenState
from speedtest.environment import ReceiverName, Settings
from speedtest.logging import Events
from speedtest.publishing import standing as standings
from speedtest.publishing.delivery import Delivery
from speedtest.publishing.ledger import FOLDER
from speedtest.publishing.receiver import ReceiverAnswer, RowReceiver, StateReceiver
from speedtest.publishing.standing import Standing
from speedtest.values import amounts

events = Events(__name__)

MANY_ROWS = 100
"""So many rows at once are catching up, and worth a line in the log."""


class Visit(msgspec.Struct, frozen=True):
    """How a visit went."""

    place: str
    words: str
    """What was done, or why nothing was."""
    is_well: bool


def receiver(settings: Settings, name: ReceiverName) -> RowReceiver | StateReceiver:
    """Return a receiver that is set. Raises KeyError if it is not."""
    url = settings.receivers[name]
    match name:  # each has a library that the others, and help, do not need
        case "influx":
            from speedtest.publishing.influx import Influx  # noqa: PLC0415 (see above)

            return Influx(settings, url)
        case "webhook":
            from speedtest.publishing.webhook import Webhook  # noqa: PLC0415 (see above)

            return Webhook(settings, url)
        case "mqtt":
            from speedtest.publishing.mqtt import Mqtt  # noqa: PLC0415 (see above)

            return Mqtt(settings, url)


def standing_of(settings: Settings, name: ReceiverName) -> Standing:
    """Return how a receiver that is set stands. Asks nobody."""
    asked = receiver(settings, name)
    return standings.read(settings.result_dir, asked.key) or Standing(name=name, place=asked.place)


def test(settings: Settings, name: ReceiverName) -> Visit:
    """Ask a receiver whether it would take something, without sending a row."""
    asked = receiver(settings, name)
    answer = asked.test()
    return Visit(asked.place, answer.words or "answers, and would take what is sent", answer.verdict == "taken")


def visit(
    settings: Settings,
    name: ReceiverName,
    *,
    seconds: float,
    only_if_due: bool,
    stopped: Callable[[], bool] = lambda: False,
) -> Visit:
    """Send a receiver what it has not got. A failure is logged; and again if the receiver is not due since then.

    It ends after so many seconds, or once a stop is asked for, when the row that is being sent is noted.
    Raises `data.lock.Held` if another process visits it, OSError if the disk refuses.
    """
    asked = receiver(settings, name)
    base = settings.result_dir
    with Lock(base / FOLDER / f"{asked.key}.lock"):
        standing = standings.read(base, asked.key) or Standing(name=name, place=asked.place)
        standing.place = asked.place
        try:
            is_due = not only_if_due or standing.is_due(datetime.now(UTC), _line(settings))
            return _visit(settings, asked, standing, is_due=is_due, run=lambda each: each.run(seconds, stopped))
        finally:
            standings.write(standing, base, asked.key)


def _line(settings: Settings) -> SeenState:
    return standings.line_state(settings.result_dir, datetime.now(UTC))


def _visit(
    settings: Settings,
    asked: RowReceiver | StateReceiver,
    standing: Standing,
    *,
    is_due: bool,
    run: Callable[[Delivery], ReceiverAnswer],
) -> Visit:
    failed_since = standing.since
    if isinstance(asked, StateReceiver):
        answer = asked.publish() if is_due else ReceiverAnswer("later", standing.words or "")
        done = f"sent the state to {asked.place}"
        sent = 0
    else:
        folders = Folders(settings.result_dir, settings.upload_dir)
        delivery = Delivery(asked, folders, settings.speedtest_location_uuid, standing)
        answer = run(delivery) if is_due else delivery.count(standing.words)
        done = _done(asked, delivery.sent, standing)
        sent = delivery.sent
    if answer.verdict == "taken":
        standing.succeed()
        if isinstance(asked, StateReceiver):
            standing.last_taken = datetime.now(UTC)
        if failed_since or sent >= MANY_ROWS:
            events.info("published", "%s", done, rows=sent)
        return Visit(asked.place, done, is_well=True)
    if is_due:
        standing.fail(datetime.now(UTC), answer.words, _line(settings), answer.retry_seconds)
    why = "%s takes nothing now: %s; nothing is lost, and it is asked again"
    events.warning("publish_failed", why, asked.place, answer.words)
    return Visit(asked.place, answer.words, is_well=False)


def _done(asked: RowReceiver, sent: int, standing: Standing) -> str:
    left = standing.waiting
    return f"sent {amounts.count(sent, 'row')} to {asked.place}" + (f"; {left}" if left else "")
