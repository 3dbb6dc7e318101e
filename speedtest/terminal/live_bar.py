"""Show a running test: a bar with speed and percent if the program reports progress, else the seconds so far.

A program that tells the speed of each moment gets a curve: its height is the fastest moment so far.
"""

import time
from collections import deque
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from speedtest.engines.engine import Progress

_BAR_WIDTH = 30
_CURVE_WIDTH = 24
_HEIGHTS = "▁▂▃▄▅▆▇█"


class LiveBar:
    """Draws the latest progress in its own thread, so that callers never wait for the terminal."""

    def __init__(self, console: Console, program: str) -> None:
        """Draw on this console; `program` is the name to show."""
        self._console = console
        self._spinner = Spinner("dots")
        self._program = program
        self._started = time.monotonic()
        self._latest = Progress("start")
        self._curve: deque[float] = deque(maxlen=_CURVE_WIDTH)

    def tell(self, progress: Progress) -> None:
        """Set the latest progress."""
        if progress.step != self._latest.step:
            self._curve.clear()
        if progress.now_mbps is not None:
            self._curve.append(progress.now_mbps)
        self._latest = progress

    def shown(self) -> Live:
        """Return a context manager that shows the bar, on a terminal only, and removes it at the end."""
        return Live(get_renderable=self._draw, console=self._console, refresh_per_second=8, transient=True)

    def _draw(self) -> RenderableType:
        latest = self._latest
        seconds = f"{time.monotonic() - self._started:.0f} s"
        grid = Table.grid(padding=(0, 1))
        if latest.step == "start":
            grid.add_row(self._spinner, f"{self._program} measures", seconds)
        else:
            bar = ProgressBar(total=1, completed=latest.part, width=_BAR_WIDTH)
            shown = [f"{latest.part:4.0%}", _figure(latest), curve([*self._curve])]
            grid.add_row(self._spinner, f"{latest.step:<8}", bar, *(text for text in shown if text), seconds)
        return grid


def curve(speeds: Sequence[float]) -> str:
    """Draw speeds over time, the fastest at full height; empty if there are none."""
    most = max(speeds, default=0.0)
    if most <= 0:
        return _HEIGHTS[0] * len(speeds)
    return "".join(_HEIGHTS[min(int(max(speed, 0.0) / most * len(_HEIGHTS)), len(_HEIGHTS) - 1)] for speed in speeds)


def _figure(progress: Progress) -> str:
    if progress.mbps is not None:
        return f"{progress.mbps:7.1f} Mbit/s"
    return "" if progress.latency_ms is None else f"{progress.latency_ms:.1f} ms"
