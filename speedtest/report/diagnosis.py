"""What a summary says of causes: the router's link below the plan, and one stream beside several."""

from collections.abc import Iterator

from speedtest.figures.types import EngineFigures, RouterLink, Summary
from speedtest.report import words
from speedtest.values import amounts
from speedtest.values.targets import SECOND_OPINIONS

FEWEST_TESTS = 6
"""Of fewer tests a median has no interval of 95 %."""
MUCH_LESS = 0.8
"""One stream below this part of several is a sign; a healthy line gives one stream nearly all."""


def notes(summary: Summary) -> Iterator[str]:
    """Yield what points to a cause."""
    if summary.router and summary.router.below_plan:
        yield _link(summary.router)
    several = next((each for each in summary.engines if each.name not in SECOND_OPINIONS), None)
    for one in summary.engines:
        if one.name in SECOND_OPINIONS and several:
            yield from _one_stream(one, several)


def _link(link: RouterLink) -> str:
    pairs = (("down", link.down_mbps), ("up", link.up_mbps))
    rates = [f"{amounts.amount(rate)} Mbit/s {way}" for way, rate in pairs if rate]
    return (
        f"The router's link rate is below the plan: {' and '.join(rates)}, as the router told on the last day. "
        "No test can be faster than the link."
    )


def _one_stream(one: EngineFigures, several: EngineFigures) -> Iterator[str]:
    """Say of each direction how much of what several streams reach one reaches."""
    for way, part, whole in (("down", one.download, several.download), ("up", one.upload, several.upload)):
        if not part or not whole or min(part.tests, whole.tests) < FEWEST_TESTS or part.median >= whole.median:
            continue
        is_much = part.median < MUCH_LESS * whole.median
        cause = (
            "That points to loss on the way or to a limit for each connection."
            if is_much
            else "That is no sign of loss or of a limit for each connection."
        )
        yield (
            f"One stream ({words.harmless(one.name)}) reaches {amounts.amount(part.median)} of the "
            f"{amounts.amount(whole.median)} Mbit/s {way} that {words.harmless(several.name)} measures "
            f"(medians of {amounts.count(part.tests, 'test')} and {whole.tests:,}). {cause}"
        )
