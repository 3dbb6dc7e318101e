"""Why a store refused something, what that means for the delivery, and what a person can do about it.

obstore tells few cases apart by class; the store's code and the HTTP status stand in the text of its error. The codes
of S3 are in https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, those of Azure in
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes. Google's XML API has those of S3.
"""

import errno
import re

import msgspec

from speedtest.data.delivery_note import Obstacle

_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_METADATA_SERVICES = ("169.254.169.254", "169.254.170.2", "metadata.google.internal", "latest/api/token")
_LONGEST = 200


class Refusal(msgspec.Struct, frozen=True):
    """What a code means: whether it may pass, what happened, and what to do."""

    trouble: Obstacle
    what: str
    advice: str


class StoreRefused(Exception):
    """A store did not do what it was asked, or it is not known whether it did."""

    def __init__(self, refusal: Refusal, code: str) -> None:
        """Take what it means, and the store's code, HTTP status or kind of failure."""
        self.trouble: Obstacle = refusal.trouble
        self.code = code
        super().__init__(f"{refusal.what} ({code}): {refusal.advice}")


_KEYS = "check DELIVER_ACCESS_KEY and DELIVER_SECRET_KEY, or the credentials that the store's usual variables name"
_NO_ACCESS = Refusal(
    "settings",
    "the store refused access",
    "these credentials need the right to put and to get objects below DELIVER_TO, in .probe/ too",
)
_WRONG_KEY = Refusal("settings", "the store does not know these credentials", _KEYS)
_WRONG_SECRET = Refusal("settings", "the secret does not fit the access key", _KEYS)
_EXPIRED = Refusal("settings", "the credentials have expired", "renew them; permanent keys or a role need no renewal")
_CLOCK = Refusal("temporary", "this machine's clock is off", "set the clock; the next try comes by itself")
_NO_BUCKET = Refusal("settings", "the bucket does not exist", "create it, or correct DELIVER_TO")
_WRONG_REGION = Refusal("settings", "the bucket is in another region", "set DELIVER_REGION to the bucket's region")
_NO_CONDITION = Refusal(
    "settings",
    "the store cannot put an object only where there is none",
    "deliver to a store with conditional puts (If-None-Match): AWS, MinIO, SeaweedFS, Ceph and R2 have them",
)
_FULL = Refusal("temporary", "the store is full", "free space there, or raise its quota")
_BUSY = Refusal("temporary", "the store is overloaded or has a fault", "nothing to do: the next try comes by itself")
_DAMAGED = Refusal(
    "damaged", "the bytes were damaged on the way", "if this stays, check this machine's memory and the network"
)
_NO_WAY = Refusal("temporary", "the store cannot be reached", "check DELIVER_ENDPOINT and the network")
_NO_NAME = Refusal("temporary", "the store's host name is not known", "check DELIVER_ENDPOINT and the name server")
_NO_TRUST = Refusal("settings", "the store's certificate is not trusted", "check DELIVER_ENDPOINT and the certificate")
_TOO_SLOW = Refusal("temporary", "the store did not answer in time", "nothing to do: the next try comes by itself")
_CUT = Refusal("temporary", "the connection was cut", "nothing to do: the next try comes by itself")
_NO_CREDENTIALS = Refusal("settings", "no credentials were found", f"{_KEYS} (docs/delivery.md lists them)")
_GONE = Refusal(
    "damaged", "an object that was there is gone", "see who deletes there; the file is kept here and delivered again"
)
_UNKNOWN = Refusal("settings", "the store refused the request", "check DELIVER_TO, DELIVER_ENDPOINT and DELIVER_REGION")

