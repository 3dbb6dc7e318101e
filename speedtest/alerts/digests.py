"""The digest: one paragraph and six figures about the whole days before, with the report as a file."""

from datetime import datetime, timedelta

from speedtest.alerts import words
from speedtest.alerts.changes import Changes
from speedtest.alerts.conditions import KnownConditions
from speedtest.environment import Settings


def due(settings: Settings, known: KnownConditions, now: datetime) -> datetime | None:
    """Return when the digest was due that is to be told now, None if none is.

    The first one comes at the first such time after alerts began. Of several that were missed, only the last is told.
    """
    if settings.alert_digest is None:
        known.digest_due = None
        return None
    last = settings.alert_digest.last_due(now.astimezone(words.zone(settings)))
    return last if last > (known.digest_due or known.since) else None


def add(changes: Changes, at: datetime) -> None:
    """Tell the digest that was due at a local time. Raises `data.parquet.Damaged` or OSError."""
    from speedtest.alerts import digest_words  # noqa: PLC0415 (it imports pandas, which other runs do without)

    days = changes.settings.alert_digest.days if changes.settings.alert_digest else 1
    until = at.replace(hour=0, minute=0)
    told, report = digest_words.of(changes.settings, until - timedelta(days=days), until, days)
    changes.known.digest_due = at
    changes.told("digest", at, told, always=True, report=report)
