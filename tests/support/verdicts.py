"""Lines for verdicts: rows at chosen local times, written as the daemon writes them, and the verdict of the command.

The command runs in this process, by its arguments, because fifty starts of Python would take minutes.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from typer.testing import CliRunner, Result

from speedtest.data import partitions, results
from speedtest.handlers import cli
from speedtest.measurement import Measurement

BERLIN = "Europe/Berlin"
LINE = "line"
EXIT = {"pass": 0, "fail": 3, "insufficient": 4, "not_assessed": 5}


def good(when: datetime, **more: Any) -> Measurement:  # noqa: ANN401 (fields of a row)
    """Return a successful test by cable that starts at a local time and takes 30 s."""
    zone = more.get("timezone", BERLIN)
    start = when.replace(tzinfo=ZoneInfo(zone or "UTC")).astimezone(UTC) if when.tzinfo is None else when
    seconds = more.pop("duration_seconds", 30.0)
    values: dict[str, Any] = {
        "timestamp": start + timedelta(seconds=seconds),
        "started_at": start,
        "status": "ok",
        "engine": "ookla",
        "engine_version": "1.2.0.84",
        "download_mbps": 90.0,
        "upload_mbps": 40.0,
        "latency_ms": 12.0,
        "data_bytes": 100_000_000,
        "duration_seconds": seconds,
        "interval_seconds": 900.0,
        "speedtest_address": LINE,
        "timezone": zone,
        "slot": start,
        "attempt": 1,
        "link": "ethernet",
        "link_mbps": 1000.0,
        "raw": {"server_id": "1001", "server_name": "Example", "isp": "Example Net"},
    }
    return Measurement(**(values | more))


def bad(when: datetime, **more: Any) -> Measurement:  # noqa: ANN401 (fields of a row)
    """Return a failed test."""
    speeds: dict[str, Any] = dict.fromkeys(("download_mbps", "upload_mbps", "latency_ms", "data_bytes"))
    failure = {"status": "failed", "error_kind": "exit", "error": "Cannot open socket"}
    return good(when, **(speeds | failure | more))


def at(day: date, clock: str) -> datetime:
    """Return a local time without a zone."""
    return datetime.combine(day, time.fromisoformat(clock))


def every(
    first: datetime,
    minutes: float,
    values: Iterable[float | None],
    **more: Any,  # noqa: ANN401 (fields of a row)
) -> list[Measurement]:
    """Return tests at equal distances with these downloads; None: it failed."""
    times = (first + timedelta(minutes=minutes) * number for number in range(10**6))
    return [
        bad(when, **more) if value is None else good(when, **({"download_mbps": value} | more))
        for when, value in zip(times, values, strict=False)
    ]


def keep(rows: Sequence[Measurement], folder: Path) -> None:
    """Write rows as the daemon does, those of a day in one file: that is quick to read."""
    days: dict[date, list[bytes]] = {}
    for row in map(results.encode, rows):
        days.setdefault(row.timestamp.date(), []).append(row.data)
    for day, texts in days.items():
        place = partitions.day_folder(folder / "results", day)
        place.mkdir(parents=True, exist_ok=True)
        headers = {text.partition(b"\n")[0] for text in texts}
        for number, header in enumerate(sorted(headers)):
            lines = [text.partition(b"\n")[2] for text in texts if text.partition(b"\n")[0] == header]
            name = f"speedtest_{len(list(place.iterdir())):02}-00-{number:02}.csv"
            (place / name).write_bytes(header + b"\n" + b"".join(lines))


def contract(folder: Path, text: str) -> Path:
    """Write a contract file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "contract.toml"
    path.write_text(text)
    return path


def figures(direction: str = "download", **values: float) -> str:
    """Return a contract file with figures of one direction."""
    return f"[contract.{direction}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def run(folder: Path, *arguments: str, **more: str) -> Result:
    """Run a command in this process."""
    if (folder / "contract.toml").exists():
        more.setdefault("CONTRACT_FILE", str(folder / "contract.toml"))
    places = {"RESULT_DIR": str(folder / "results"), "UPLOAD_DIR": str(folder / "uploads"), "TZ": "UTC"}
    return CliRunner().invoke(cli.app, arguments, env=places | more)


def verdict(folder: Path, profile: str, *arguments: str, **more: str) -> dict[str, Any]:
    """Return what the command says as JSON; its exit code must be that of its verdict."""
    ended = run(folder, "verdict", "--profile", profile, "--json", *arguments, **more)
    assert ended.stderr == "", ended.stderr
    found = json.loads(ended.stdout)
    assert ended.exit_code == EXIT[found["overall"]]
    return found


def rule(found: dict[str, Any], name: str, direction: str | None = "download") -> dict[str, Any]:
    """Return what one rule says."""
    (one,) = [each for each in found["rules"] if (each["id"], each["direction"]) == (name, direction)]
    return one
