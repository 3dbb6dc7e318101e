"""How alerts are worded: one subject, one sentence, and facts, as plain text and as HTML. Times are local ones."""

import html
from datetime import datetime
from zoneinfo import ZoneInfo

from speedtest.alerts.conditions import Words
from speedtest.environment import Settings
from speedtest.logging import harmless

KINDS = {
    "line": "line down",
    "slow": "slow",
    "unusual": "slower than usual",
    "latency": "high latency",
    "bufferbloat": "high latency under load",
    "loss": "packet loss",
    "failing": "tests fail",
    "budget-80": "80 % of the data budget used",
    "budget": "data budget used up",
    "disk": "the disk refuses rows",
    "damaged": "a file cannot be read",
    "conversion": "days are not converted",
    "delivery": "delivery fails",
    "quarantine": "files in quarantine",
    "digest": "digest",
    "test": "test message",
}
"""What an event can be about."""
_LONGEST = 300
_STYLE = "font-family:sans-serif;font-size:15px;line-height:1.45;color:#1b1f24"
_NAME_STYLE = "padding:2px 16px 2px 0;color:#57606a;vertical-align:top;white-space:nowrap"


def zone(settings: Settings) -> ZoneInfo:
    """Return the zone in which times are written: `TZ`, or this machine's, or UTC."""
    try:
        return ZoneInfo(settings.tz or "UTC")
    except (KeyError, OSError, ValueError):  # this machine has no zone database
        return ZoneInfo("UTC")


def moment(when: datetime, where: ZoneInfo) -> str:
    """Return a local time, to the second, with its zone."""
    return f"{when.astimezone(where):%a %d %b %Y %H:%M:%S} ({where.key})"


def minute(when: datetime, where: ZoneInfo) -> str:
    """Return a local time for a subject, to the minute."""
    return f"{when.astimezone(where):%d %b %H:%M}"


def said(text: object) -> str:
    """Return a program's words on one line, cut, with control characters escaped."""
    line = " ".join(str(text).split())
    return harmless(line[:_LONGEST]) + ("…" if len(line) > _LONGEST else "")


def as_text(words: Words, event_id: str) -> str:
    """Return the words as plain text."""
    facts = "".join(f"{name}: {value}\n" for name, value in words.facts)
    return f"{words.sentence}\n\n{facts}\nEvent {event_id}\n"


def as_html(words: Words, event_id: str) -> str:
    """Return the words as HTML that e-mail programs show: no script, no style sheet, nothing from elsewhere."""
    rows = "".join(_row(name, value) for name, value in words.facts)
    return (
        f'<div style="{_STYLE}"><p style="font-size:17px">{html.escape(words.sentence)}</p>'
        f'<table style="border-collapse:collapse;{_STYLE}">{rows}</table>'
        f'<p style="font-size:12px;color:#57606a">SpeedSnake, event {event_id}</p></div>'
    )


def _row(name: str, value: str) -> str:
    return f'<tr><td style="{_NAME_STYLE}">{html.escape(name)}</td><td>{html.escape(value)}</td></tr>'
