"""Watch the wall clock: log its jumps, hold back rows whose dates may be wrong, and date them right after a jump.

A machine without a battery starts with a wrong clock, until it has asked a time server. Rows measured while the clock
is not synchronised are held (see `data.held`). At a jump they are re-dated by it. If the clock is synchronised without
a jump, they were right. If neither happens for `LONGEST_HOLD_SECONDS`, or at the end of the daemon, they keep their
dates. Rows measured with a synchronised clock, or where the system does not say, are never held.
"""

import os
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from speedtest.daemon.clock import Clock, Reading
from speedtest.data import held
from speedtest.logging import Events
from speedtest.measurement import Measurement
from speedtest.values import amounts

events = Events(__name__)

JUMP_SECONDS = 2.0
"""The wall clock has jumped if it differs by more than this from the elapsed time since the last jump."""
LONGEST_HOLD_SECONDS = 3 * 86_400.0
"""How long a clock may be unsynchronised until its rows are no longer held: some systems never say."""


class ClockWatch:
    """Compares the wall clock with the elapsed time."""

    def __init__(self, clock: Clock, result_dir: Path) -> None:
        """Look at the clocks for the first time."""
        self._clock = clock
        self._result_dir = result_dir
        self._last = clock.read()
        self._sure_at = self._last.elapsed
        self.offset = self._last.offset
        """Wall clock minus elapsed time, as of the last jump."""
        self._token = _new_token()
        self._held: dict[str, float] = {}
        """The offset of held rows, by their token."""
        self._told = self._refused = False
        self._others = True
        """Whether there may be rows that an earlier run held."""

    def look(self) -> Reading:
        """Read the clocks. Log a jump of the wall clock since the last look."""
        self._last = now = self._clock.read()
        by = now.offset - self.offset
        if abs(by) > JUMP_SECONDS:
            before = now.wall - timedelta(seconds=by)
            events.warning(
                "clock_jumped",
                "the clock jumped by %+.1f s, from %s to %s",
                by,
                f"{before:%Y-%m-%d %H:%M:%S}Z",
                f"{now.wall:%Y-%m-%d %H:%M:%S}Z",
                jumped_from=before.isoformat(),
                jumped_to=now.wall.isoformat(),
                jumped_seconds=round(by, 3),
            )
            self.offset, self._token = now.offset, _new_token()
        if now.synced is not False:
            self._sure_at, self._told = now.elapsed, False
        return now

    def hold(self, measurement: Measurement, name: str = "") -> str | None:
        """Return the token under which a row must be held, None if its date is right or nothing will correct it.

        The token ends with the row's own `name`, if it has one.
        """
        if measurement.clock_synced is not False or not self._is_unsure():
            return None
        token = f"{self._token}-{name}" if name else self._token
        self._held[token] = self.offset
        if not self._told:
            self._told = True
            events.warning(
                "clock_unsynchronised",
                "the clock is not synchronised: new rows are held back from conversion until it is, at most %d hours",
                LONGEST_HOLD_SECONDS // 3600,
            )
        return token

    @property
    def holds(self) -> bool:
        """Whether rows are held."""
        return bool(self._held)

    def look_for_others(self) -> None:
        """Take note that a row of an earlier run may have been held just now."""
        self._others = True

    def settle(self) -> None:
        """Give the held rows their places if their dates are known now, or if they were held for too long."""
        unsure = self._is_unsure()
        if self._others or any(not unsure or offset != self.offset for offset in self._held.values()):
            self._release(all_rows=not unsure)

    def release(self) -> None:
        """Give all held rows their places, re-dated if the clock has jumped since; the others keep their dates."""
        self._release(all_rows=True)

    def _release(self, *, all_rows: bool) -> None:
        """Give held rows their places. If the disk refuses, the next cycle tries again."""

        def shift(token: str) -> timedelta | None:
            offset = self._held.get(token)
            if offset is None:  # of an earlier run: what its clock did is not known
                return timedelta(0)
            return timedelta(seconds=round(self.offset - offset, 3)) if all_rows or offset != self.offset else None

        try:
            redated = held.release(self._result_dir, shift)
        except OSError as error:
            if not self._refused:
                events.error(
                    "row_refused",
                    "could not move the rows held back for their dates: %s; the next cycle retries",
                    error,
                )
            self._refused = True
            return
        self._refused = self._others = False
        self._held = {} if all_rows else {t: offset for t, offset in self._held.items() if offset == self.offset}
        if redated:
            events.warning(
                "rows_redated", "re-dated %s: the clock was wrong", amounts.count(redated, "row"), rows=redated
            )

    def _is_unsure(self) -> bool:
        """Return whether the wall clock is unsynchronised, and was not for too long already."""
        return self._last.synced is False and self._last.elapsed - self._sure_at < LONGEST_HOLD_SECONDS


def dated(row: Measurement, before: Reading, after: Reading) -> Measurement:
    """Return a row with what is known of its clock, from readings before and after the attempt.

    If an unsynchronised clock jumped meanwhile, the row gets the time after the jump, like the rows before it.
    """
    row = replace(row, clock_synced=before.synced)
    seconds = after.offset - before.offset
    if before.synced is not False or abs(seconds) <= JUMP_SECONDS or row.started_at is None:
        return row
    by = timedelta(seconds=round(seconds, 3))
    slack = timedelta(seconds=JUMP_SECONDS)
    lasted = timedelta(seconds=after.elapsed - before.elapsed)
    by_the_old_time = before.wall - slack <= row.timestamp <= before.wall + lasted + slack
    by_the_new_time = after.wall - lasted - slack <= row.timestamp <= after.wall + slack
    moved = replace(row, started_at=row.started_at + by, slot=row.slot + by if row.slot else None)
    if row.status == "ok" and (by_the_new_time or not by_the_old_time):
        return moved
    return replace(moved, timestamp=row.timestamp + by, raw_timestamp=row.timestamp)


def _new_token() -> str:
    return os.urandom(4).hex()
