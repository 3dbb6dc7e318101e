"""Read the addresses that alerts are sent to. They hold passwords and tokens, so no message shows them."""

import re

ALLOWED = (
    "addresses of channels as Apprise writes them, separated by spaces, such as mailto://user:password@example.net"
)
ALLOWED_PING = "an address that begins with https:// or http://, without user and password"
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_PING = re.compile(r"https?://[^\s?#/@]+(/[^\s?#]*)?(\?[^\s#]*)?")


def urls(text: str) -> tuple[str, ...]:
    """Read one or more addresses, each once. Raises ValueError for other text."""
    found = _BETWEEN.split(text.strip())
    if not all(_URL.fullmatch(url) for url in found):
        raise ValueError(text)
    return tuple(dict.fromkeys(found))


def ping_url(text: str) -> str:
    """Read an HTTP address. Raises ValueError for other text."""
    if not _PING.fullmatch(text):
        raise ValueError(text)
    return text.rstrip("/")
