"""What the measuring programs print: one JSON object, with units in the names of its fields."""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from speedtest.http_test.latency import RoundTrips
from speedtest.http_test.phase import Measured
from speedtest.http_test.trouble import Trouble

type Fields = dict[str, Any]
"""What is printed, nested."""


def of(measured: Measured) -> Fields:
    """Return what one direction gave."""
    fields: Fields = {
        "mbps": round(measured.mbps, 4),
        "seconds": round(measured.seconds, 2),
        "moved_bytes": measured.moved,
        "counted": measured.counted,
        "steady": measured.steady,
        "deviation_percent": round(measured.deviation_percent, 2),
        "confidence": measured.confidence,
    }
    return fields | ({"loaded": of_trips(measured.loaded)} if measured.loaded else {})


def of_trips(trips: RoundTrips) -> Fields:
    """Return the figures of round trips."""
    names = {"median_ms": trips.median, "p95_ms": trips.p95, "jitter_ms": trips.jitter}
    fields: Fields = {name: None if ms is None else round(ms, 3) for name, ms in names.items()}
    return fields | {"count": trips.count}


def of_error(error: Exception) -> Fields:
    """Return why a test failed: `error` in words, `kind`, and perhaps `retry_after_seconds`."""
    if isinstance(error, Trouble):
        fields: Fields = {"error": error.words, "kind": error.kind}
        if error.retry_after is not None:
            fields["retry_after_seconds"] = round(error.retry_after)
        return fields
    if isinstance(error, TimeoutError):
        return {"error": "the server did not answer in time", "kind": "timeout"}
    return {"error": f"the connection was cut: {error}", "kind": "exit"}


def cost(seconds: float) -> Fields:
    """Return what the test cost this machine: a busy machine measures itself and not the line."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    used_up: Fields = {"cores": round((used.ru_utime + used.ru_stime) / seconds, 3)}
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return used_up
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return used_up | ({"peak_mib": round(int(peak) / 1024, 1)} if peak else {})


def show(fields: Fields) -> None:
    """Print an object as one line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
