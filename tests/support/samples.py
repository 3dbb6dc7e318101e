"""Sample rows in the formats that the programs print, every number different, and files with them."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from speedtest.data import results
from speedtest.engines import ENGINES
from speedtest.events import Event
from speedtest.measurement import Measurement
from speedtest.process import Finished

HOME = "3b1f8a52-6c0e-4d6e-9d53-2f6f0f3f4a11"
OFFICE = "office"


def ookla_result(when: datetime, seed: int = 0) -> dict[str, Any]:
    """Return a result as Ookla's CLI 1.2.0 prints it."""
    chance = random.Random(f"{when} {seed}")

    def figure(most: float) -> float:
        return round(chance.uniform(0.1, most), 3)

    def transfer(most: int) -> dict[str, Any]:
        latency = {"iqm": figure(90), "low": figure(20), "high": figure(400), "jitter": figure(30)}
        amounts = {"bandwidth": chance.randrange(10**6, most), "bytes": chance.randrange(10**7, 10**9)}
        return amounts | {"elapsed": chance.randrange(3000, 15_000), "latency": latency}

    return {
        "type": "result",
        "timestamp": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "ping": {"jitter": figure(5), "latency": figure(40), "low": figure(20), "high": figure(60)},
        "download": transfer(118_000_000),
        "upload": transfer(40_000_000),
        "packetLoss": chance.choice([0, round(chance.uniform(0, 3), 12)]),
        "isp": "Föhn & Söhne, Internet",
        "interface": {
            "internalIp": "192.0.2.17",
            "name": "eth0",
            "macAddr": "00:00:5E:00:53:01",
            "isVpn": False,
            "externalIp": "203.0.113.9",
        },
        "server": {
            "id": chance.randrange(1000, 70_000),
            "host": "speed.example.net",
            "port": 8080,
            "name": 'Example "Fibre"',
            "location": "Bern, BE",
            "country": "Switzerland",
            "ip": "203.0.113.10",
        },
        "result": {"id": f"{chance.getrandbits(128):032x}", "url": "https://example.net/r", "persisted": True},
    }


def measured(when: datetime, address: str = HOME, seed: int = 0) -> Measurement:
    """Return the measurement of such a result."""
    printed = json.dumps(ookla_result(when, seed), ensure_ascii=False).encode()
    measurement = ENGINES["ookla"].read([Finished("exit", 0, printed, b"", 20.0)])
    measurement.started_at = when - timedelta(seconds=20, microseconds=seed)
    measurement.speedtest_address = address
    measurement.engine_version = "1.2.0.84"
    measurement.interval_seconds = 600.0
    measurement.exit_code = 0
    measurement.slot = when - timedelta(seconds=21)
    measurement.attempt = 1
    return measurement


def failed(when: datetime, address: str = HOME) -> Measurement:
    """Return a failed attempt."""
    return Measurement(
        timestamp=when,
        started_at=when,
        status="failed",
        engine="ookla",
        error_kind="exit",
        error='Cannot open socket, "again"\nand again',
        exit_code=2,
        speedtest_address=address,
    )


def day_of(day: datetime, count: int = 144, address: str = HOME) -> list[Measurement]:
    """Return the measurements of a day at equal intervals, each tenth failed."""
    step = timedelta(days=1) / count
    times = [day + step * number for number in range(count)]
    return [
        failed(when, address) if number % 10 == 9 else measured(when, address, number)
        for number, when in enumerate(times)
    ]


def keep(measurements: list[Measurement], result_dir: Path) -> list[Path]:
    """Save measurements as the daemon does."""
    return [results.save(results.encode(measurement), result_dir) for measurement in measurements]


def utc(*parts: int) -> datetime:
    """Return an instant in UTC."""
    year, month, day, *time = parts
    return datetime(year, month, day, *time, tzinfo=UTC)


def logged(caplog: pytest.LogCaptureFixture, event: Event) -> list[str]:
    """Return the messages of an event that were logged so far."""
    return [record.getMessage() for record in caplog.records if vars(record).get("event") == event]
