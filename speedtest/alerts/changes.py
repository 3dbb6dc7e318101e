"""What changes in one run: conditions begin and end, and become events for the channels."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from speedtest.alerts import words
from speedtest.alerts.conditions import KnownConditions, Lasting, Words
from speedtest.alerts.outbox import AlertEvent, Phase
from speedtest.data.files import digest
from speedtest.environment import Settings
from speedtest.logging import Events

events = Events(__name__)

_WITHOUT_END = frozenset({"budget-80"})
"""Kinds whose end is no news."""


class Changes:
    """The changes of one run. They are kept in what is known; `conditions.write` saves them."""

    def __init__(
        self,
        settings: Settings,
        known: KnownConditions,
        now: datetime,
        channels: tuple[str, ...],
        silent_until: datetime | None,
    ) -> None:
        """Change nothing yet. `channels`: the digests of those that are told."""
        self.settings, self.known, self.now = settings, known, now
        self.zone: ZoneInfo = words.zone(settings)
        self.location = settings.speedtest_location_uuid
        self.reports: dict[str, str] = {}
        """The reports that go with events, by the event's id."""
        self._channels = channels
        self._is_silent = silent_until is not None

    def began(self, name: str, lasting: Lasting) -> None:
        """Take note that a condition lasts. It is told now, or when alerts are not silenced any more."""
        if name not in self.known.lasting:
            self.known.lasting[name] = lasting
            self._tell(name, lasting)

    def ended(self, name: str, at: datetime, told: Words) -> None:
        """Take note that a condition is over. That is told if its begin was."""
        lasting = self.known.lasting.pop(name, None)
        if lasting and lasting.told and lasting.kind not in _WITHOUT_END:
            self._add(name, lasting.kind, "ended", at, told)

    def told(self, kind: str, at: datetime, told: Words, *, always: bool = False, report: str | None = None) -> None:
        """Tell something that has no end. `always`: also while alerts are silenced."""
        if self._can_tell(always=always):
            event = self._add(kind, kind, "told", at, told, has_report=report is not None)
            if report is not None:
                self.reports[event.id] = report
        elif self._channels:
            events.info("alert_silenced", "%s: not told, because alerts are silenced", told.subject)

    def holds(self, name: str, make: Callable[[], Lasting], end: Callable[[], Words], *, is_so: bool) -> None:
        """Begin or end a condition that is so now, or is not."""
        if is_so:
            if name not in self.known.lasting:
                self.began(name, make())
        elif name in self.known.lasting:
            self.ended(name, self.now, end())

    def tell_untold(self) -> None:
        """Tell the conditions that last and began while nobody could be told."""
        for name, lasting in self.known.lasting.items():
            if not lasting.told:
                self._tell(name, lasting, quietly=True)

    def _tell(self, name: str, lasting: Lasting, *, quietly: bool = False) -> None:
        if self._can_tell():
            lasting.told = True
            self._add(name, lasting.kind, "began", lasting.begun, lasting.words)
        elif self._channels and not quietly:
            why = "%s: not told now, because alerts are silenced; told later if it still lasts then"
            events.info("alert_silenced", why, lasting.words.subject)

    def _can_tell(self, *, always: bool = False) -> bool:
        return bool(self._channels) and (always or not self._is_silent)

    def _add(  # noqa: PLR0913 (what an event is)
        self, name: str, kind: str, phase: Phase, at: datetime, told: Words, *, has_report: bool = False
    ) -> AlertEvent:
        event_id = digest(f"{self.location} {name} {phase} {at.isoformat()}".encode())
        event = AlertEvent(
            id=event_id,
            kind=kind,
            phase=phase,
            at=at,
            noted=self.now,
            location=self.location,
            subject=told.subject,
            text=words.as_text(told, event_id),
            html=words.as_html(told, event_id),
            channels=self._channels,
            has_report=has_report,
        )
        self.known.unsaved.append(event)
        events.info("alert_noted", "%s", told.subject, alert=event_id, kind=kind, phase=phase)
        return event
