"""Draw the charts of a report: `… NAME LAKE` prints what that adds to a process that already has the figures."""

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from speedtest.data.partitions import Folders
from speedtest.figures import questions
from speedtest.figures.rows import Rows
from speedtest.figures.types import Plan, Summary
from tests.benchmarks.harness import memory

CHARTS = 6
type Draw = Callable[[Summary], int]
"""Draws a summary and returns its size in bytes."""


class Drawn(msgspec.Struct, frozen=True):
    """The cost of the charts."""

    seconds: float
    mib: float
    size: int


def ours(summary: Summary) -> int:
    from speedtest.report import drawing

    return len(drawing.templates().get_template("sections.html").module.sections(drawing.view(summary, Plan())))  # pyrefly: ignore[missing-attribute]


def altair_svg(summary: Summary) -> int:
    import vl_convert  # pyrefly: ignore[missing-import]

    return sum(len(vl_convert.vegalite_to_svg(chart.to_json())) for chart in _altair(summary))


def altair_script(summary: Summary) -> int:
    import vl_convert  # pyrefly: ignore[missing-import]

    return len(vl_convert.javascript_bundle()) + sum(len(chart.to_json()) for chart in _altair(summary))


def _altair(summary: Summary) -> list[Any]:
    """Return charts of a median and its band, as many as a report has."""
    import altair as alt  # pyrefly: ignore[missing-import]

    spreads = [(each.start.isoformat(), each.download) for each in summary.engines[0].bins if each.download]
    values = [{"start": start, "low": s.low, "median": s.median, "high": s.high} for start, s in spreads]
    base = alt.Chart(alt.Data(values=values)).encode(x="start:T")
    band = base.mark_area(opacity=0.3).encode(y="low:Q", y2="high:Q")
    return [(band + base.mark_line().encode(y="median:Q")).properties(width=700, height=180)] * CHARTS


DRAWERS: Mapping[str, Draw] = {"ours": ours, "altair-svg": altair_svg, "altair-script": altair_script}


def main() -> None:
    """Draw once."""
    name, lake = sys.argv[1:]
    rows = Rows(Folders(Path(lake, "none"), Path(lake)))
    asked = list(questions.questions(rows, None, datetime(2100, 1, 1, tzinfo=UTC), []))
    (summary,) = questions.summaries(rows, asked, Plan())
    with contextlib.suppress(ImportError):
        import jinja2  # noqa: F401 (the report's text needs it anyway)
    before, start = memory()["VmRSS"], time.perf_counter()
    size = DRAWERS[name](summary)
    drawn = Drawn(time.perf_counter() - start, memory()["VmRSS"] - before, size)
    sys.stdout.buffer.write(msgspec.json.encode(drawn))


if __name__ == "__main__":
    main()
