"""The channels of `ALERT_URLS`, and what they answer. No file and no log has their addresses, which hold secrets."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

import msgspec

from speedtest.data.files import digest

_LONGEST = 200
_SHORTEST_SECRET = 3


class Channel(msgspec.Struct, frozen=True):
    """One address of `ALERT_URLS`."""

    url: str
    number: int
    """Its place in ALERT_URLS, from 1."""

    @property
    def digest(self) -> str:
        """The name of this channel in files."""
        return digest(self.url.encode())

    @property
    def name(self) -> str:
        """The name of this channel for people: its place and its service."""
        return f"channel {self.number} ({self.url.partition('://')[0].lower()})"


class ChannelAnswer(msgspec.Struct, frozen=True):
    """What a channel answered."""

    is_yes: bool
    words: str


def all_of(urls: Sequence[str]) -> list[Channel]:
    """Return the channels of these addresses."""
    return [Channel(url, number) for number, url in enumerate(urls, 1)]


def without_secrets(text: str, url: str) -> str:
    """Return a text on one short line, with every part of an address but its service and its port left out."""
    line = " ".join(text.split())
    parts = {part for each in (url, unquote(url)) for part in re.split(r"[^\w.+~%-]+", each.partition("://")[2])}
    parts |= {piece for part in parts for piece in (part.partition("=")[2],)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET and not part.isdigit():
            line = re.sub(re.escape(part), "…", line, flags=re.IGNORECASE)
    return line[:_LONGEST]
