"""Line down, and up again: what the watch saw, each outage once.

The watch's file has the outages that last, the lake has those that are over. Both name them by the same id.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from speedtest.alerts import words
from speedtest.alerts.changes import Changes
from speedtest.alerts.conditions import Lasting, Words
from speedtest.alerts.rows import AlertRow, outage_id
from speedtest.data import watch_state
from speedtest.data.watch_state import WatchState
from speedtest.environment import Settings
from speedtest.report.words import PLACES
from speedtest.values import amounts

_PREFIX = "outage "
_LATE = timedelta(seconds=60)
"""An outage that is nowhere to be found so long after the line came up has lost its row."""


class _SeenOutage(msgspec.Struct, frozen=True):
    id: str
    start: datetime
    seconds: float
    place: str
    cause: str

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)


def watched(settings: Settings, now: datetime) -> WatchState | None:
    """Return what a watch over this line sees now, None if none does."""
    try:
        seen = watch_state.read(settings.result_dir)
    except (OSError, msgspec.MsgspecError):
        return None
    return seen if seen.location == settings.speedtest_location_uuid and seen.is_fresh(now) else None


def judge(changes: Changes, watch: WatchState | None, rows: Iterable[AlertRow]) -> None:
    """Take note of outages that have lasted for `ALERT_AFTER_SECONDS`, and of those that are over."""
    known, now, after = changes.known, changes.now, changes.settings.alert_after_seconds
    lasting = {each.id: each for each in watch.open} if watch else {}
    for outage in lasting.values():
        if watch and outage.seconds + (now - watch.seen).total_seconds() >= after:
            begun = _SeenOutage(outage.id, outage.started_at, outage.seconds, outage.place, outage.words)
            changes.began(f"{_PREFIX}{outage.id}", _begun(begun, changes))
    over = _of_rows(rows)
    if watch:
        over = {each.id: _of_watch(each) for each in (*watch.recent, *watch.ended)} | over
    for outage in sorted(over.values(), key=lambda each: each.start):
        if outage.id not in lasting:
            _over(outage, changes)
    if watch and watch.state == "up" and watch.since and now - watch.since > _LATE:
        for name, each in list(known.lasting.items()):
            if each.kind == "line" and name.removeprefix(_PREFIX) not in lasting:
                end = max(watch.since, each.begun)
                lost = _SeenOutage("", each.begun, (end - each.begun).total_seconds(), "", "its row was lost")
                changes.ended(name, end, _ended(lost, changes))


def _over(outage: _SeenOutage, changes: Changes) -> None:
    known, name = changes.known, f"{_PREFIX}{outage.id}"
    if outage.id in known.outages_over:
        return
    known.outages_over[outage.id] = outage.end
    is_long = outage.seconds >= changes.settings.alert_after_seconds
    if name not in known.lasting and is_long and outage.end > known.since:
        changes.began(name, _begun(outage, changes))
    changes.ended(name, outage.end, _ended(outage, changes))


def _begun(outage: _SeenOutage, changes: Changes) -> Lasting:
    where, location = changes.zone, changes.location
    told = Words(
        f"{location}: line down since {words.minute(outage.start, where)}",
        f"The line at {location} is down since {words.moment(outage.start, where)}.",
        _cause(outage, where),
    )
    return Lasting(kind="line", begun=outage.start, words=told)


def _ended(outage: _SeenOutage, changes: Changes) -> Words:
    where, location, length = changes.zone, changes.location, amounts.duration(outage.seconds)
    facts = [("Up since", words.moment(outage.end, where)), ("Was down for", length), *_cause(outage, where)]
    return Words(
        f"{location}: line up again after {length}", f"The line at {location} is up again after {length}.", (*facts,)
    )


def _cause(outage: _SeenOutage, where: ZoneInfo) -> tuple[tuple[str, str], ...]:
    facts = [("Down since", words.moment(outage.start, where))]
    facts += [("Where", PLACES.get(outage.place, words.said(outage.place)))] if outage.place else []
    facts += [("Seen", words.said(outage.cause))] if outage.cause else []
    return (*facts,)


def _of_rows(rows: Iterable[AlertRow]) -> dict[str, _SeenOutage]:
    found = [
        _SeenOutage(name, row["timestamp"], row["duration_seconds"] or 0.0, row["error_kind"] or "", row["error"] or "")
        for row in rows
        if (name := outage_id(row))
    ]
    return {each.id: each for each in found}


def _of_watch(outage: watch_state.LineOutage) -> _SeenOutage:
    return _SeenOutage(outage.id, outage.started_at, outage.seconds, outage.place, outage.words)
