"""Read addresses of services."""

_LONGEST = 1000


def service(text: str) -> str:
    """Read the URL of a service: http or https, with a host, without a user, a password or a fragment."""
    from urllib.parse import urlsplit  # noqa: PLC0415 (a daemon without such a variable does not load it)

    parts = urlsplit(text)
    parts.port  # noqa: B018 (raises ValueError if the port is none)
    plain = parts.scheme in ("http", "https") and parts.hostname and not parts.username and not parts.fragment
    if not plain or len(text) > _LONGEST or not text.isprintable() or " " in text:
        raise ValueError(text)
    return text
