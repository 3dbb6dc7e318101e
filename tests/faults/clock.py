"""The wall clock: conversions at difficult times in many zones, and a daemon whose clock jumps."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import libfaketime
from daemon import PATIENCE, DaemonProcess, until
from standins import ookla

from speedtest.data import lake, partitions, results
from tests.faults import child, judge
from tests.faults.family import Ask, Family, Form, Found, Job, workshop
from tests.faults.judge import Expected, Verdict
from tests.faults.rows import HERE, Row
from tests.faults.scenarios import RESULTS, UPLOADS

LIBRARY = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
DAY = timedelta(days=1)
DECADE = 3653 * DAY

type Instant = tuple[str, str, str]
"""A description, the zone, and the time in UTC."""

LEAPS: Sequence[Instant] = (
    ("before a leap day", "UTC", "2028-02-28T23:57:00"),
    ("a leap day begins", "UTC", "2028-02-29T00:00:05"),
    ("a leap day ends", "UTC", "2028-02-29T23:57:00"),
    ("after a leap day", "UTC", "2028-03-01T00:00:05"),
    ("a century without a leap day", "UTC", "2100-03-01T00:00:05"),
    ("a year ends", "UTC", "2026-12-31T23:57:00"),
    ("a year begins", "UTC", "2027-01-01T00:00:05"),
    ("seconds no longer fit into 31 bits", "UTC", "2038-01-19T03:14:08"),
)
CHANGES = {
    "Europe/Berlin": ("2027-03-28T01:00:00", "2027-10-31T01:00:00"),
    "America/New_York": ("2027-03-14T07:00:00", "2027-11-07T06:00:00"),
    "America/St_Johns": ("2027-03-14T05:30:00", "2027-11-07T04:30:00"),
    "America/Santiago": ("2027-04-04T03:00:00", "2027-09-05T04:00:00"),
    "Australia/Lord_Howe": ("2027-04-03T15:00:00", "2027-10-02T15:30:00"),
    "Africa/Cairo": ("2027-04-29T22:00:00", "2027-10-28T21:00:00"),
}
"""When the clocks of six zones change, in UTC. Lord Howe Island's change is only half an hour."""


def instants() -> list[Instant]:
    found = [*LEAPS]
    for zone, changes in CHANGES.items():
        for change in map(datetime.fromisoformat, changes):
            found += [("a change of the clocks", zone, f"{change + timedelta(seconds=by):%FT%T}") for by in (-120, 5)]
    for offset in range(-12, 15):
        zone = f"Etc/GMT{-offset:+d}" if offset else "Etc/UTC"
        found.append((f"UTC{offset:+d}", zone, "2027-06-15T23:57:00" if offset >= 0 else "2027-06-15T00:00:05"))
    now = datetime.now(UTC)
    found += [("ten years", "UTC", f"{now + by:%FT%T}") for by in (-DECADE, DECADE)]
    return found


def _jobs(form: Form, ask: Ask) -> Iterable[Job]:
    del ask
    for instant in form.sample(instants(), 5):
        yield partial(_convert_at, instant, form.mutant)
    if not form.mutant:
        for jumps in form.sample(JUMPS, 1):
            yield partial(_jump, jumps)


