"""One test looked at closely: its figures, its marks, its grades, and its speeds over time if they are kept."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from speedtest.figures import grades, quality, state
from speedtest.figures.grades import AimScore
from speedtest.figures.quality import MARKS
from speedtest.figures.rows import COLUMNS, Rows
from speedtest.figures.state import Result
from speedtest.figures.types import Plan
from speedtest.values import samples

NEEDED = (*COLUMNS, "extra")
"""The columns that `Rows` must read."""
_LATEST = datetime.max.replace(tzinfo=UTC) - timedelta.resolution
"""What is later has no time behind it to read up to."""
_CONFIDENCE = re.compile(r"high|medium|low")


class Series(msgspec.Struct, frozen=True):
    """Mean speeds of intervals of equal length, one after the other, from the start of a direction."""

    milliseconds: int
    mbps: tuple[float, ...]


class OneTest(msgspec.Struct, frozen=True, kw_only=True):
    """A row and what can be said of it."""

    result: Result
    marks: dict[str, str]
    """Why it may say little about the line, each with its words (see `quality`)."""
    null_because: str | None
    """Which figures were not believed, and why."""
    bufferbloat_ms: float | None
    """The mean of how much the latency rises while downloading and while uploading."""
    bufferbloat_grade: str | None
    """A+ to F, by the scale of DSLReports and LibreQoS."""
    cloudflare_aim: dict[str, AimScore]
    """Cloudflare's points for `streaming`, `gaming` and `calls`, as far as the test measured what they need."""
    confidence: str | None
    """How steady the speeds were, if the program says so: high, medium or low."""
    download: Series | None
    upload: Series | None


def of(rows: Rows, location: str, at: datetime, plan: Plan) -> OneTest | None:
    """Return the row of a location with this timestamp, the successful one if there are several, None if there is none.

    `rows` must read the columns `NEEDED`. Raises the errors of `Rows.of`.
    """
    if at > _LATEST:
        return None
    found = rows.of(at, at + timedelta.resolution, location)
    if found.empty:
        return None
    good = found[found["status"] == "ok"]
    row = (good if len(good) else found).head(1)
    (result,) = state.results(row)
    extra = _fields(row["extra"].iloc[0])
    figures = grades.of(result)
    marked = quality.marks(row, plan.download_mbps, plan.isps).iloc[0]
    rise = grades.increase(figures)
    confidence = extra.get("confidence") or ""
    return OneTest(
        result=result,
        marks={name: MARKS[name] for name in MARKS if marked[name] and result.status == "ok"},
        null_because=extra.get("null_because"),
        bufferbloat_ms=rise,
        bufferbloat_grade=None if rise is None else grades.bufferbloat(rise),
        cloudflare_aim=grades.aim(figures) if result.status == "ok" else {},
        confidence=confidence if _CONFIDENCE.fullmatch(confidence) else None,
        download=_series(extra.get("samples_download")),
        upload=_series(extra.get("samples_upload")),
    )


def _fields(extra: object) -> Mapping[str, str | None]:
    """Return the fields in the column `extra`; none if it does not hold an object of texts."""
    try:
        return msgspec.json.decode(str(extra), type=dict[str, str | None])
    except msgspec.MsgspecError:
        return {}


def _series(text: str | None) -> Series | None:
    """Return the series in a field, None if it holds none: anybody may have written the row."""
    try:
        found = samples.unpack(text) if text else None
    except ValueError:
        return None
    return Series(*found) if found and found.mbps else None
