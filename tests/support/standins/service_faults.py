"""Faults of the service's stand-in, by name, and the row that must result from speedtest-cli's output."""

from collections.abc import Mapping
from dataclasses import dataclass

HANG = 0
DROP = -1


@dataclass(frozen=True)
class Fault:
    """Which endpoint is at fault, what it answers, and what the row of this attempt must hold.

    `status` is the HTTP status, `HANG` (it never answers) or `DROP` (it hangs up without an answer).
    `error` is text that the row's error must contain. `endless`: give it a short time limit.
    """

    endpoint: str
    status: int
    body: bytes
    row_status: str
    error_kind: str | None = None
    error: str = ""
    exit_code: int | None = None
    endless: bool = False


def stops(error: str, endpoint: str, status: int = 200, body: bytes = b"", kind: str = "exit") -> Fault:
    """Make speedtest-cli exit with 1 and print the reason on stderr."""
    return Fault(endpoint, status, body, "failed", kind, error, 1)


def lies(error: str, endpoint: str, status: int) -> Fault:
    """Make speedtest-cli exit with 0 and print an impossible figure."""
    return Fault(endpoint, status, b"", "failed", "rejected", error, 0)


NONE = Fault("none", 200, b"", "ok", exit_code=0)
PORTAL = b"<!DOCTYPE html><html><head><meta charset=utf-8><title>Sign in</title></head><body>Welcome</body></html>"

FAULTS: Mapping[str, Fault] = {
    "no network": stops("Connection refused", "network", kind="refused"),
    "certificate of a stranger": stops("CERTIFICATE_VERIFY_FAILED", "certificate"),
    "configuration 403": stops("HTTP Error 403", "config", 403),
    "configuration 429": stops("HTTP Error 429", "config", 429, kind="rate-limited"),
    "configuration 503": stops("HTTP Error 503", "config", 503),
    "configuration empty": stops("no element found", "config"),
    "configuration of a captive portal": stops("Malformed speedtest.net configuration", "config", 200, PORTAL),
    "configuration cut off": stops("Malformed speedtest.net configuration", "config", 200, b"<settings><client ip="),
    "configuration dropped": stops("Remote end closed connection", "config", DROP),
    "server list empty": stops("Unable to connect to servers", "servers", 200, b"<settings><servers/></settings>"),
    "server list 403": stops("Unable to connect to servers", "servers", 403),
    "server down": lies("ping", "server", DROP),
    "latency 404": lies("ping", "latency", 404),
    "latency dropped": lies("ping", "latency", DROP),
    "downloads 404": lies("download", "download", 404),
    "downloads dropped": lies("download", "download", DROP),
    # Refused uploads still give an upload figure and exit code 0, so nothing in the result shows the fault.
    "uploads 500": Fault("upload", 500, b"", "ok", exit_code=0),
    "configuration hangs": Fault("config", HANG, b"", "failed", "timeout", endless=True),
    "downloads hang": Fault("download", HANG, b"", "failed", "timeout", endless=True),
}
