"""The first metrics after a start wait for two seconds at most, and say whether lines are missing."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pages import this_slot
from prometheus_client.parser import text_string_to_metric_families
from samples import HOME
from views import folders, good

from speedtest.figures.lines import Lines
from speedtest.figures.types import Plan
from speedtest.page.queries import Queries

NAMES = (HOME, "office", "shop")


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, int], threading.Event]]:
    """Let a method of `Lines` wait for an event, but for its first calls."""
    events: list[threading.Event] = []

    def slow(method: str, calls: int) -> threading.Event:
        found, read, left = threading.Event(), getattr(Lines, method), iter(range(calls))

        def wait(lines: Lines, *arguments: object) -> object:
            if next(left, None) is None:
                found.wait()
            return read(lines, *arguments)

        monkeypatch.setattr(Lines, method, wait)
        events.append(found)
        return found

    yield slow
    for each in events:
        each.set()


def queries(folder: Path) -> Queries:
    rows = [good(this_slot() - timedelta(seconds=number), name) for number, name in enumerate(NAMES)]
    return Queries(folders(folder, rows), Plan())


async def scraped(asked: Queries) -> dict[str, float]:
    """Return the gauges without labels, how many lines have metrics, and how long the answer took."""
    began = time.monotonic()
    families = list(text_string_to_metric_families((await asked.metrics()).decode()))
    found = {each.name: each.samples[0].value for each in families if each.samples and not each.samples[0].labels}
    up = next(each for each in families if each.name == "speedtest_up")
    return found | {"lines": len(up.samples), "seconds": time.monotonic() - began}


def counts(found: dict[str, float]) -> list[float | None]:
    names = ("speedtest_metrics_complete", "speedtest_locations", "speedtest_locations_unread")
    return [found.get(name) for name in (*names, "lines")]


async def complete(asked: Queries) -> dict[str, float]:
    """Scrape until the answer is complete; each scrape waits a moment for that."""
    while not (found := await scraped(asked))["speedtest_metrics_complete"]:
        pass
    return found


def test_with_few_lines_the_first_scrape_has_all_of_them(tmp_path: Path) -> None:
    assert counts(asyncio.run(scraped(queries(tmp_path)))) == [1, 3, 0, 3]


@pytest.mark.slow
def test_a_first_scrape_that_waited_two_seconds_says_how_many_lines_are_missing(
    tmp_path: Path, slow_disk: Callable[[str, int], threading.Event]
) -> None:
    async def scrapes() -> None:
        asked, readable = queries(tmp_path), slow_disk("state", 1)
        first, second = await scraped(asked), await scraped(asked)
        readable.set()
        assert counts(first) == counts(second) == [0, 3, 2, 1]
        assert 2 <= first["seconds"] < 3
        assert second["seconds"] < 1
        assert counts(await complete(asked)) == [1, 3, 0, 3]

    asyncio.run(scrapes())


@pytest.mark.slow
def test_before_the_locations_are_counted_a_scrape_does_not_claim_that_there_are_none(
    tmp_path: Path, slow_disk: Callable[[str, int], threading.Event]
) -> None:
    async def scrapes() -> None:
        asked, readable = queries(tmp_path), slow_disk("names", 0)
        first = await scraped(asked)
        readable.set()
        assert counts(first) == [0, None, None, 0]
        assert counts(await complete(asked)) == [1, 3, 0, 3]

    asyncio.run(scrapes())
