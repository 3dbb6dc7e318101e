"""A store: put an object where there is none, and get it back. Object stores by obstore; folders by `data.files`.

An object is never overwritten and never deleted. Each object of ours has the attribute `sha256`, where a store keeps
attributes; S3 also gets that digest as the checksum of the request and refuses other bytes. Nothing is retried here: a
request that fails is an answer, and the next delivery tries again.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from speedtest.data import files
from speedtest.delivery import profiles, refusals
from speedtest.environment import Settings
from speedtest.values import stores as urls

DIGEST = "sha256"
"""The attribute of an object that holds the SHA-256 of its bytes, in hexadecimal."""
TIMEOUT_SECONDS = 60
CONNECT_SECONDS = 10
_PARQUET = "application/vnd.apache.parquet"
_ELSEWHERE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Where obstore itself finds credentials before it asks the instance."""


class Stored(msgspec.Struct, frozen=True):
    """An object, read whole."""

    data: bytes
    digest: str | None
    """Its attribute `sha256`; None if it has none, or if the store keeps no attributes."""


class Store(Protocol):
    """A place for objects. Every method raises `refusals.StoreRefused`."""

    def put_new(self, key: str, data: bytes, digest: str) -> bool:
        """Store an object if there is none of that key; return False if there is one, which stays as it is."""
        ...

    def get(self, key: str) -> Stored:
        """Return an object."""
        ...


def open_store(settings: Settings, environment: Mapping[str, str] = os.environ) -> Store:
    """Return the store of DELIVER_TO, which must be set. Sends nothing yet. Raises `refusals.StoreRefused`."""
    scheme, bucket, folder = urls.split(settings.deliver_to or "")
    if scheme == "file":
        return FolderStore(Path(folder))
    options: dict[str, Any] = {
        "prefix": folder or None,
        "client_options": _client(settings.deliver_endpoint or environment.get("AWS_ENDPOINT_URL", "")),
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=TIMEOUT_SECONDS)},
    }
    try:
        if scheme == "gs":
            return ObjectStore(GCSStore(bucket, **options))
        config = _azure(settings) if scheme == "az" else _s3(settings, environment)
        kind = AzureStore if scheme == "az" else S3Store
        return ObjectStore(kind(bucket, **options, **{name: value for name, value in config.items() if value}))
    except BaseError as error:
        raise refusals.of_store(error) from error


def _client(endpoint: str) -> dict[str, Any]:
    return {
        "timeout": timedelta(seconds=TIMEOUT_SECONDS),
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "allow_http": endpoint.startswith("http:"),
    }


def _s3(settings: Settings, environment: Mapping[str, str]) -> dict[str, str | None]:
    own = {
        "access_key_id": settings.deliver_access_key,
        "secret_access_key": settings.deliver_secret_key,
        "region": settings.deliver_region,
    }
    found = {} if any(environment.get(name) for name in _ELSEWHERE) else profiles.of(environment)
    found |= {name: value for name, value in own.items() if value}
    return {"checksum_algorithm": "SHA256", "endpoint": settings.deliver_endpoint, **found}


def _azure(settings: Settings) -> dict[str, str | None]:
    return {
        "account_name": settings.deliver_access_key,
        "account_key": settings.deliver_secret_key,
        "endpoint": settings.deliver_endpoint,
    }


class ObjectStore:
    """An object store, by obstore."""

    def __init__(self, store: S3Store | GCSStore | AzureStore) -> None:
        """Take obstore's store."""
        self._store = store

    def put_new(self, key: str, data: bytes, digest: str) -> bool:
        """Store an object if there is none of that key; return False if there is one."""
        try:
            obstore.put(self._store, key, data, mode="create", attributes={DIGEST: digest, "Content-Type": _PARQUET})
        except AlreadyExistsError as error:
            if refusals.code_of(error) in refusals.BY_CODE:  # obstore counts every 409 as that
                raise refusals.of_store(error) from error
            return False
        except (BaseError, OSError) as error:
            raise refusals.of_store(error) from error
        return True

    def get(self, key: str) -> Stored:
        """Return an object."""
        try:
            found = obstore.get(self._store, key)
            return Stored(bytes(found.bytes()), found.attributes.get(DIGEST))
        except (BaseError, OSError) as error:
            raise refusals.of_store(error) from error


class FolderStore:
    """A folder, perhaps of a network share. It must exist: an empty mount point is no share."""

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._folder = folder

    def put_new(self, key: str, data: bytes, digest: str) -> bool:  # noqa: ARG002 (a folder keeps no attributes)
        """Publish a file if there is none of that name, durably; return False if there is one."""
        try:
            self._folder.stat()
            path = self._folder / key
            if path.exists():
                return False
            files.publish(path, data, base=self._folder)
        except FileExistsError:
            return False
        except OSError as error:
            raise refusals.of_folder(error) from error
        return True

    def get(self, key: str) -> Stored:
        """Return a file's bytes."""
        try:
            return Stored((self._folder / key).read_bytes(), None)
        except OSError as error:
            raise refusals.of_folder(error) from error
