"""Read the rows that a verdict needs: few columns, and only the days that matter.

A verdict rests on the newest sample, so the last year is read, and the years before only if that has no sample. The
verdict says since when rows were looked at. `since` looks further back, or less far.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import msgspec
import pyarrow as pa

from speedtest.data import lake, partitions
from speedtest.data.partitions import Folders
from speedtest.figures import evidence, span
from speedtest.figures.types import Question
from speedtest.verdicts import rows
from speedtest.verdicts.case import Bound
from speedtest.verdicts.contract import Contract
from speedtest.verdicts.judge import judge
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.types import LakeFiles, Verdict

LOOK_BACK = timedelta(days=366)
_BEFORE_A_FAULT = timedelta(days=7)


class VerdictQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be judged."""

    location: str
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""
    engine: str | None = None

    @property
    def chosen(self) -> frozenset[Bound]:
        """The bounds that a person chose."""
        bounds: dict[Bound, datetime | None] = {"since": self.since, "until": self.until}
        return frozenset(name for name, when in bounds.items() if when)


def verdict(folders: Folders, asked: VerdictQuestion, contract: Contract, profile: Profile) -> Verdict:
    """Read the rows and judge them. Raises `data.parquet.Damaged` or OSError if a file cannot be read."""
    found = None
    for since, until in _periods(folders, asked, contract):
        found = judge(
            _rows(folders, asked.location, since, until),
            contract,
            profile,
            location=asked.location,
            since=since,
            until=asked.until,
            engine=asked.engine,
            chosen=asked.chosen,
            files=_files(folders, Question(asked.location, since, until, known_before=False)),
        )
        if found.campaign or not profile.samples:
            break
    assert found  # noqa: S101 (there is at least one period)
    return found


def _rows(folders: Folders, location: str, since: datetime, until: datetime) -> pa.Table:
    return lake.read_table(
        since=since,
        until=until,
        location=location,
        columns=rows.COLUMNS,
        upload_dir=folders.upload_dir,
        result_dir=folders.result_dir,
    )


def _files(folders: Folders, asked: Question) -> LakeFiles:
    found = evidence.of(folders, asked)
    return LakeFiles(parquet=found.parquet, csv=found.csv, size=found.size, digest=found.digest)


def _periods(folders: Folders, asked: VerdictQuestion, contract: Contract) -> Iterator[tuple[datetime, datetime]]:
    """Yield the periods to read, one after the other until there is a sample."""
    days = _days(folders, asked)
    last = _midnight(days[-1]) + timedelta(days=2) if days else datetime.now(UTC)
    until = asked.until or last
    first = _midnight(days[0]) - timedelta(days=1) if days else until - timedelta(days=1)
    if asked.since:
        yield asked.since, until
        return
    recent = min(last, until) - LOOK_BACK
    if fault := contract.dates.fault_reported:
        recent = min(recent, _midnight(fault) - _BEFORE_A_FAULT)
    if recent > first:
        yield recent, until
    yield first, until


def _days(folders: Folders, asked: VerdictQuestion) -> list[date]:
    """Return the days that may hold rows of the line before `until`, without those that a wrong clock made."""
    place = partitions.location_folder(folders.upload_dir, asked.location)
    converted = {day for day, _ in partitions.days(place)}
    found = span.near(sorted(converted | {*partitions.csv_days(folders.result_dir)}))
    return [day for day in found if not asked.until or day <= asked.until.date()]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
