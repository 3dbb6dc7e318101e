"""One run: find what has changed, note it, and tell it. `alerts.outbox` says in which order nothing is lost."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from speedtest.alerts import (
    channel,
    conditions,
    digests,
    line_conditions,
    machine_conditions,
    measured_conditions,
    rows,
    silence,
    words,
)
from speedtest.alerts.changes import Changes
from speedtest.alerts.channel import ChannelAnswer
from speedtest.alerts.conditions import KnownConditions
from speedtest.alerts.delivery import AlertDelivery, Send
from speedtest.alerts.outbox import Outbox
from speedtest.alerts.rows import AlertRow, NewRows
from speedtest.daemon import schedule
from speedtest.data.parquet import Damaged
from speedtest.data.watch_state import WatchState
from speedtest.environment import Settings
from speedtest.logging import Events

events = Events(__name__)

WAKE_FILE = ".wake.json"
_LOOK = timedelta(minutes=5)
"""How often a run looks whether quiet hours or a silence are over, while something waits for that."""

type Ping = Callable[[str, str, bool], ChannelAnswer]
"""Tells PING_URL: the address, the words, and whether it is a failure."""


def run(settings: Settings, now: datetime, send: Send, ping: Ping) -> None:
    """Do all that is due at this time. The caller holds the lock on the outbox.

    Raises `data.parquet.Damaged` if rows cannot be read, after all that needs no rows is done; OSError if the disk
    refuses to read or to note something.
    """
    outbox = Outbox(settings.result_dir)
    outbox.sweep()
    known = conditions.read(outbox, now)
    before = msgspec.json.encode(known)
    channels = channel.all_of(settings.alert_urls)
    watch = line_conditions.watched(settings, now)
    silent_until = silence.read(outbox, now)
    changes = Changes(settings, known, now, tuple(each.digest for each in channels), silent_until)
    found, damaged = _read(settings, known, now)
    line_conditions.judge(changes, watch, found.outages)
    measured_conditions.judge(changes, found.tests)
    damaged = damaged or _digest(changes)
    machine_conditions.judge(changes, damaged)
    changes.tell_untold()
    known.forget(now)
    if known.unsaved or msgspec.json.encode(known) != before:
        _save(outbox, changes)
    is_down = watch is not None and watch.state == "down"
    if not is_down:
        _ping(settings, changes, found.newest, ping, outbox)
    delivery = AlertDelivery(outbox, channels, now)
    is_quiet = settings.alert_quiet and schedule.is_quiet(settings, now)
    up_since = watch.since if watch and watch.state == "up" else None
    if not (is_down or is_quiet) and delivery.has_due(up_since):
        delivery.send(send, up_since)
    _write_wake(settings, outbox, changes, delivery, watch, waits=is_quiet or silent_until is not None)
    if damaged:
        raise damaged


def _read(settings: Settings, known: KnownConditions, now: datetime) -> tuple[NewRows, Damaged | None]:
    """Return what has come. A file that cannot be read must not silence what needs no rows, such as a line down."""
    try:
        return rows.new(settings, known, now), None
    except Damaged as error:
        return NewRows([], [], None), error


def _digest(changes: Changes) -> Damaged | None:
    """Tell a digest that is due. If a file cannot be read, it stays due."""
    due = digests.due(changes.settings, changes.known, changes.now)
    try:
        if due:
            digests.add(changes, due)
    except Damaged as error:
        return error
    return None


def _save(outbox: Outbox, changes: Changes) -> None:
    """Save what is known, and make the files of the events in it."""
    for event_id, report in changes.reports.items():
        outbox.keep_report(event_id, report)
    conditions.write(changes.known, outbox)
    if not changes.known.unsaved:
        return
    for event in sorted(changes.known.unsaved, key=lambda each: each.at):
        outbox.publish(event)
    changes.known.unsaved.clear()
    conditions.write(changes.known, outbox)


def _ping(settings: Settings, changes: Changes, newest: AlertRow | None, ping: Ping, outbox: Outbox) -> None:
    """Tell PING_URL of the newest row, once if it answers."""
    known = changes.known
    if not settings.ping_url or newest is None or (known.pinged and newest["timestamp"] <= known.pinged):
        return
    text, failed = _said(newest, changes)
    answer = ping(settings.ping_url, text, failed)
    if answer.is_yes:
        known.pinged = newest["timestamp"]
        conditions.write(known, outbox)
    else:
        events.warning("ping_refused", "PING_URL did not take a call: %s; the next test calls again", answer.words)


def _said(row: AlertRow, changes: Changes) -> tuple[str, bool]:
    """Return what PING_URL is told, and whether it is a failure."""
    lasting = [each.words.subject for each in changes.known.lasting.values()]
    more = "".join(f"\n{subject}" for subject in lasting)
    when = words.moment(row["timestamp"], changes.zone)
    if row["status"] == "failed":
        kind, said = row["error_kind"], words.said(row["error"] or "")
        return f"{when}: the test failed ({kind}): {said}{more}", True
    if "disk" in changes.known.lasting:
        return changes.known.lasting["disk"].words.sentence + more, True
    if row["status"] == "skipped":
        return f"{when}: no test: {words.said(row['error'] or '')}{more}", False
    return f"{when}: {row['download_mbps']:g} Mbit/s down{more}" if row["download_mbps"] else f"{when}: ok{more}", False


def _write_wake(  # noqa: PLR0913 (what the next time depends on)
    settings: Settings,
    outbox: Outbox,
    changes: Changes,
    delivery: AlertDelivery,
    watch: WatchState | None,
    *,
    waits: bool,
) -> None:
    """Note when the next run is due though nothing new has come."""
    now = changes.now
    times: list[datetime] = []
    if retry := delivery.next_retry():
        times.append(max(retry, now + (_LOOK if waits or (watch and watch.state == "down") else timedelta(seconds=10))))
    if waits and any(not each.told for each in changes.known.lasting.values()):
        times.append(now + _LOOK)
    if watch:
        after = timedelta(seconds=settings.alert_after_seconds)
        times += [each.started_at + after for each in watch.open if each.started_at + after > now]
    if settings.alert_digest:
        zone = words.zone(settings)
        due = settings.alert_digest.last_due(now.astimezone(zone)) + timedelta(days=settings.alert_digest.days)
        times.append(due)
    outbox.replace(WAKE_FILE, min(times, default=None), durable=False)
