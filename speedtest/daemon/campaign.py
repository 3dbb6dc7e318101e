"""The campaign that somebody ordered: the daemon makes its tests beside the normal schedule.

The daemon looks for `campaign.json` while it waits, keeps what became of each test in `.campaign.json`, and plans anew
after each of them what is still missing. A test that may be slow for another reason is repeated, whatever its speed:
nothing here looks at a speed.
"""

import math
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from speedtest.campaigns import local, order, plans
from speedtest.campaigns.days import SamplePlan
from speedtest.campaigns.fit import unfit
from speedtest.campaigns.order import CampaignProgress, Order, OutcomeKind, Planned, PlannedOutcome
from speedtest.campaigns.samples import SAMPLES, LegalSample
from speedtest.daemon.clock import Clock
from speedtest.environment import Settings
from speedtest.logging import Events
from speedtest.measurement import Measurement
from speedtest.speedtest import Slot
from speedtest.values import amounts

events = Events(__name__)

LATE = timedelta(seconds=75)
"""A test that has not begun so long after its time is missed."""
_EVENING, _NIGHT = "21:00", "23:30"


class Campaign:
    """The campaign in this daemon's RESULT_DIR, if there is one."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Start without an order; `look` finds it."""
        self._settings = settings
        self._clock = clock
        self._path = settings.result_dir / order.ORDER_NAME
        self._version: tuple[int, int] | None = None
        self._order: Order | None = None
        self._progress = CampaignProgress(id="")
        self._plan = SamplePlan((), 0)
        self._running: Planned | None = None
        self._best: tuple[OutcomeKind, str | None] | None = None
        self._refused = False

    @property
    def near(self) -> float:
        """How many seconds a slot of the normal schedule may be away to be the campaign's test."""
        return self._sample.near if self._order else 0.0

    @property
    def id(self) -> str | None:
        """The name of the campaign."""
        return self._order.id if self._order else None

    @property
    def completed(self) -> str | None:
        """The name of the campaign if its sample is complete, so that its verdict can be made."""
        return self._order.id if self._order and self._progress.complete else None

    @property
    def next_due(self) -> float:
        """When the next test is due, by the monotonic clock; infinite if none is. What is late is missed."""
        if not self._plan.tests or self._running:
            return math.inf
        if self._is_late(self._plan.tests[0]):
            self._miss()
        return self._monotonic(self._plan.tests[0].due) if self._plan.tests else math.inf

    def look(self) -> None:
        """Look for a new or cancelled order, and say in the evening what is missing."""
        version = _version(self._path)
        if version != self._version:
            self._version = version
            self._load()
        if self._order and not self._progress.complete:
            self._tell(self._clock.now())

    def slot(self, ends: float) -> Slot:
        """Return the next test's slot; it becomes the running one. `ends`: when the normal schedule goes on."""
        self._running = self._plan.tests[0]
        following = self._monotonic(self._plan.tests[1].due) if len(self._plan.tests) > 1 else math.inf
        return self._marked(Slot(self._running.due, ends=min(ends, following)))

    def claim(self, slot: Slot) -> Slot:
        """Return a slot of the normal schedule as the campaign's next test, if it is near enough."""
        if not self._plan.tests or abs((slot.due - self._plan.tests[0].due).total_seconds()) > self.near + 1:
            return slot
        self._running = self._plan.tests[0]
        return self._marked(slot)

    def note(self, row: Measurement) -> None:
        """Note a row of the running test. The first successful one decides."""
        if self._order is None or (self._best and self._best[0] in ("counted", "refused")):
            return
        if row.status == "ok":
            why = unfit(row, self._order)
            self._best = ("refused", why) if why else ("counted", None)
        else:
            self._best = ("skipped" if row.status == "skipped" else "failed", f"{row.error_kind}: {row.error}")

    def settle(self) -> None:
        """Note that the running test is over: what became of it, and what is missing now."""
        planned, best = self._running, self._best
        self._running = self._best = None
        if planned is None or best is None or self._order is None:
            return
        result, why = best
        self._add(PlannedOutcome(due=planned.due, block=planned.block, result=result, why=why, ended=self._clock.now()))
        if result == "counted":
            events.info("campaign_counted", "%s: %s", self._order.id, self._count())
        else:
            events.warning(
                "campaign_refused", "%s: this test does not count, it is repeated: %s", self._order.id, why or result
            )
        self._replan()

    @property
    def _sample(self) -> LegalSample:
        return SAMPLES[self._order.profile if self._order else "eu-minimum"]

    def _marked(self, slot: Slot) -> Slot:
        return msgspec.structs.replace(slot, campaign=self.id, patience=self._sample.patience)

    def _monotonic(self, due: datetime) -> float:
        return self._clock.monotonic() + (due - self._clock.now()).total_seconds()

    def _load(self) -> None:
        """Read the order and how far it is. One that cannot be read is told once, and nothing is measured for it."""
        self._order, self._plan, self._running = None, SamplePlan((), 0), None
        try:
            found = order.read_order(self._settings.result_dir)
            if found is None or found.cancelled or found.location != self._settings.speedtest_location_uuid:
                return
            progress = order.read_progress(self._settings.result_dir, found)
        except (OSError, msgspec.MsgspecError) as error:
            events.error("campaign_unreadable", "the campaign in %s cannot be read: %s", self._path, error)
            return
        if found.profile not in SAMPLES:
            events.error("campaign_unreadable", "%s: there is no sample for %s", self._path, found.profile)
            return
        self._order, self._progress = found, progress
        self._plan = SamplePlan(tuple(progress.planned), 0)
        self._miss()
        if not progress.complete:
            events.info("campaign_planned", "%s: %s. %s", found.id, plans.missing(self._plan), self._reminder())

    def _miss(self) -> None:
        """Note all tests as missed that have not begun in time, and plan anew."""
        late = [test for test in self._plan.tests if self._is_late(test)]
        for test in late:
            why = "no daemon was running, or it was busy"
            self._add(PlannedOutcome(due=test.due, block=test.block, result="missed", why=why, ended=test.due))
        if late:
            missed = amounts.count(len(late), "planned test")
            events.warning(
                "campaign_refused",
                "%s: missed %s: no daemon was running, or it was busy",
                self._order.id if self._order else None,
                missed,
            )
        self._replan()

    def _is_late(self, test: Planned) -> bool:
        return test.due < self._clock.now() - LATE

    def _add(self, outcome: PlannedOutcome) -> None:
        self._progress.outcomes.append(outcome)

    def _replan(self) -> None:
        """Plan what is missing now, write it down, and say so if a day is spoilt or nothing is missing any more."""
        if self._order is None or self._progress.complete:
            return
        now = self._clock.now()
        self._plan = plans.of(self._order.profile, self._order.start, self._progress.outcomes, now)
        spoilt = plans.spoilt(self._order.profile, self._progress.outcomes, now)
        fresh = [day for day in spoilt if day not in self._progress.spoilt]
        self._progress.spoilt = spoilt
        self._progress.planned = list(self._plan.tests)
        if self._plan.complete:
            self._progress.complete = now
            events.info("campaign_complete", "%s: the sample is complete. %s", self._order.id, self._reminder())
        elif fresh:
            days = ", ".join(map(date.isoformat, fresh))
            events.warning(
                "campaign_replanned",
                "%s: %s cannot be a measuring day any more; now %s",
                self._order.id,
                days,
                plans.missing(self._plan),
            )
        self._save()

    def _tell(self, now: datetime) -> None:
        """Say once an evening what is missing: after 21:00 when no test is left for the day, at the latest at 23:30."""
        today = local.day_of(now)
        told = self._progress.told
        if self._order is None or today < self._order.start or (told and told >= today):
            return
        left = any(local.day_of(test.due) == today for test in self._plan.tests)
        if now < local.instant(today, _NIGHT if left else _EVENING):
            return
        self._progress.told = today
        events.info(
            "campaign_missing",
            "%s: %s; still missing: %s. %s",
            self._order.id,
            self._count(),
            plans.missing(self._plan),
            self._reminder(),
        )
        self._save()

    def _count(self) -> str:
        counted = sum(outcome.result == "counted" for outcome in self._progress.outcomes)
        return f"{amounts.count(counted, 'test')} so far, {self._sample.enough} are needed"

    def _reminder(self) -> str:
        sample = self._sample
        if sample.tool is None:
            return f"There is no official tool; see {sample.url}"
        return f"What counts before the authority is the official tool, {sample.tool}: {sample.url}"

    def _save(self) -> None:
        try:
            order.write_progress(self._progress, self._settings.result_dir)
        except OSError as error:
            if not self._refused:
                events.warning("note_refused", "could not write the campaign's notes: %s; measuring continues", error)
            self._refused = True
        else:
            self._refused = False


def _version(path: Path) -> tuple[int, int] | None:
    """Return what changes when the file is replaced, None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
