"""Charts as shapes: the position of each line, band, bar and word. `templates/chart.svg` writes them as SVG.

Shapes are named for what they show (`band`, `line`, `failed`). The style sheet sets their colours, so one chart can be
light or dark. Each chart is drawn in two widths, for a screen and for a phone.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from speedtest.figures.types import Bin, Failures, Hour, Summary
from speedtest.figures.watched import ProbeBin
from speedtest.report import axes, knowledge, words
from speedtest.values import amounts

WIDE, NARROW = 760, 350
HEIGHT = 220
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 26
_CELL = 18
_ROOM = 28
"""The space that half a label needs."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = 24
_FAINTEST = 0.08


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """An SVG element: its attributes, its text, and the title that a pointer over it shows."""

    element: str
    attributes: dict[str, str | float]
    text: str = ""
    title: str = ""


class Chart(msgspec.Struct, frozen=True):
    """A drawing: its size, one sentence that says what it shows, and its shapes."""

    width: int
    height: int
    label: str
    shapes: list[Shape]


class Curve(msgspec.Struct, frozen=True):
    """A quantity over time: its name in the style sheet, its name in words, and its value in a bin."""

    name: str
    words: str
    value: Callable[[Any], float | None]


class Paper(msgspec.Struct, frozen=True):
    """What a chart over time is made from: the summary, the time zone of its axis, and its width."""

    summary: Summary
    zone: ZoneInfo
    width: int


class _Time:
    """A frame with time on its horizontal axis and a quantity on its vertical axis."""

    def __init__(self, paper: Paper, most: float) -> None:
        self.width = paper.width
        self.zone = paper.zone
        self.step = timedelta(seconds=paper.summary.bin_seconds)
        self.since, self.until = _shown(paper.summary)
        self.ticks = axes.numbers(most)
        self.shapes = [*grid(self.ticks, self.width, self.y), *self._columns()]

    def x(self, when: datetime) -> float:
        inner = self.width - LEFT - RIGHT
        return round(LEFT + inner * ((when - self.since) / (self.until - self.since)), 1)

    def y(self, value: float) -> float:
        inner = HEIGHT - TOP - BOTTOM
        return round(HEIGHT - BOTTOM - inner * min(value / self.ticks[-1], 1), 1)

    def middle(self, start: datetime) -> float:
        return self.x(start + self.step / 2)

    def _columns(self) -> Iterable[Shape]:
        for when, label in axes.instants(self.since, self.until, self.zone, 8 if self.width == WIDE else 4):
            x = self.x(when)
            yield Shape(element="path", attributes={"class": "tick", "d": f"M{x} {HEIGHT - BOTTOM}v4"})
            yield word(label, min(x, self.width - _ROOM), HEIGHT - 8, "middle")


def _shown(summary: Summary) -> tuple[datetime, datetime]:
    """Return the time span that has tests, so that an early `since` leaves no empty space."""
    step = timedelta(seconds=summary.bin_seconds)
    starts = [each.start for engine in summary.engines for each in engine.bins] + [f.start for f in summary.failures]
    starts += [each.start for each in summary.watch.bins] if summary.watch else []
    if not starts:
        return summary.since, summary.until
    return min(starts), max(starts) + step


def grid(ticks: Sequence[float], width: int, y: Callable[[float], float]) -> Iterable[Shape]:
    """Yield the lines and labels of the vertical axis."""
    for tick in ticks:
        yield Shape(element="path", attributes={"class": "grid", "d": f"M{LEFT} {y(tick)}H{width - RIGHT}"})
        yield word(axes.label(tick), LEFT - 6, y(tick) + 4, "end")


def word(text: str, x: float, y: float, anchor: str) -> Shape:
    """Return a text at a place."""
    return Shape(element="text", attributes={"x": x, "y": round(y, 1), "text-anchor": anchor}, text=text)


