"""Rows like the daemon's. Every measured number is different, and each tenth attempt failed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from speedtest.data import partitions, results
from speedtest.engines import ENGINES
from speedtest.measurement import Measurement
from speedtest.process import Finished

FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 144
HOME = "3b1f8a52-6c0e-4d6e-9d53-2f6f0f3f4a11"

ERRORS = (
    ("exit", 2, "[error] Configuration - Could not retrieve or read configuration (ConfigurationError)"),
    ("exit", 2, 'Cannot open socket: "Timeout occurred in connect", host speed.example.net, port 8080'),
    ("timeout", -9, "ended after 120 s"),
)
RESULT = (
    '{"type":"result","timestamp":"%s","ping":{"jitter":%.3f,"latency":%.3f,"low":%.3f,"high":%.3f},'
    '"download":{"bandwidth":%d,"bytes":%d,"elapsed":%d,'
    '"latency":{"iqm":%.3f,"low":%.3f,"high":%.3f,"jitter":%.3f}},'
    '"upload":{"bandwidth":%d,"bytes":%d,"elapsed":%d,'
    '"latency":{"iqm":%.3f,"low":%.3f,"high":%.3f,"jitter":%.3f}},"packetLoss":%r,'
    '"isp":"Föhn & Söhne, Internet","interface":{"internalIp":"192.0.2.17","name":"eth0",'
    '"macAddr":"00:00:5E:00:53:01","isVpn":false,"externalIp":"203.0.113.9"},'
    '"server":{"id":%d,"host":"speed%d.example.net","port":%d,"name":"Example \\"Fibre\\" %d",'
    '"location":"Bern, BE","country":"Switzerland","ip":"203.0.113.%d"},'
    '"result":{"id":"%s","url":"https://www.speedtest.net/result/c/%s","persisted":true}}'
)


def write(folder: Path, days: int) -> None:
    """Write the rows of `days` days, fast, without the daemon's precautions."""
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        place = partitions.day_folder(folder, day.date())
        place.mkdir(parents=True)
        for row in rows_of(day):
            (place / f"speedtest_{row.timestamp:%H-%M-%S}.csv").write_bytes(row.data)


def rows_of(day: datetime) -> Iterator[results.Row]:
    """Yield the rows of a day, the same on every call."""
    chance = random.Random(day.isoformat())
    for number in range(ROWS_A_DAY):
        due = day + timedelta(days=1) / ROWS_A_DAY * number
        yield results.encode(_attempt(chance, due, failed=number % 10 == 9))


def _attempt(chance: random.Random, due: datetime, *, failed: bool) -> Measurement:
    started_at = due + timedelta(microseconds=chance.randrange(900_000))
    seconds = round(chance.uniform(18, 24), 3)
    if failed:
        kind, exit_code, words = chance.choice(ERRORS)
        row = Measurement(timestamp=started_at, status="failed", error=f"{words} ({chance.randrange(10**6)})")
        row.error_kind, row.exit_code = ("timeout" if kind == "timeout" else "exit"), exit_code
    else:
        printed = result(chance, started_at + timedelta(seconds=seconds))
        row = ENGINES["ookla"].read([Finished("exit", 0, printed.encode(), b"", seconds)])
        row.exit_code = 0
    row.started_at, row.engine, row.engine_version = started_at, "ookla", "1.2.0.84"
    row.duration_seconds, row.interval_seconds, row.speedtest_address = seconds, 600.0, HOME
    row.commit_hash, row.timezone, row.slot, row.attempt = "4f2a9c1", "Europe/Zurich", due, 1
    return row


def result(chance: random.Random, when: datetime) -> str:
    """Return a result in the format of Ookla's CLI, with random figures."""
    bits = f"{chance.getrandbits(128):032x}"
    name = f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
    server = chance.randrange(250)
    return RESULT % (
        f"{when:%Y-%m-%dT%H:%M:%SZ}",
        *_figures(chance, 5, 40, 20, 60),
        *_transfer(chance, 118_000_000),
        *_transfer(chance, 40_000_000),
        chance.choice((0, round(chance.uniform(0, 3), 15))),
        chance.randrange(1000, 70_000),
        server,
        chance.randrange(5000, 9000),
        server,
        server,
        name,
        name,
    )


def _transfer(chance: random.Random, most: int) -> tuple[float, ...]:
    amounts = (chance.randrange(10**6, most), chance.randrange(10**7, 10**9), chance.randrange(3000, 15_000))
    return (*amounts, *_figures(chance, 90, 20, 400, 30))


def _figures(chance: random.Random, *most: float) -> tuple[float, ...]:
    return tuple(chance.uniform(0.1, each) for each in most)
