"""Read the address of a store for delivered files: an object store's bucket, or a folder."""

import re

SCHEMES = ("s3", "gs", "az", "file")
ALLOWED = (
    "the URL of a store: s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, az://CONTAINER/FOLDER or file:///FOLDER, without "
    "credentials, `?` and `#`"
)
ALLOWED_ENDPOINT = "the URL of a server, such as https://s3.example.net:9000, without a path or credentials"
ALLOWED_REGION = "the name of a region, such as eu-central-1"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()=+@:/ -]*")
_REGION = re.compile(r"[A-Za-z0-9-]{1,40}")


def store(text: str) -> str:
    """Return the URL of a store without a slash at its end. Raises ValueError if it is none."""
    scheme, bucket, folder = split(text)
    if scheme == "file":
        allowed = not bucket and folder.startswith("/") and ".." not in folder.split("/")
    else:
        parts = folder.strip("/").split("/") if folder.strip("/") else []
        allowed = bool(_BUCKET.fullmatch(bucket) and _PREFIX.fullmatch(folder)) and not {"", ".", ".."} & set(parts)
    if scheme not in SCHEMES or not allowed or not text.isprintable() or "?" in text or "#" in text:
        raise ValueError(text)
    return text.rstrip("/")


def split(url: str) -> tuple[str, str, str]:
    """Return a store's scheme, its bucket (empty for a folder of this machine) and the folder in it."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 (half a MiB that a daemon without a store is spared)

    found = urlsplit(url)
    folder = unquote(found.path) if found.scheme.lower() == "file" else found.path.strip("/")
    return found.scheme.lower(), found.netloc, folder.rstrip("/")


def endpoint(text: str) -> str:
    """Return the URL of a server without a slash at its end. Raises ValueError if it is none."""
    from urllib.parse import urlsplit  # noqa: PLC0415 (see above)

    found = urlsplit(text)
    wrong = found.scheme not in {"http", "https"} or not found.hostname or found.username or found.password
    if wrong or found.path.strip("/") or found.query or found.fragment or not text.isprintable():
        raise ValueError(text)
    _ = found.port  # raises ValueError if it is no number
    return text.rstrip("/")


def region(text: str) -> str:
    """Return the name of a region. Raises ValueError if it is none."""
    if not _REGION.fullmatch(text):
        raise ValueError(text)
    return text
