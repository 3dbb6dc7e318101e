"""Read the rows that a verdict needs: few columns, and only the days that matter.

A verdict is about the line as it is now, and rests on the newest sample. So only the last 366 days of rows are read,
however many years there are; the verdict says so. `since` looks further back, or less far.
"""

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
from speedtest.verdicts.texts import SHARED
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
    since, until, is_cut = _period(folders, asked, contract)
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
    if not is_cut:
        return found
    cut = SHARED.say("looked_back", since=since.date().isoformat())
    return msgspec.structs.replace(found, notices=[cut, *found.notices])


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


def _period(folders: Folders, asked: VerdictQuestion, contract: Contract) -> tuple[datetime, datetime, bool]:
    """Return the period to read, and whether there are older rows that were not asked for either."""
    days = _days(folders, asked)
    last = _midnight(days[-1]) + timedelta(days=2) if days else datetime.now(UTC)
    until = asked.until or last
    if asked.since:
        return asked.since, until, False
    first = _midnight(days[0]) - timedelta(days=1) if days else until - timedelta(days=1)
    recent = min(last, until) - LOOK_BACK
    if fault := contract.dates.fault_reported:
        recent = min(recent, _midnight(fault) - _BEFORE_A_FAULT)
    return max(first, recent), until, recent > first


def _days(folders: Folders, asked: VerdictQuestion) -> list[date]:
    """Return the days that may hold rows of the line before `until`, without those that a wrong clock made."""
    place = partitions.location_folder(folders.upload_dir, asked.location)
    converted = {day for day, _ in partitions.days(place)}
    found = span.near(sorted(converted | {*partitions.csv_days(folders.result_dir)}))
    return [day for day in found if not asked.until or day <= asked.until.date()]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
