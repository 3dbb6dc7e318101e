"""Conditions of the daemon and its machine: data budget, disk, conversion, delivery, quarantine. No row tells them."""

from datetime import UTC, datetime, time, timedelta

import msgspec

from speedtest.alerts import words
from speedtest.alerts.changes import Changes
from speedtest.alerts.conditions import Lasting, Words
from speedtest.daemon import memory, schedule
from speedtest.daemon.data_use import WARN_AT
from speedtest.daemon.schedule import Memory
from speedtest.data import delivery_note, heartbeat, partitions
from speedtest.data.disk_use import quarantined
from speedtest.data.parquet import Damaged
from speedtest.data.partitions import Folders
from speedtest.values import amounts

_LATEST_CONVERSION = timedelta(hours=6)
"""A day that is over is converted after the next test. So long after that, something must be wrong."""


def judge(changes: Changes, damaged: Damaged | None = None) -> None:
    """Take note of what is wrong with the machine, and of what is right again. `damaged`: why no row could be read."""
    _damaged(changes, damaged)
    _budget(changes)
    _disk(changes)
    _conversion(changes)
    _delivery(changes)
    _quarantine(changes)


def _damaged(changes: Changes, damaged: Damaged | None) -> None:
    location = changes.location
    facts = (("File", str(damaged.path)), ("Why", words.said(damaged.why))) if damaged else ()
    what = f"{location}: a file of the lake cannot be read"
    advice = f"{what}. Until you restore it or move it away, tests are not judged, or there is no digest."
    again = Words(f"{location}: the lake can be read again", f"{location}: all files of the lake can be read again.")
    changes.holds(
        "damaged",
        lambda: Lasting(kind="damaged", begun=changes.now, words=Words(what, advice, facts)),
        lambda: again,
        is_so=damaged is not None,
    )


def _budget(changes: Changes) -> None:
    budget = changes.settings.data_budget_gb_per_month
    used = _used(changes) if budget else 0.0
    month, location = schedule.month(changes.now), changes.location
    for kind, part in (("budget-80", WARN_AT), ("budget", 1.0)):
        what = f"{100 * part:.0f} % of the data budget used"
        facts = (("Used in " + month, f"{used:.2f} GB"), ("Budget", f"{budget or 0:g} GB a month"))
        rest = "No test is made until next month." if kind == "budget" else "Tests go on until all of it is used."
        begun = Words(f"{location}: {what}", f"{location}: {what} in {month}. {rest}", facts)
        over = Words(f"{location}: tests go on", f"{location}: the data budget allows tests again.", facts)
        changes.holds(
            kind,
            lambda kind=kind, begun=begun: Lasting(kind=kind, begun=changes.now, words=begun),
            lambda over=over: over,
            is_so=budget is not None and used >= part * budget,
        )


def _used(changes: Changes) -> float:
    """Return this month's GB, as the schedule's notes have them; 0 if there are none."""
    folder = changes.settings.result_dir
    try:
        remembered = msgspec.json.decode((folder / memory.FILE_NAME).read_bytes(), type=Memory)
    except (OSError, msgspec.MsgspecError):  # the daemon warns of that
        remembered = Memory()
    remembered.by_hand = memory.by_hand(folder, remembered.by_hand)
    return schedule.gigabytes(remembered, changes.now)


def _disk(changes: Changes) -> None:
    location, folder = changes.location, changes.settings.result_dir
    try:
        waiting = heartbeat.read(folder).rows_waiting
    except (OSError, msgspec.MsgspecError):  # no daemon has run yet
        waiting = 0
    facts = (("Folder", str(folder)), ("Waiting", amounts.count(waiting, "row")))
    advice = f"The disk refuses rows of {location}: they wait in memory. Free space, or repair the disk."
    begun = Words(f"{location}: the disk refuses rows", advice, facts)
    over = Words(f"{location}: the disk takes rows again", f"The disk takes the rows of {location} again.", facts[:1])
    changes.holds("disk", lambda: Lasting(kind="disk", begun=changes.now, words=begun), lambda: over, is_so=waiting > 0)


def _conversion(changes: Changes) -> None:
    settings, location = changes.settings, changes.location
    oldest = next(partitions.complete_days(settings.result_dir, changes.now.date(), lambda _: None), None)
    patience = max(_LATEST_CONVERSION, timedelta(seconds=2 * settings.sleep_seconds))
    is_late = False
    if oldest:
        over_at = datetime.combine(oldest[0], time(), UTC) + timedelta(days=1)
        is_late = changes.now > max(over_at, changes.known.since) + patience
    facts = (("Oldest day", f"{oldest[0]} (UTC)" if oldest else ""), ("Folder", str(settings.upload_dir)))
    advice = f"{location}: a day that is over is still not converted. No row is lost; the log says why."
    begun = Words(f"{location}: days are not converted", advice, facts)
    again = Words(f"{location}: days are converted again", f"{location}: all complete days are converted.", ())
    changes.holds(
        "conversion", lambda: Lasting(kind="conversion", begun=changes.now, words=begun), lambda: again, is_so=is_late
    )


def _delivery(changes: Changes) -> None:
    settings, location = changes.settings, changes.location
    try:
        note = delivery_note.read(settings.result_dir) if settings.deliver_to else None
    except OSError:  # the disk refuses rows then as well
        note = None
    complaint = note.complaint(changes.now) if note else None
    facts = (("Why", words.said(complaint)),) if complaint else ()
    begun = Words(f"{location}: delivery fails", f"{location}: files of the lake do not reach DELIVER_TO.", facts)
    again = Words(f"{location}: delivery works again", f"{location}: files of the lake reach DELIVER_TO again.")
    changes.holds(
        "delivery",
        lambda: Lasting(kind="delivery", begun=changes.now, words=begun),
        lambda: again,
        is_so=complaint is not None,
    )


def _quarantine(changes: Changes) -> None:
    known, settings = changes.known, changes.settings
    folder = Folders(settings.result_dir, settings.upload_dir).quarantine
    number, before = quarantined(folder), known.quarantined
    known.quarantined = number
    if before is None or number <= before:
        return
    files = amounts.count(number - before, "file")
    what = f"{changes.location}: {files} moved to quarantine"
    sentence = f"{what}: not the file of a row. The rest of the day is converted; the reason lies beside each file."
    facts = (("Folder", str(folder)), ("In quarantine", amounts.count(number, "file")))
    changes.told("quarantine", changes.now, Words(what, words.said(sentence), facts))