def needs_faketime() -> str | None:
    try:
        said = _python(
            "import time; print(time.time())", at=datetime(2040, 1, 1, tzinfo=UTC), zone="UTC", folder=Path.cwd()
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"libfaketime does not work on this machine ({error})"
    if not said.stdout.startswith("22"):
        return "libfaketime does not work on this machine"
    return None if Path("/usr/share/zoneinfo/Etc/GMT+12").exists() else "there are no zones (apt-get install tzdata)"


def faked(by: timedelta) -> dict[str, str]:
    """Return the variables that move a program's wall clock by this much, and no other clock."""
    return {"LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{by.total_seconds():+f}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _python(code: str, *, at: datetime, zone: str, folder: Path) -> subprocess.CompletedProcess[str]:
    variables = {
        "PATH": os.environ["PATH"],
        "TZ": zone,
        "RESULT_DIR": str(folder / RESULTS),
        "UPLOAD_DIR": str(folder / UPLOADS),
        "SPEEDTEST_LOCATION_UUID": HERE,
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        env=variables | faked(at - datetime.now(UTC)),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )


def _convert_at(instant: Instant, mutant: str | None) -> Found:
    """Convert rows of yesterday, today and tomorrow: first only UTC's yesterday is converted, three days later all."""
    what, zone, text = instant
    now = datetime.fromisoformat(text).replace(tzinfo=UTC)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    second = timedelta(seconds=1)
    times = [midnight - DAY, midnight - second, midnight, midnight + DAY - second, midnight + DAY]
    rows = {row.name: row for row in (Row(f"row-{number}", when, number + 0.5) for number, when in enumerate(times))}
    verdict = Verdict()
    with workshop() as folder:
        tree = folder / "tree"
        child.call(_save, tree, list(rows.values()))
        wanted = Expected(rows, set(rows), {row.data for row in rows.values()})
        for at, complete in ((now, [(midnight - DAY).date()]), (now + 3 * DAY, sorted({w.date() for w in times}))):
            said = _python(_code(mutant), at=at, zone=zone, folder=tree)
            if said.returncode:
                verdict.other.append(f"the conversion ended with {said.returncode}: {said.stderr}")
            verdict.add(child.call(judge.judge, tree, wanted))
            if (found := _converted_days(tree)) != complete:
                verdict.other.append(f"the days {found} were converted, not {complete}")
    result = Found()
    result.take(f"{what}, {zone}, {text}", verdict)
    return result


def _save(tree: Path, rows: list[Row]) -> None:
    for row in rows:
        results.save(results.encode(row.measurement), tree / RESULTS)


def _code(mutant: str | None) -> str:
    apply = f"from tests.faults import mutants; mutants.apply({mutant!r}); " if mutant else ""
    return f"{apply}from speedtest.handlers import convert; convert.main()"


def _converted_days(tree: Path) -> list[date]:
    return sorted(day for day, _ in partitions.days(tree / UPLOADS / f"location={HERE}"))


JUMPS: Sequence[tuple[timedelta, ...]] = (
    (DAY, timedelta(0), DAY, timedelta(0)),
    (timedelta(hours=2), -timedelta(hours=2)),
    (DECADE, timedelta(0)),
    (-DECADE, timedelta(0), -DECADE),
)
"""Offsets to which the clock is set, one after the other, while a daemon measures."""


def _jump(jumps: Sequence[timedelta]) -> Found:
    """Move the clock while a daemon measures: measuring continues, and in the end each row is there once."""
    verdict = Verdict()
    with workshop() as folder:
        ookla.install(folder / "bin", result=ookla.RESULTS["1.2.0"].text.replace("2024-03-09T14:25:36Z", ookla.NOW))
        clock, home = folder / "clock", folder / "home"
        _set(clock, timedelta(0))
        variables = faked(timedelta(0)) | {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
        del variables["FAKETIME"]
        with DaemonProcess(home, folder / "bin", SLEEP_SECONDS="0.2", LOG_LEVEL="INFO", **variables) as daemon:
            for jump in (timedelta(0), *jumps):
                _set(clock, jump)
                before = len(daemon.logged("measured"))
                until(
                    lambda before=before: len(daemon.logged("measured")) >= before + 6, f"tests after a jump of {jump}"
                )
            code = daemon.stop()
            measured = len(daemon.logged("measured"))
        later = datetime.now(UTC) + max(*jumps, timedelta(0)) + 2 * DAY
        said = _python(_code(None), at=later, zone="UTC", folder=home)
        frame = lake.read(result_dir=home / RESULTS, upload_dir=home / UPLOADS)
        frame = frame[frame["status"] != "skipped"]  # a slow machine was still testing when the slot came
        left = list((home / RESULTS).glob("year=*"))
    if code or said.returncode or left:
        verdict.other.append(f"exit codes {code}, {said.returncode}; left: {left}; {said.stderr}")
    if len(frame) < measured:
        verdict.lost.add(f"{measured} tests made {len(frame)} rows")
    if len(frame) > measured:
        verdict.doubled.add(f"{measured} tests made {len(frame)} rows")
    found = Found()
    found.take(f"the clock jumps: {', '.join(map(str, jumps))}", verdict)
    return found


def _set(clock: Path, by: timedelta) -> None:
    new = clock.with_suffix(".new")
    new.write_text(f"{by.total_seconds():+f}\n")
    new.replace(clock)


FAMILY = Family(name="clock", jobs=_jobs, least=60, least_short=6, needs=needs_faketime)
