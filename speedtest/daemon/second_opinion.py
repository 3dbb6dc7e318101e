"""When a second opinion may be asked of M-Lab's public servers (`SPEEDTEST_SECOND_OPINION=ndt7`).

M-Lab asks programs that test by themselves to do so at random times, four times a day in the mean: gaps from an
exponential distribution with a mean of six hours, at least 36 minutes and at most 15 hours (ndt7-protocol.md,
"Requirements for non-interactive clients"). Whatever the interval and whatever the gaps, no 24 hours have more than
four tests here. A test is noted before it begins, so that a crash does not make more of them.

With a server of one's own there is no limit: each slot that measured has a second opinion.
"""

from datetime import datetime, timedelta

from speedtest.daemon.schedule import Memory
from speedtest.variables import SECONDS_PER_DAY

MOST_A_DAY = 4
MEAN_GAP_SECONDS, SHORTEST_GAP_SECONDS, LONGEST_GAP_SECONDS = 21_600.0, 2_160.0, 54_000.0
_DAY = timedelta(seconds=SECONDS_PER_DAY)


def is_due(memory: Memory, now: datetime) -> bool:
    """Return whether a public test may be made now. The first time it draws when the first one is due.

    A time that is impossibly late is drawn again: the clock was set back after it. So is one on which the last 24 hours
    have four tests already: if it waited for their end, tests would come at the same hours of each day.
    """
    due = memory.second_opinion_due
    if due is None or due - now > timedelta(seconds=LONGEST_GAP_SECONDS):
        memory.second_opinion_due = now + _gap()
        return False
    if now < due:
        return False
    if len(_of_the_last_day(memory, now)) >= MOST_A_DAY:
        memory.second_opinion_due = now + _gap()
        return False
    return True


def note(memory: Memory, now: datetime) -> None:
    """Note a public test that begins now, and draw when the next one is due."""
    memory.second_opinions = [*_of_the_last_day(memory, now), now][-MOST_A_DAY:]
    memory.second_opinion_due = now + _gap()


def _of_the_last_day(memory: Memory, now: datetime) -> list[datetime]:
    """Return the tests of the last 24 hours. Those up to a day ahead count: the clock may have been set back."""
    return [at for at in memory.second_opinions if abs(now - at) < _DAY]


def _gap() -> timedelta:
    import random  # noqa: PLC0415 (a daemon without a second opinion never needs it)

    drawn = random.SystemRandom().expovariate(1 / MEAN_GAP_SECONDS)
    return timedelta(seconds=min(max(drawn, SHORTEST_GAP_SECONDS), LONGEST_GAP_SECONDS))