BY_CODE: dict[str, Refusal] = {
    "InvalidAccessKeyId": _WRONG_KEY,
    "SignatureDoesNotMatch": _WRONG_SECRET,
    "AuthenticationFailed": _WRONG_SECRET,
    "AccessDenied": _NO_ACCESS,
    "AllAccessDisabled": _NO_ACCESS,
    "AccountProblem": _NO_ACCESS,
    "AuthorizationFailure": _NO_ACCESS,
    "AuthorizationPermissionMismatch": _NO_ACCESS,
    "ExpiredToken": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "ContainerNotFound": _NO_BUCKET,
    "PermanentRedirect": _WRONG_REGION,
    "TemporaryRedirect": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "NotImplemented": _NO_CONDITION,
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "AccountIsDisabled": _NO_ACCESS,
    "SlowDown": _BUSY,
    "TooManyRequests": _BUSY,
    "ServerBusy": _BUSY,
    "InternalError": _BUSY,
    "ServiceUnavailable": _BUSY,
    "OperationAborted": _BUSY,
    "ConditionalRequestConflict": _BUSY,
    "RequestTimeout": _TOO_SLOW,
    "IncompleteBody": _CUT,
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "Md5Mismatch": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    "NoSuchKey": _GONE,
    "BlobNotFound": _GONE,
}
"""What each code of a store means."""

_BY_STATUS = {
    301: _WRONG_REGION,
    307: _WRONG_REGION,
    401: _WRONG_KEY,
    403: _NO_ACCESS,
    404: _NO_BUCKET,
    408: _TOO_SLOW,
    409: _BUSY,
    429: _BUSY,
    501: _NO_CONDITION,
    507: _FULL,
}
_BY_WORDS: dict[str, tuple[str, Refusal]] = {
    "certificate": ("tls", _NO_TRUST),
    "dns error": ("dns", _NO_NAME),
    "failed to lookup": ("dns", _NO_NAME),
    "timed out": ("timeout", _TOO_SLOW),
    "TimedOut": ("timeout", _TOO_SLOW),
    "kind: Timeout": ("timeout", _TOO_SLOW),
    "redirect": ("redirect", _WRONG_REGION),
    "kind: Connect": ("connect", _NO_WAY),
}
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: Refusal("settings", "the folder cannot be written", "change its owner or mode"),
    errno.EPERM: Refusal("settings", "the folder cannot be written", "change its owner or mode"),
    errno.EROFS: Refusal("settings", "the folder is mounted read-only", "mount it so that it can be written"),
    errno.ENOENT: Refusal(
        "settings", "the folder does not exist", "mount the share or create the folder; it is never created here"
    ),
    errno.ENOTDIR: Refusal("settings", "DELIVER_TO is not a folder", "correct DELIVER_TO"),
}


def code_of(error: Exception) -> str | None:
    """Return the store's code in an error of obstore; None if it has none."""
    found = _CODE.search(str(error))
    return found[1] if found else None


def of_store(error: Exception) -> StoreRefused:
    """Return what an error of obstore means."""
    text = str(error)
    code, status = code_of(error), _STATUS.search(text)
    if code in BY_CODE:
        return StoreRefused(BY_CODE[code], code)
    if any(name in text for name in _METADATA_SERVICES):
        return StoreRefused(_NO_CREDENTIALS, "no credentials")
    if status:
        number = int(status[1])
        known = _BY_STATUS.get(number) or (_BUSY if number >= 500 else _UNKNOWN)  # noqa: PLR2004 (a fault of the server)
        return StoreRefused(known, code or f"HTTP {number}")
    for words, (name, refusal) in _BY_WORDS.items():
        if words in text:
            return StoreRefused(refusal, name)
    if "HTTP error" in text or "error decoding" in text:
        return StoreRefused(_CUT, "connection")
    return StoreRefused(_UNKNOWN, text.partition("\n")[0][:_LONGEST])


def of_folder(error: OSError) -> StoreRefused:
    """Return what an error of a folder means."""
    other = Refusal("temporary", "the folder cannot be used", "check the disk, the share and the network")
    return StoreRefused(_BY_ERRNO.get(error.errno or 0, other), error.strerror or str(error))


def no_credentials(why: str) -> StoreRefused:
    """Return that credentials cannot be had."""
    return StoreRefused(_NO_CREDENTIALS, why)


def damaged(what: str, advice: str) -> StoreRefused:
    """Return that an object is not what it should be."""
    return StoreRefused(Refusal("damaged", what, advice), "content")


def ignores_conditions() -> StoreRefused:
    """Return that a store overwrites objects although it was told not to."""
    return StoreRefused(_NO_CONDITION, "it overwrote its probe")
