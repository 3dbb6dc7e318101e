"""How well a figure is known, in words: the same in report, page, `compare` and the terminal."""

from speedtest.figures import grades, intervals
from speedtest.figures.types import Bufferbloat, Comparison, Difference, Estimate, Interval, Kept, Side
from speedtest.report import words
from speedtest.values import amounts

_MIDDLE = 0.5
_MEAN_OF = f"mean of download and upload; {grades.SCALE}"
_NAMES = {
    "download_mbps": ("download", "Mbit/s"),
    "upload_mbps": ("upload", "Mbit/s"),
    "latency_ms": ("latency", "ms"),
    "download_latency_ms": ("latency while downloading", "ms"),
    "upload_latency_ms": ("latency while uploading", "ms"),
}


def interval(found: Interval) -> str:
    """Return an interval, such as `95 %: 29 to 46`."""
    return f"95 %: {amounts.amount(found.low)} to {amounts.amount(found.high)}"


def is_few(tests: int) -> bool:
    """Return whether so many tests are too few for a median."""
    return not intervals.are_enough(tests, _MIDDLE)


def known(of: Estimate) -> str:
    """Return how well a median is known: its interval, or why it has none."""
    return interval(of.interval) if of.interval else _too_few(of)


def share(kept: Kept) -> str:
    """Return how well a share is known, to stand behind it."""
    return f" ({interval(kept.share_interval)} %)" if kept.share_interval else f" ({_too_few(kept.spread)})"


def range_of(of: Estimate) -> str:
    """Return the range of 80 % of the tests, and whether so few tests can tell it."""
    low, high = amounts.amount(of.low), amounts.amount(of.high)
    return f"{low} to {high} in 80 % of {amounts.count(of.tests, 'test')}{' (too few)' if of.few_for_range else ''}"


def rise(of: Bufferbloat) -> str:
    """Return by how much the latency rises under load, and whose scale grades it."""
    size = f"+{amounts.amount(of.increase.median)} ms ({known(of.increase)})"
    return f"{size}, {_MEAN_OF}"


def rise_of_one(increase_ms: float) -> str:
    """Return the bufferbloat of one test: its grade, and whose scale it is."""
    return f"{grades.bufferbloat(increase_ms)}: +{amounts.amount(increase_ms)} ms, {_MEAN_OF}"


def name(difference: Difference) -> str:
    """Return the quantity in words."""
    return _NAMES[difference.quantity][0]


def difference(found: Difference) -> str:
    """Return a difference in words: `+38 Mbit/s (95 %: 29 to 46)`, or why it cannot be told."""
    unit = _NAMES[found.quantity][1]
    if found.interval is None or found.difference is None:
        return _cannot_tell(found)
    size = f"{'+' if found.difference >= 0 else ''}{amounts.amount(found.difference)} {unit}"
    chance = "; this may be chance" if found.finding == "no-difference" else ""
    return f"{size} ({interval(found.interval)}){chance}"


def medians(found: Difference) -> str:
    """Return the two medians of a difference."""
    unit = _NAMES[found.quantity][1]
    this, other = (amounts.amount(each.median) if each else "nothing" for each in (found.this, found.other))
    return f"{this} against {other} {unit}"


def compared(found: Comparison) -> list[str]:
    """Return a comparison as lines for a terminal."""
    lines = [f"{_side(found.this)}, against", _side(found.other), ""]
    if not found.engines:
        lines.append("nothing to compare: no program measured on both sides")
    for engine in found.engines:
        lines.append(words.harmless(engine.name))
        lines += [
            f"  {name(each):26}{difference(each)}  [{medians(each)}]"
            for each in engine.differences
            if each.this or each.other
        ]
    if found.only_one:
        lines.append(f"on one side only, so not compared: {', '.join(map(words.harmless, found.only_one))}")
    return lines


def _side(side: Side) -> str:
    left_out = f", {side.left_out:,} of them marked and left out" if side.left_out else ""
    period = f"{side.since:%Y-%m-%d %H:%M} to {side.until:%Y-%m-%d %H:%M} UTC"
    return f"{words.harmless(side.location)}, {period}: {amounts.count(side.tests, 'successful test')}{left_out}"


def _too_few(of: Estimate) -> str:
    return f"too few: {amounts.count(of.tests, 'test') if of.too_few == 'tests' else amounts.count(of.days, 'day')}"


def _cannot_tell(found: Difference) -> str:
    sides = [each for each in (found.this, found.other) if each]
    if len(sides) < 2:  # noqa: PLR2004 (both)
        return "cannot tell: one side did not measure it"
    return f"cannot tell from {amounts.count(min(each.days for each in sides), 'day')}"
