"""Read the addresses of receivers of numbers: MQTT brokers, stores that speak InfluxDB's line protocol, webhooks.

They are only checked here, by patterns: the daemon reads them, and urllib.parse would cost it a MiB. `publishing` takes
them apart.
"""

import re

ALLOWED_BROKER = (
    "mqtt://HOST or mqtts://HOST (with TLS), perhaps as mqtts://USER:PASSWORD@HOST:PORT/DISCOVERY-PREFIX, with %40 for"
    " an @ in the password"
)
ALLOWED_STORE = "http://HOST:PORT or https://HOST:PORT, perhaps with USER:PASSWORD@ and a path, but without a query"
ALLOWED_HOOK = "an http:// or https:// address, perhaps with USER:PASSWORD@"
LARGEST_PORT = 65535
LONGEST_NAME = 200

_AT = (
    r"://(?:[^\s/?#@]+@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?)"
    r"(?::(?P<port>\d{1,5}))?"
)
"""What follows a scheme: user and password, host, port."""
_BROKER = rf"mqtts?{_AT}(?:/[A-Za-z0-9_./-]*)?"
_STORE = rf"https?{_AT}(?:/[A-Za-z0-9_.~%/:-]*)?"
_HOOK = rf"https?{_AT}(?:[/?][!\"$-~]*)?"
"""Patterns that are compiled only if the variable is set: each costs the daemon 50 KiB."""


def broker(text: str) -> str:
    """Read the address of an MQTT broker."""
    return _address(_BROKER, text)


def store(text: str) -> str:
    """Read the address of a store that takes InfluxDB's line protocol."""
    return _address(_STORE, text)


def hook(text: str) -> str:
    """Read the address that a webhook posts to."""
    return _address(_HOOK, text)


def name(text: str) -> str:
    """Read the name of a database, a bucket or an organisation."""
    if not text.isprintable() or not text.strip() or len(text) > LONGEST_NAME:
        raise ValueError(text)
    return text


def _address(pattern: str, text: str) -> str:
    found = re.fullmatch(pattern, text)
    if not found or not 0 < int(found["port"] or 1) <= LARGEST_PORT:
        raise ValueError(text)
    return text
