"""Send what waits in the outbox: to each channel in order, each channel on its own.

A channel that refuses is tried again after a minute, then two, four and so on up to an hour; its later events wait
behind the first. What a channel has not taken after seven days is given up.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from speedtest.alerts.channel import Channel, ChannelAnswer
from speedtest.alerts.outbox import AlertEvent, ChannelNote, Outbox
from speedtest.data import back_off
from speedtest.logging import Events

events = Events(__name__)

KEPT = timedelta(days=7)
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=1)

type Send = Callable[[Channel, AlertEvent, Path | None], ChannelAnswer]
"""Sends an event, with the file that goes with it, and returns what the channel answered."""


class AlertDelivery:
    """The events that wait, and the channels that they go to."""

    def __init__(self, outbox: Outbox, channels: Sequence[Channel], now: datetime) -> None:
        """Read what waits, and what is known of the channels."""
        self._outbox, self._now = outbox, now
        self._notes = outbox.notes()
        for note in self._notes.values():
            if note.retry and note.retry > now + LONGEST_RETRY:  # the clock was wrong, and was set back
                note.retry = None
        for channel in channels:
            self._notes.setdefault(channel.digest, ChannelNote())
        self._channels = sorted(channels, key=lambda each: (self._note(each).refusals, each.number))
        self.waiting = outbox.waiting()

    def send(self, send: Send, line_up_since: datetime | None) -> None:
        """Send what is due. `line_up_since`: a channel that refused before that is tried again at once.

        Raises OSError if the disk refuses to note what was sent; then nothing more is sent.
        """
        for channel in self._channels:
            self._send_to(channel, send, line_up_since)
        self._remove()

    def has_due(self, line_up_since: datetime | None) -> bool:
        """Return whether anything is to be sent or given up now."""
        return any(self._due(channel, line_up_since) for channel in self._channels) or bool(self._done())

    def next_retry(self) -> datetime | None:
        """Return when the next channel is due that refused, None if nothing waits."""
        retries = [self._note(each).retry or self._now for each in self._channels if self._of(each)]
        return min(retries, default=None)

    def _send_to(self, channel: Channel, send: Send, line_up_since: datetime | None) -> None:
        note = self._note(channel)
        for event in self._due(channel, line_up_since):
            if self._now - event.noted > KEPT:
                why = "gave up on event %s for %s: it did not take it within seven days; its last answer: %s"
                events.error("alert_lost", why, event.id, channel.name, note.words, alert=event.id)
                self._take(note, event)
                continue
            report = self._outbox.report(event.id) if event.has_report else None
            answer = send(channel, event, report if report and report.exists() else None)
            note.tried, note.words = self._now, answer.words
            if not answer.is_yes:
                self._refused(channel, note, event)
                return
            note.refusals, note.retry = 0, None
            note.taken_in_all += 1
            self._take(note, event)
            events.info("alert_sent", "%s took event %s: %s", channel.name, event.id, event.subject, alert=event.id)

    def _take(self, note: ChannelNote, event: AlertEvent) -> None:
        note.taken.append(event.id)
        self._outbox.write_notes(self._notes)

    def _refused(self, channel: Channel, note: ChannelNote, event: AlertEvent) -> None:
        note.refusals += 1
        wait = back_off.pause(note.refusals, FIRST_RETRY, LONGEST_RETRY)
        note.retry = self._now + wait
        self._outbox.write_notes(self._notes)
        why = "%s refused event %s: %s; tried again in %d min"
        events.warning("alert_refused", why, channel.name, event.id, note.words, wait.total_seconds() / 60)

    def _due(self, channel: Channel, line_up_since: datetime | None) -> list[AlertEvent]:
        """Return the events that are to be sent to a channel now, in order."""
        note = self._note(channel)
        is_new_line = line_up_since is not None and note.tried is not None and note.tried < line_up_since
        return self._of(channel) if note.retry is None or note.retry <= self._now or is_new_line else []

    def _of(self, channel: Channel) -> list[AlertEvent]:
        taken = set(self._note(channel).taken)
        return [event for event in self.waiting if channel.digest in event.channels and event.id not in taken]

    def _done(self) -> list[AlertEvent]:
        """Return the events that no channel waits for any more."""
        wanted = {event.id for channel in self._channels for event in self._of(channel)}
        return [event for event in self.waiting if event.id not in wanted]

    def _remove(self) -> None:
        for event in self._done():
            self._outbox.remove(event)
            self.waiting.remove(event)

    def _note(self, channel: Channel) -> ChannelNote:
        return self._notes[channel.digest]
