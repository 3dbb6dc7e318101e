"""Figures and instants as people read them, and whatever came from outside made harmless to look at."""

from datetime import datetime
from zoneinfo import ZoneInfo

from speedtest import logging
from speedtest.values import amounts

LONGEST_TEXT = 200


def harmless(text: object) -> str:
    """Return a text of a row on one line, not too long; what could steer a terminal or hide its order is escaped."""
    line = " ".join(str(text).split())
    return logging.harmless(line[:LONGEST_TEXT]) + ("…" if len(line) > LONGEST_TEXT else "")


def zone(names: list[str]) -> ZoneInfo:
    """Return the zone to show times in: the rows' own if they agree on one that is known here, else UTC."""
    try:
        return ZoneInfo(names[0]) if len(names) == 1 else ZoneInfo("UTC")
    except (OSError, ValueError):
        return ZoneInfo("UTC")


def instant(when: datetime | None, where: ZoneInfo) -> str:
    """Return date and time to the minute, by the clock on the wall there."""
    return f"{when.astimezone(where):%d %b %Y %H:%M}" if when else amounts.NONE


def day(when: datetime, where: ZoneInfo) -> str:
    """Return the date there."""
    return f"{when.astimezone(where):%d %b %Y}"
