"""Read when a digest is due: `daily 08:00` or `monday 08:00`, by the clock on the wall."""

import re
from datetime import datetime, timedelta
from typing import override

import msgspec

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ALLOWED = "`daily HH:MM`, or a day of the week and a time, such as `monday 08:00`"
_FORM = re.compile(r"([a-z]+) ([01][0-9]|2[0-3]):([0-5][0-9])")
_WEEK = 7


class DigestTime(msgspec.Struct, frozen=True):
    """When a digest is due. It is about the whole days before: one, or seven."""

    weekday: int | None
    """0 is Monday; None: every day."""
    hour: int
    minute: int

    @property
    def days(self) -> int:
        """How many days a digest is about."""
        return 1 if self.weekday is None else _WEEK

    def last_due(self, now: datetime) -> datetime:
        """Return the last time at which one was due, at or before a local time."""
        due = now.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        back = 0 if self.weekday is None else (due.weekday() - self.weekday) % _WEEK
        due -= timedelta(days=back)
        return due if due <= now else due - timedelta(days=self.days)

    @override
    def __str__(self) -> str:
        """Return it as it is written."""
        day = "daily" if self.weekday is None else _DAYS[self.weekday]
        return f"{day} {self.hour:02}:{self.minute:02}"


def parse(text: str) -> DigestTime:
    """Read when a digest is due. Raises ValueError for other text."""
    found = _FORM.fullmatch(" ".join(text.lower().split()))
    if not found or found[1] not in ("daily", *_DAYS):
        raise ValueError(text)
    weekday = None if found[1] == "daily" else _DAYS.index(found[1])
    return DigestTime(weekday, int(found[2]), int(found[3]))
