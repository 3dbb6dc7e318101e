"""Time stamps (RFC 3161): an authority signs that a list of files existed at a moment.

`request` asks an authority, `verify` checks a stamp against the bytes that were stamped. A stamp is the whole answer of
the authority, DER, as `openssl ts -reply` reads it. The digest is SHA-256. A stamp proves that the list existed before
its time; eIDAS Art. 41 presumes that of a qualified stamp. It proves nothing of how the rows came about.
"""

import http.client
import ssl
import urllib.error
import urllib.request
import warnings
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from speedtest.evidence.der import with_sorted_certificates

SECONDS = 30.0
"""How long an authority may take to answer."""
_LARGEST = 1024 * 1024
_GRANTED = 0


class NotStamped(Exception):
    """There is no stamp, or it does not hold: what was tried, why it failed, what to do."""


class Stamp(msgspec.Struct, frozen=True):
    """What a valid stamp says."""

    at: datetime
    authority: str
    """The subject of the certificate that signed it."""


def request(url: str, data: bytes, ca_file: Path | None = None) -> bytes:
    """Return a stamp of these bytes. Raises NotStamped.

    The answer must be for these bytes and this request; its certificate is checked by `verify`. `ca_file` has the
    authorities to trust for https, in place of the system's.
    """
    asked = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    answer = _post(url, asked.as_bytes(), ca_file)
    found = _decoded(answer, f"the answer of {url}")
    if found.status != _GRANTED:
        said = "; ".join(found.status_string) or f"status {found.status}"
        raise NotStamped(f"{url} refused to stamp: {said}")
    if found.tst_info.nonce != asked.nonce or found.tst_info.message_imprint.message != asked.message_imprint.message:
        raise NotStamped(f"{url} stamped something else than it was asked to: do not trust it")
    return answer


def verify(stamp: bytes, data: bytes, roots: list[x509.Certificate]) -> Stamp:
    """Return what a stamp says of these bytes, if one of the roots vouches for it. Raises NotStamped."""
    found = _decoded(stamp, "the stamp")
    builder = VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(found, data)
    except (VerificationError, ValueError) as error:
        advice = "name the authority's root certificate by --stamp-ca if it is not one of this system's"
        raise NotStamped(f"the stamp does not hold: {error}; {advice}") from error
    return Stamp(found.tst_info.gen_time, _authority(found))


def said(stamp: bytes) -> tuple[datetime, str]:
    """Return the time and the authority that a stamp names, without a check. Raises NotStamped."""
    found = _decoded(stamp, "the stamp")
    return found.tst_info.gen_time, _authority(found)


def roots_of(path: Path | None) -> list[x509.Certificate]:
    """Return the root certificates of a file in PEM, or those of this system. Raises NotStamped."""
    try:
        if path:
            return x509.load_pem_x509_certificates(path.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old root of the system has the serial number 0
            found = ssl.create_default_context().get_ca_certs(binary_form=True)
            return [x509.load_der_x509_certificate(each) for each in found]
    except (OSError, ValueError) as error:
        raise NotStamped(f"{path or 'this system'} has no certificates that can be read: {error}") from error


def _post(url: str, body: bytes, ca_file: Path | None) -> bytes:
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    query = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 (`values.urls` allows http, https)
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    try:
        with urllib.request.urlopen(query, timeout=SECONDS, context=context) as answer:  # noqa: S310 (the same)
            return answer.read(_LARGEST)
    except urllib.error.HTTPError as error:
        with error:
            raise NotStamped(f"{url} answered {error.code} {error.reason}: check STAMP_URL") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotStamped(f"{url} could not be asked for a stamp: {error}") from error


def _decoded(stamp: bytes, what: str) -> TimeStampResponse:
    try:
        return decode_timestamp_response(with_sorted_certificates(stamp))
    except ValueError as error:
        raise NotStamped(f"{what} is no time stamp of RFC 3161: {error}") from error


def _authority(found: TimeStampResponse) -> str:
    """Return the subject of the certificate that signed it, as far as the stamp carries it."""
    signers = {signer.serial_number for signer in found.signed_data.signer_infos}
    certificates = [x509.load_der_x509_certificate(each) for each in found.signed_data.certificates]
    names = [each.subject.rfc4514_string() for each in certificates if each.serial_number in signers]
    return names[0] if names else "an authority that the stamp does not name"
