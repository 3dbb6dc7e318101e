"""The parts of a receiver's address: what is asked, with which user and password, and what people may see of it."""

from typing import Self
from urllib.parse import unquote, urlsplit

import msgspec

from speedtest.data.files import digest

_TLS = {"https": True, "mqtts": True, "http": False, "mqtt": False}
_PORTS = {"https": 443, "mqtts": 8883, "http": 80, "mqtt": 1883}


class Address(msgspec.Struct, frozen=True):
    """An address that `values.receivers` has checked."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query, if there is one."""
    user: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> Self:
        """Take an address apart."""
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            path=parts.path + query,
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return _TLS[self.scheme]

    @property
    def place(self) -> str:
        """What people may see: a path, as of many webhooks, is a secret too."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without user and password."""
        return self.place + self.path


def key(name: str, *parts: str | None) -> str:
    """Return what the notes of a receiver are named after: its name and a digest of what makes it another one."""
    return f"{name}-{digest(msgspec.json.encode(parts))}"