def throughput(paper: Paper, bins: list[Bin], way: str, plan: float | None) -> Chart:
    """Draw the median and the 10 to 90 % band of one direction, `download` or `upload`, and mark every failure."""
    spreads = [(each.start, spread) for each in bins if (spread := getattr(each, way))]
    frame = _Time(paper, max([spread.high for _, spread in spreads] + [plan or 0]))
    for run in _runs([start for start, _ in spreads], frame.step):
        members = [(frame.middle(start), spread) for start, spread in spreads if run[0] <= start <= run[-1]]
        lower = [(x, frame.y(spread.low)) for x, spread in reversed(members)]
        frame.shapes += _area([(x, frame.y(spread.high)) for x, spread in members] + lower, f"band {way}")
        frame.shapes += _stroke([(x, frame.y(spread.median)) for x, spread in members], f"line {way}")
    if plan:
        frame.shapes.append(
            Shape(
                element="path",
                attributes={"class": "plan", "d": f"M{LEFT} {frame.y(plan)}H{frame.width - RIGHT}"},
            )
        )
    for start, spread in spreads:
        low, high = amounts.amount(spread.low), amounts.amount(spread.high)
        title = f"median {amounts.amount(spread.median)} Mbit/s, {low} to {high} in 80 %"
        frame.shapes.append(
            _column(frame, start, f"{_when(start, frame)}: {title} of {amounts.count(spread.tests, 'test')}")
        )
    frame.shapes += _failures(paper.summary.failures, frame)
    label = f"{way.capitalize()} over time, Mbit/s: median, and the range that 80 % of the tests are in"
    return Chart(paper.width, HEIGHT, label, frame.shapes)


def lines(paper: Paper, bins: Sequence[Bin | ProbeBin], over: list[Curve], unit: str) -> Chart:
    """Draw quantities with the same unit over time."""
    values = [value for each in bins for line in over if (value := line.value(each)) is not None]
    frame = _Time(paper, max(values, default=0))
    for line in over:
        there = [(each.start, value) for each in bins if (value := line.value(each)) is not None]
        for run in _runs([start for start, _ in there], frame.step):
            points = [(frame.middle(start), frame.y(value)) for start, value in there if run[0] <= start <= run[-1]]
            frame.shapes += _stroke(points, f"line {line.name}")
    for each in bins:
        shown = [
            f"{line.words} {amounts.amount(value)} {unit}" for line in over if (value := line.value(each)) is not None
        ]
        if shown:
            frame.shapes.append(_column(frame, each.start, f"{_when(each.start, frame)}: {', '.join(shown)}"))
    label = f"{' and '.join(line.words for line in over)} over time, {unit}"
    return Chart(paper.width, HEIGHT, label[0].upper() + label[1:], frame.shapes)


def hours(found: list[Hour], width: int) -> Chart:
    """Draw the median download by hour of the day."""
    ticks = axes.numbers(max((each.download_mbps or 0 for each in found), default=0))

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / ticks[-1], 1)

    column = (width - LEFT - RIGHT) / _HOURS
    shapes = list(grid(ticks, width, y))
    for each in found:
        if each.download_mbps is None:
            continue
        x, top = round(LEFT + column * each.hour, 1), y(each.download_mbps)
        attributes = {
            "x": x + 1,
            "y": top,
            "width": round(column - 2, 1),
            "height": round(HEIGHT - BOTTOM - top, 1),
        }
        shapes.append(Shape(element="rect", attributes={"class": "bar", **attributes}, title=_hour(each)))
    shapes += [word(f"{hour}", LEFT + column * (hour + 0.5), HEIGHT - 8, "middle") for hour in range(0, _HOURS, 3)]
    return Chart(width, HEIGHT, "Median download by hour of the day, Mbit/s", shapes)


