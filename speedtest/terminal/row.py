"""Show one row to a person: what was measured, or why nothing was."""

from pathlib import Path

from rich.text import Text

from speedtest.measurement import Measurement
from speedtest.terminal.console import console, line
from speedtest.values import amounts

BUSY_PERCENT = 85
"""Load of the processors above which official measuring programs refuse a test (Nemesys)."""


def show(measurement: Measurement, path: Path | None) -> None:
    """Print the row and the path of its file."""
    unsaved = "not saved: the row is on standard error"
    for text in (*lines(measurement), line("file", path or unsaved, "" if path else "red")):
        console().print(text)


def lines(measurement: Measurement) -> list[Text]:
    """Return a line for each value that was measured."""
    program = f"{measurement.engine} {measurement.engine_version or ''}".rstrip()
    when = line("when", f"{measurement.timestamp:%Y-%m-%d %H:%M:%S} UTC, {measurement.speedtest_address}, {program}")
    if measurement.status != "ok":
        return [when, line(measurement.status, f"{measurement.error_kind}: {measurement.error}", "red")]
    found = {
        "download": _amount(measurement.download_mbps, "Mbit/s"),
        "upload": _amount(measurement.upload_mbps, "Mbit/s"),
        "latency": _amount(measurement.latency_ms, "ms"),
        "jitter": _amount(measurement.jitter_ms, "ms"),
        "packet loss": _amount(measurement.packet_loss_percent, "%"),
        "bufferbloat": _bufferbloat(measurement),
        "server": _server(measurement.raw),
        "link": _link(measurement),
        "result": measurement.raw.get("result_url") or measurement.raw.get("share"),
    }
    fast = {"download", "upload"}
    return [when, *(line(name, text, "green" if name in fast else "") for name, text in found.items() if text)]


def _amount(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{amounts.amount(value)} {unit}"


def _bufferbloat(measurement: Measurement) -> str | None:
    """Return latency under load minus idle latency, for each direction."""
    idle = measurement.latency_ms
    loaded = {"down": measurement.download_latency_ms, "up": measurement.upload_latency_ms}
    if idle is None:
        return None
    return ", ".join(f"{value - idle:+.1f} ms {way}" for way, value in loaded.items() if value is not None) or None


def _link(measurement: Measurement) -> str | None:
    """Return over which interface the test went, and what may have slowed it down."""
    rate = f"{measurement.link_mbps:g} Mbit/s" if measurement.link_mbps else None
    busy = measurement.cpu_percent is not None and measurement.cpu_percent > BUSY_PERCENT
    said = (measurement.interface, measurement.link, rate, "this machine was busy during the test" if busy else None)
    return ", ".join(text for text in said if text) or None


def _server(raw: dict[str, str | None]) -> str | None:
    """Return what the program says about the server, None if it says nothing."""
    names = (raw.get("server_name"), raw.get("server_sponsor"), raw.get("server_location"), raw.get("server_country"))
    named = ", ".join(name for name in names if name)
    number = raw.get("server_id")
    return f"{named} ({number})" if named and number else named or number
