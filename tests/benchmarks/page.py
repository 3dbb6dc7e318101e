"""Measure the page: how fast it answers over a year, its memory, and whether years of data slow it down."""

import contextlib
import functools
import http.client
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

from tests.benchmarks import harness, rows
from tests.benchmarks.ground import Ground
from tests.benchmarks.harness import in_turn, ratio, timed
from tests.benchmarks.report import Figure, Report, Table

AT_ONCE = 50
MONTH = 31


class Served:
    """A running page."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str) -> int:
        return self._ask(path)[0]

    def good(self, path: str) -> bytes:
        status, body = self._ask(path)
        if status != http.client.OK:
            raise RuntimeError(f"the page answered {path} with {status}: {body[:500]!r}")
        return body

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()


def run(ground: Ground) -> Report:
    """Query pages over all days, over a month and over ten years."""
    with (
        serving(ground, ground.lake) as page,
        serving(ground, _month(ground)) as month,
        serving(ground, ground.ten_years) as ten_years,
    ):
        return _report(ground, page, {"a month": month, "10 years": ten_years})


def _report(ground: Ground, page: Served, lakes: dict[str, Served]) -> Report:
    first, last = _days(ground)
    whole = f"/?from={first}&to={last}"
    cold = timed(lambda: page.good(whole))()
    warm = [timed(lambda: page.good(whole))() for _ in range(10 if ground.quick else 50)]
    another = [
        timed(functools.partial(page.good, f"/?from={first}&to={last - timedelta(days=n)}"))()
        for n in range(1, min(6, ground.days))
    ]
    rested, codes = harness.memory(page.process.pid), _at_once(page, whole)
    week = in_turn({name: _weeks(served, last) for name, served in lakes.items()}, 5 if ground.quick else 25)
    table = Table(
        f"The page over {ground.days * rows.ROWS_A_DAY:,} rows, and over the last 7 days of a lake",
        ["what", "median, ms"],
        [
            [f"{ground.days} days, for the first time", cold * 1e3],
            [f"{ground.days} days, warm", statistics.median(warm) * 1e3],
            ["about as many, not cached", statistics.median(another) * 1e3],
            *([f"7 days of {name}, not cached", statistics.median(found) * 1e3] for name, found in week.items()),
        ],
        ["Time until the whole answer has arrived over loopback. One request at a time, each on its own connection."],
    )
    figures = [
        Figure(
            what="page: warm answer over all days", value=statistics.median(warm) * 1e3, unit="ms", budget=300, aim=50
        ),
        Figure(
            what="page: resident after answers over all days", value=rested["VmRSS"], unit="MiB", budget=200, aim=190
        ),
        Figure(what="page: peak while answering", value=rested["VmHWM"], unit="MiB"),
        Figure(
            what="page: 7 days, 10 years over a month",
            value=ratio(week["10 years"], week["a month"]),
            unit="times",
            budget=1.5,
            aim=1.1,
        ),
        Figure(
            what=f"page: errors of {AT_ONCE} at once",
            value=sum(code != http.client.OK for code in codes),
            unit="",
            budget=0,
        ),
    ]
    return Report(figures, [table])


def _weeks(served: Served, last: date) -> Callable[[], float]:
    """Return a function that times a query for seven days, different ones in each call, so that none is cached."""
    hours = iter(range(1, 24 * 30))

    def ask() -> float:
        number = next(hours)
        since = f"{last - timedelta(days=7 + number // 24)}T{number % 24:02}:00"
        return timed(lambda: served.good(f"/api/summary?since={since}&until={last + timedelta(days=1)}"))()

    return ask


def _at_once(page: Served, whole: str) -> list[int]:
    paths = [(whole, "/", "/metrics", "/api/now", "/api/results?limit=10")[number % 5] for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as clients:
        return list(clients.map(page.get, paths))


def _days(ground: Ground) -> tuple[date, date]:
    first = rows.FIRST_DAY.date()
    return first, first + timedelta(days=ground.days - 1)


def _month(ground: Ground) -> Path:
    """Return a lake of the last month only."""
    target = ground.folder / "month"
    _, last = _days(ground)
    for number in range(min(MONTH, ground.days)):
        day = last - timedelta(days=number)
        shutil.copytree(ground.day(ground.lake, day), ground.day(target, day))
    return target


@contextlib.contextmanager
def serving(ground: Ground, lake: Path, result_dir: Path | None = None) -> Iterator[Served]:
    """Start a page over a lake, without unconverted rows or with those of `result_dir`, on any free port."""
    said = ground.folder / f"page of {lake.name}"
    given = {"RESULT_DIR": str(result_dir or ground.folder / "none"), "UPLOAD_DIR": str(lake), "PAGE_PORT": "0"}
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "speedtest.handlers.page"],
            cwd=harness.PROJECT,
            env=harness.environment(**given),
            stderr=stderr,
            text=True,
        )
    try:
        while not (lines := said.read_text().splitlines(keepends=True)) or not lines[0].endswith("}\n"):
            if process.poll() is not None:
                raise RuntimeError(f"the page ended: {said.read_text()}")
            time.sleep(0.02)
        page = Served(process, json.loads(lines[0])["port"])
        page.good("/healthz")
        yield page
    finally:
        process.terminate()
        process.wait()
