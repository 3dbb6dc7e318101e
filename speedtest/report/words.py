"""Texts and times as people read them. Texts from outside are made harmless to display."""

from datetime import datetime
from zoneinfo import ZoneInfo

from speedtest import logging
from speedtest.values import amounts

LONGEST_TEXT = 200
PLACES = {
    "link": "at this machine's link",
    "router": "at the router",
    "beyond-router": "behind the router",
    "unknown-place": "at an unknown place",
    "dns": "of the resolvers",
}
"""The places of outages in words."""


def harmless(text: object) -> str:
    """Return a text on one short line. Characters that could control a terminal or reorder the text are escaped."""
    line = " ".join(str(text).split())
    return logging.harmless(line[:LONGEST_TEXT]) + ("…" if len(line) > LONGEST_TEXT else "")


def instant(when: datetime | None, where: ZoneInfo) -> str:
    """Return the local date and time, to the minute."""
    return f"{when.astimezone(where):%d %b %Y %H:%M}" if when else amounts.NONE


def moment(when: datetime, where: ZoneInfo) -> str:
    """Return the local date and time, to the second."""
    return f"{when.astimezone(where):%d %b %Y %H:%M:%S}"


def day(when: datetime, where: ZoneInfo) -> str:
    """Return the local date."""
    return f"{when.astimezone(where):%d %b %Y}"
