"""The curve of one test: its speed in each interval, as steps."""

from speedtest.figures.one_test import Series
from speedtest.report import axes, charts
from speedtest.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, Chart, Shape

_MOST_STEPS = 800
_SECOND_MS = 1000


def curve(series: Series, way: str, width: int) -> Chart:
    """Draw one direction, `download` or `upload`. Of a series that is longer than the chart can show, the start."""
    speeds = [max(each, 0.0) for each in series.mbps[:_MOST_STEPS]]
    ticks = axes.numbers(max(speeds))
    seconds = len(speeds) * series.milliseconds / _SECOND_MS

    def x(second: float) -> float:
        return round(LEFT + (width - LEFT - RIGHT) * second / seconds, 1)

    def y(mbps: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(mbps / ticks[-1], 1), 1)

    shapes = list(charts.grid(ticks, width, y))
    under = [tick for tick in axes.numbers(seconds, 6) if tick <= seconds]
    shapes += [charts.word(axes.label(tick), x(tick), HEIGHT - 8, "middle") for tick in under]
    steps = "".join(f"V{y(mbps):g}H{x((place + 1) * seconds / len(speeds)):g}" for place, mbps in enumerate(speeds))
    path = f"M{LEFT} {HEIGHT - BOTTOM}{steps}"
    shapes.append(Shape(element="path", attributes={"class": f"line {way}", "d": path}))
    label = f"{way.capitalize()} in Mbit/s over the seconds of the test, mean of each {series.milliseconds} ms"
    return Chart(width, HEIGHT, label, shapes)
