"""Each code of a store has its meaning: it may pass by itself, a person must change a setting, or bytes are wrong."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store import Answer, Forward, Proxy, Request, proxy_before, refused

from speedtest import environment
from speedtest.delivery import stores
from speedtest.delivery.refusals import BY_CODE, StoreRefused
from speedtest.delivery.stores import Store
from speedtest.engines import ENGINES
from speedtest.variables import DELIVERY

TEMPORARY = (
    *(
        "RequestTimeTooSkewed",
        "RequestExpired",
        "QuotaExceeded",
        "InsufficientStorage",
        "XMinioStorageFull",
        "SlowDown",
    ),
    *("XMinioAdminBucketQuotaExceeded", "TooManyRequests", "ServerBusy", "InternalError", "ServiceUnavailable"),
    *("OperationAborted", "ConditionalRequestConflict", "RequestTimeout", "IncompleteBody"),
)
DAMAGED = (
    *("BadDigest", "InvalidDigest", "Md5Mismatch", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"),
    *("NoSuchKey", "BlobNotFound"),
)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with proxy_before(1) as proxy:  # nothing is behind it
        yield proxy


def store_at(endpoint: str, **more: str) -> Store:
    given = {
        "DELIVER_TO": "s3://lake/uploads",
        "DELIVER_ENDPOINT": endpoint,
        "DELIVER_ACCESS_KEY": "KEY",
        "DELIVER_SECRET_KEY": "very-secret",
    }
    return stores.open_store(environment.read(given | more, ENGINES, DELIVERY), given | more)


@pytest.fixture(scope="module")
def store(proxy: Proxy) -> Store:
    """One store for most tests: to open one costs a tenth of a second."""
    return store_at(proxy.endpoint)


def refusal(store: Store) -> StoreRefused:
    with pytest.raises(StoreRefused) as caught:
        store.put_new("location=a/year=2026/f", b"bytes", "0")
    assert "very-secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("code", BY_CODE)
@pytest.mark.parametrize("status", [403, 409])
def test_a_code_has_its_meaning_whatever_the_status_is(proxy: Proxy, store: Store, code: str, status: int) -> None:
    proxy.reset(lambda *_: refused(status, code))
    found = refusal(store)
    kind = "temporary" if code in TEMPORARY else "damaged" if code in DAMAGED else "settings"
    assert (found.trouble, found.code) == (kind, code)
    assert BY_CODE[code].advice in str(found)


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        *((301, "settings"), (307, "settings"), (400, "settings"), (401, "settings"), (403, "settings")),
        *((404, "settings"), (408, "temporary"), (429, "temporary"), (500, "temporary")),
        *((501, "settings"), (502, "temporary"), (503, "temporary"), (507, "temporary"), (599, "temporary")),
    ],
)
def test_a_status_without_a_known_code_has_its_meaning(proxy: Proxy, store: Store, status: int, trouble: str) -> None:
    proxy.reset(lambda *_: Answer(status, b"<html>no code</html>"))
    assert refusal(store).trouble == trouble


def test_a_connection_that_is_cut_may_heal(proxy: Proxy, store: Store) -> None:
    proxy.reset(lambda *_: Answer(200, gone=True))
    assert refusal(store).trouble == "temporary"


def test_a_server_that_does_not_answer_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = refusal(store_at(f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert (found.trouble, found.code) == ("temporary", "timeout")


def test_a_port_where_nothing_listens_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = refusal(store_at(f"http://127.0.0.1:{port}"))
    assert (found.trouble, found.code) == ("temporary", "connect")


def test_an_answer_that_is_cut_short_is_no_object(proxy: Proxy, store: Store) -> None:
    proxy.reset(
        lambda *_: Answer(
            200, b"0123456789", {"ETag": '"0"', "Last-Modified": "Sun, 01 Mar 2026 00:00:00 GMT"}, cut=True
        )
    )
    with pytest.raises(StoreRefused) as caught:
        store.get("a")
    assert caught.value.trouble == "temporary"


def test_the_digest_goes_along_as_attribute_and_as_checksum_and_nothing_is_overwritten(
    proxy: Proxy, store: Store
) -> None:
    def take(_: Request, __: Forward) -> Answer:
        return Answer(200, b"", {"ETag": '"0"'})

    proxy.reset(take)
    assert store.put_new("location=a/f", b"bytes", "abcdef")
    (request,) = proxy.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert (request.method, request.key, request.body) == ("PUT", "uploads/location=a/f", b"bytes")
    assert headers["if-none-match"] == "*"
    assert headers["x-amz-meta-sha256"] == "abcdef"
    assert headers["x-amz-checksum-sha256"]


@pytest.mark.parametrize("profile", ["", "home"])
def test_the_keys_of_a_profile_of_the_aws_tools_are_used(proxy: Proxy, tmp_path: Path, profile: str) -> None:
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=a\n[home]\naws_access_key_id=HOME\naws_secret_access_key=b\n"
    )
    (folder / "config").write_text("[default]\nregion=eu-west-1\n[profile home]\nregion=eu-north-1\n")
    proxy.reset(lambda *_: Answer(200, b"", {"ETag": '"0"'}))
    given = {
        "DELIVER_TO": "s3://lake",
        "DELIVER_ENDPOINT": proxy.endpoint,
        "HOME": str(tmp_path),
        "AWS_PROFILE": profile,
    }
    stores.open_store(environment.read(given, ENGINES, DELIVERY), given).put_new("a", b"", "0")
    signed = proxy.requests[0].headers["authorization"]
    assert f"Credential={'HOME' if profile else 'DEFAULT'}/" in signed
    assert ("eu-north-1" if profile else "eu-west-1") in signed


def test_a_folder_that_is_not_there_is_never_created(tmp_path: Path) -> None:
    store = store_at("http://127.0.0.1:1", DELIVER_TO=f"file://{tmp_path}/share")
    assert refusal(store).trouble == "settings"
    assert not (tmp_path / "share").exists()
