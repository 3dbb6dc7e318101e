"""Make what a document of evidence says: judge the rows up to now, list the files, ask for a stamp."""

from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from speedtest.data import lake, manifest
from speedtest.data.manifest import Manifest
from speedtest.data.partitions import Folders
from speedtest.evidence import stamp_store, stamps
from speedtest.evidence.bundle import Bundle, DocumentStamp
from speedtest.evidence.words import ENGLISH, languages, translations
from speedtest.verdicts import local_time, reading, rows
from speedtest.verdicts.case import Bound
from speedtest.verdicts.contract import Contract
from speedtest.verdicts.judge import judge
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.reading import VerdictQuestion
from speedtest.verdicts.types import LakeFiles, Verdict

WRITTEN_AFTER = timedelta(seconds=5)
"""How long after its end the row of a test is written at the latest."""
_DAY_SECONDS = local_time.DAY // local_time.SECOND


def make(  # noqa: PLR0913 (what is judged, by which rules, and how it is told)
    folders: Folders,
    asked: VerdictQuestion,
    contract: Contract,
    profile: Profile,
    *,
    language: str | None = None,
    commit: str | None = None,
) -> Bundle:
    """Return what a document says of a line. `language`: None for that of `language_of`.

    Raises `data.parquet.Damaged` or OSError if a file cannot be read.
    """
    made = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    first = reading.verdict(folders, asked, contract, profile)
    chosen = tuple(sorted(asked.chosen))
    found = judged(folders, profile, contract, first, engine=asked.engine, chosen=chosen, made=made)
    listed = files_of(folders, found, made)
    files = LakeFiles(parquet=len(listed.parquet), csv=len(listed.csv), size=listed.size, digest=listed.digest)
    return Bundle(
        made=made,
        software=software(),
        commit=commit,
        language=language or language_of(profile),
        engine=asked.engine,
        chosen=chosen,
        verdict=msgspec.structs.replace(found, files=files),
        manifest=listed.text,
        daily=tuple(stored.day for stored in stamp_store.read(folders.result_dir)),
    )


def language_of(profile: Profile) -> str:
    """Return the language of the profile's country if all its sentences are there, else English."""
    if profile.language not in languages():
        return ENGLISH
    known = translations(profile.language)
    is_whole = all(f"{profile.phrases.prefix}.{name}" in known for name in profile.phrases.texts)
    return profile.language if is_whole else ENGLISH


def stamped(bundle: Bundle, url: str, answer: bytes) -> Bundle:
    """Return the bundle with a stamp of its list of files."""
    at, authority = stamps.said(answer)
    stamp = DocumentStamp(url=url, at=at.astimezone(UTC).isoformat(), authority=authority, answer=answer)
    return msgspec.structs.replace(bundle, stamp=stamp)


def judged(  # noqa: PLR0913 (what was judged, and what narrowed it)
    folders: Folders,
    profile: Profile,
    contract: Contract,
    before: Verdict,
    *,
    engine: str | None,
    chosen: tuple[Bound, ...],
    made: datetime,
) -> Verdict:
    """Judge the period of a verdict again, by the rows that were there at `made`. The files are not listed.

    Raises `data.parquet.Damaged` or OSError if a file cannot be read.
    """
    since, until = _instant(before.since), _instant(before.until)
    table = lake.read_table(
        since=since,
        until=min(until, made) if until else made,
        location=before.location,
        columns=rows.COLUMNS,
        upload_dir=folders.upload_dir,
        result_dir=folders.result_dir,
    )
    return judge(
        _ended(table, made),
        contract,
        profile,
        location=before.location or "",
        since=since,
        until=until,
        engine=engine,
        chosen=frozenset(chosen),
    )


def _ended(table: pa.Table, made: datetime) -> pa.Table:
    """Leave out the tests that still ran at `made`: their rows came later, with a time before it."""
    starts = pc.coalesce(table["started_at"], table["timestamp"]).cast(pa.int64()).to_numpy()
    seconds = table["duration_seconds"].cast(pa.float64()).fill_null(pa.scalar(0.0)).to_numpy()
    ends = starts + (np.clip(np.nan_to_num(seconds), 0, _DAY_SECONDS) * local_time.SECOND).astype(np.int64)
    return table.filter(pa.array(ends <= local_time.instant(made - WRITTEN_AFTER)))


def files_of(folders: Folders, found: Verdict, made: datetime) -> Manifest:
    """Return the list of the files that may hold the rows of a verdict. Raises OSError."""
    since, until = _instant(found.since), _instant(found.until)
    last = min(until, made) if until else made
    first = since.date() if since else date.min
    return manifest.of(folders, found.location, first, (last - timedelta.resolution).date())


def software() -> str:
    """Return the version of SpeedSnake."""
    return version("speedsnake")


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