def week(found: list[Hour], width: int) -> Chart:
    """Draw the median download by weekday and hour: a stronger colour is faster."""
    values = [each.download_mbps for each in found if each.download_mbps is not None]
    least, most = min(values, default=0), max(values, default=0)
    column = (width - LEFT - RIGHT) / _HOURS
    shapes = [word(name, LEFT - 6, _CELL * (row + 0.75), "end") for row, name in enumerate(_WEEKDAYS)]
    for each in found:
        if each.download_mbps is None or each.weekday is None:
            continue
        part = (each.download_mbps - least) / (most - least) if most > least else 1
        place = {"x": round(LEFT + column * each.hour, 1), "y": _CELL * each.weekday}
        size = {"width": round(column - 1, 1), "height": _CELL - 1}
        fill = {"class": "cell", "fill-opacity": round(_FAINTEST + (1 - _FAINTEST) * part, 2)}
        shapes.append(Shape(element="rect", attributes={**fill, **place, **size}, title=_hour(each)))
    bottom = _CELL * len(_WEEKDAYS)
    shapes += [word(f"{hour}", LEFT + column * (hour + 0.5), bottom + 16, "middle") for hour in range(0, _HOURS, 3)]
    return Chart(width, bottom + 24, "Median download by weekday and hour: a stronger colour is faster", shapes)


def _hour(each: Hour) -> str:
    day = "" if each.weekday is None else f"{_WEEKDAYS[each.weekday]} "
    few = " (too few)" if knowledge.is_few(each.tests) else ""
    return f"{day}{each.hour}:00: {amounts.amount(each.download_mbps)} Mbit/s, {amounts.count(each.tests, 'test')}{few}"


def _when(start: datetime, frame: _Time) -> str:
    return words.instant(start, frame.zone) if frame.step < timedelta(days=1) else words.day(start, frame.zone)


def _runs(starts: list[datetime], step: timedelta) -> Iterable[list[datetime]]:
    """Split the starts where more than one bin is empty, so that no line is drawn over a gap."""
    run: list[datetime] = []
    for start in starts:
        if run and start - run[-1] > 2 * step:
            yield run
            run = []
        run.append(start)
    if run:
        yield run


def _stroke(points: list[tuple[float, float]], name: str) -> Iterable[Shape]:
    if len(points) == 1:
        ((x, y),) = points
        yield Shape(element="circle", attributes={"class": f"dot {name}", "cx": x, "cy": y, "r": 2.5})
    else:
        yield Shape(element="path", attributes={"class": name, "d": _path(points)})


def _area(points: list[tuple[float, float]], name: str) -> Iterable[Shape]:
    yield Shape(element="path", attributes={"class": name, "d": f"{_path(points)}Z"})


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _column(frame: _Time, start: datetime, title: str) -> Shape:
    """Return the area of a bin, which shows the title when a pointer is over it."""
    x = frame.x(start)
    size = {"width": round(frame.x(start + frame.step) - x, 1), "height": HEIGHT - TOP - BOTTOM}
    return Shape(element="rect", attributes={"class": "touch", "x": x, "y": TOP, **size}, title=title)


def outages(paper: Paper) -> list[Shape]:
    """Return a band for each outage that the summary lists: as wide as it was long, and wide enough to be seen."""
    frame = _Time(paper, 0)
    return [
        Shape(
            element="rect",
            attributes={
                "class": "broken",
                "x": frame.x(each.start),
                "y": TOP,
                "width": max(round(frame.x(each.end or each.last) - frame.x(each.start), 1), 1.5),
                "height": HEIGHT - TOP - BOTTOM,
            },
            title=f"{words.moment(each.start, frame.zone)}: down for {amounts.duration(each.seconds)}",
        )
        for each in paper.summary.outages
        if frame.since <= each.start < frame.until
    ]


def _failures(failures: list[Failures], frame: _Time) -> Iterable[Shape]:
    """Mark each bin with failures at the bottom of the frame. More failures make a taller mark."""
    most = max((each.tests for each in failures), default=1)
    for each in failures:
        high = round(4 + 14 * each.tests / most, 1)
        place = {"x": round(frame.middle(each.start) - 1.5, 1), "y": round(HEIGHT - BOTTOM - high, 1)}
        kinds = ", ".join(map(words.harmless, each.kinds))
        title = f"{_when(each.start, frame)}: {amounts.count(each.tests, 'failed test')} ({kinds})"
        yield Shape(element="rect", attributes={"class": "failed", **place, "width": 3, "height": high}, title=title)
