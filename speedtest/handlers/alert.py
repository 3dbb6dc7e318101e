"""Try, list and silence alerts: `speedsnake alert test|list|silence`.

Exit codes: 0 done · 1 a channel refused, or the disk refuses to note the silence · 64 wrong arguments ·
78 wrong configuration.
"""

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from speedtest.alerts import channel, conditions, silence, words
from speedtest.alerts.channel import Channel
from speedtest.alerts.conditions import KnownConditions, Words
from speedtest.alerts.outbox import AlertEvent, ChannelNote, Outbox
from speedtest.data.files import digest
from speedtest.environment import Settings
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.console import console, line
from speedtest.values import amounts
from speedtest.variables import REPORT

_FORM = re.compile(r"(\d{1,4})(m|h|d)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class Doing(StrEnum):
    """What to do."""

    TEST = "test"
    LIST = "list"
    SILENCE = "silence"


class ChannelSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, as `alert list` shows it."""

    name: str
    waiting: int
    taken: int
    refusals: int
    """Since it last took an event."""
    retry: datetime | None
    last_answer: str | None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What `alert list` shows."""

    lasting: dict[str, conditions.Lasting]
    waiting: list[dict[str, str]]
    channels: list[ChannelSeen]
    silent_until: datetime | None


def alert(
    doing: Annotated[Doing, typer.Argument(metavar="test|list|silence", help="What to do.")],
    how_long: Annotated[
        str | None, typer.Argument(metavar="[HOW LONG]", help="For `silence`: 30m, 2h, 1d, or 0 to end it.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For `list`: print one JSON object.")] = False,
) -> None:
    """Try, list or silence alerts.

    `test` sends a message to each channel of ALERT_URLS and calls PING_URL, and says what each answered. `list` shows
    every condition that lasts, what waits to be sent, and the channels. `silence 2h` tells nothing for two hours:
    what is wrong after that is told then.

    Exit codes: 0 done, 1 a channel refused or the disk refuses the silence, 64 wrong arguments, 78 wrong configuration.
    """
    if (how_long is None) == (doing is Doing.SILENCE):
        needs = "needs a time, such as 2h" if how_long is None else "takes no time"
        exits.end(os.EX_USAGE, f"speedsnake alert {doing} {needs}")
    settings = startup.settings(REPORT)
    match doing:
        case Doing.TEST:
            _test(settings)
        case Doing.LIST:
            _list(settings, as_json=as_json)
        case Doing.SILENCE:
            _silence(settings, how_long or "")


def _test(settings: Settings) -> None:
    from speedtest.alerts import apprise_channel, ping  # noqa: PLC0415 (help and completion do not need them)

    channels = channel.all_of(settings.alert_urls)
    if not channels and not settings.ping_url:
        exits.end(exits.MISCONFIGURED, "no channel is set: put addresses into ALERT_URLS, or set PING_URL")
    event = _event(settings, channels)
    answers = [(each.name, apprise_channel.send(each, event, None)) for each in channels]
    if settings.ping_url:
        answers.append(("PING_URL", ping.send(settings.ping_url, event.subject, failed=False)))
    for name, answer in answers:
        console().print(line(name, answer.words, "green" if answer.is_yes else "red"))
    console().print(line("event", event.id))
    sys.exit(exits.OK if all(answer.is_yes for _, answer in answers) else exits.FAILED)


def _event(settings: Settings, channels: list[Channel]) -> AlertEvent:
    now, location = datetime.now(UTC), settings.speedtest_location_uuid
    facts = (("Sent", words.moment(now, words.zone(settings))),)
    told = Words(f"{location}: test message", f"Alerts of {location} reach this channel.", facts)
    event_id = digest(f"{location} test {now.isoformat()}".encode())
    return AlertEvent(
        id=event_id,
        kind="test",
        phase="told",
        at=now,
        noted=now,
        location=location,
        subject=told.subject,
        text=words.as_text(told, event_id),
        html=words.as_html(told, event_id),
        channels=tuple(each.digest for each in channels),
    )


def _list(settings: Settings, *, as_json: bool) -> None:
    outbox, now = Outbox(settings.result_dir), datetime.now(UTC)
    try:
        listed = _listed(settings, outbox, conditions.read(outbox, now), now)
    except (OSError, msgspec.MsgspecError) as error:
        exits.end(exits.FAILED, f"{outbox.folder} cannot be read: {error}")
    if as_json:
        sys.stdout.write(msgspec.json.encode(listed).decode() + "\n")
        return
    zone, out = words.zone(settings), console()
    if listed.silent_until:
        out.print(line("silent until", words.moment(listed.silent_until, zone), "yellow"))
    for each in listed.lasting.values():
        out.print(line(words.KINDS[each.kind], f"{each.words.subject}{'' if each.told else ' (not told)'}", "red"))
    if not listed.lasting:
        out.print(line("conditions", "nothing is wrong", "green"))
    for event in listed.waiting:
        out.print(line("waiting", f"{event['subject']} (event {event['id']})", "yellow"))
    for seen in listed.channels:
        out.print(line(seen.name, _said(seen, now), "red" if seen.refusals else ""))
    if not listed.channels:
        out.print(line("channels", "none: set ALERT_URLS"))


def _listed(settings: Settings, outbox: Outbox, known: KnownConditions, now: datetime) -> Listed:
    notes, waiting = outbox.notes(), outbox.waiting()
    return Listed(
        lasting=known.lasting,
        waiting=[{"id": each.id, "at": each.at.isoformat(), "subject": each.subject} for each in waiting],
        channels=[_seen(each, notes, waiting) for each in channel.all_of(settings.alert_urls)],
        silent_until=silence.read(outbox, now),
    )


def _seen(each: Channel, notes: dict[str, ChannelNote], waiting: list[AlertEvent]) -> ChannelSeen:
    note = notes.get(each.digest) or ChannelNote()
    left = [event for event in waiting if each.digest in event.channels and event.id not in note.taken]
    return ChannelSeen(
        name=each.name,
        waiting=len(left),
        taken=note.taken_in_all,
        refusals=note.refusals,
        retry=note.retry,
        last_answer=note.words,
    )


def _said(seen: ChannelSeen, now: datetime) -> str:
    text = f"{amounts.count(seen.taken, 'event')} taken, {seen.waiting:,} waiting"
    if not seen.refusals:
        return text
    again = f"; tried again in {amounts.duration(max((seen.retry - now).total_seconds(), 0))}" if seen.retry else ""
    return f"{text}; refused {amounts.count(seen.refusals, 'time')} in a row: {seen.last_answer}{again}"


def _silence(settings: Settings, how_long: str) -> None:
    found = _FORM.fullmatch(how_long)
    length = int(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    if length > silence.LONGEST or not (found or how_long == "0"):
        exits.end(
            os.EX_USAGE, f"{how_long!r} is not allowed: write 30m, 2h or 1d, at most 31d, or 0 to end the silence"
        )
    until = datetime.now(UTC) + length
    try:
        silence.write(Outbox(settings.result_dir), until)
    except OSError as error:
        folder = settings.result_dir
        exits.end(exits.FAILED, f"the silence could not be noted in {folder}: {error.strerror}; alerts go on")
    ends = f"nothing is told until {words.moment(until, words.zone(settings))}"
    sys.stdout.write(f"{ends if length else 'alerts are not silenced'}\n")


if __name__ == "__main__":
    alone(alert)
