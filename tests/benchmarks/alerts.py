"""Prove that alerts are told once: `./bootstrap.sh bench alerts`.

Two parts, both with real receivers on loopback (an HTTP server, another one, a mail server) and with the real child:

- A scripted week in simulated time: 30 outages and 20 that are too short to be told, 10 slow evenings, single slow,
  failed and doubtful tests, one channel down for two days, alerts due while the line is down, and a kill in every
  fourth run at a random step.
- The life of an event, from the first note to the last: the child is killed (SIGKILL) at every step at which it changes
  a file or opens a connection, and once more at every step of the run after that.

The table says how many events each channel should have got, how many it got, how many of them twice, how many of those
without a kill between the channel's yes and the note of it, how many were invented, and how many came out of order.
"""

import argparse
import itertools
import os
import random
import re
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import alerting
import msgspec
from alerting import AlertedLine, HttpReceiver, MailReceiver, good_row, lasting, outage

from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders
from speedtest.measurement import Measurement
from speedtest.values import amounts
from tests.benchmarks.report import grid

START = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = timedelta(days=7)
SLOT = timedelta(minutes=10)
BERLIN = ZoneInfo("Europe/Berlin")
LONG, SHORT, EVENINGS = 30, 20, 10
DOWN_FROM, DOWN_FOR = timedelta(days=2), timedelta(days=2)
"""When one of the channels refuses everything."""
_EVENT = re.compile(r"\b[0-9a-f]{16}\b")
_CHANGES = frozenset({"os.rename", "os.link", "os.remove", "os.mkdir", "socket.connect"})


class Told(msgspec.Struct, frozen=True):
    """One message that a receiver got."""

    id: str
    title: str
    down_since: str


class Tally(msgspec.Struct):
    """What one channel got, against what it should have got."""

    due: int = 0
    got: int = 0
    twice: int = 0
    twice_without_kill: int = 0
    invented: int = 0
    missing: int = 0
    disordered: int = 0

    def add(self, other: "Tally") -> None:
        """Add another tally."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Script(msgspec.Struct, frozen=True):
    """What happens in the week."""

    outages: list[tuple[datetime, float]]
    evenings: list[datetime]
    """Starts of two hours in which every test is slow."""
    odd: dict[datetime, str]
    """Slots with one odd test."""


def script(numbers: random.Random, days: int) -> Script:
    """Draw a week, or as many days of one."""
    share = days / 7
    evenings = [START + timedelta(hours=15 * number + 7) for number in range(round(EVENINGS * share))]
    free = [
        START + SLOT * number
        for number in range(6, days * 144 - 12)
        if all(abs(START + SLOT * number - each - timedelta(hours=1)) > timedelta(hours=2.5) for each in evenings)
    ]
    taken = numbers.sample(range(len(free) // 9), round((LONG + SHORT) * share))
    long = round(LONG * share)
    outages = [
        (
            free[place * 9] + timedelta(seconds=numbers.randrange(60, 500)),
            float(numbers.randrange(70, 3600) if number < long else numbers.randrange(5, 58)),
        )
        for number, place in enumerate(taken)
    ]
    odd = {
        free[place * 9 + 8]: numbers.choice(["slow", "failed", "wifi"]) for place in taken if place * 9 + 8 < len(free)
    }
    return Script(sorted(outages), evenings, odd)


def expected(week: Script) -> list[tuple[str, str]]:
    """Return the titles of all messages that are due, each with the start of its outage, in no order."""
    found: list[tuple[str, str]] = []
    for start, seconds in week.outages:
        if seconds >= 60:
            since = f"{start.astimezone(BERLIN):%a %d %b %Y %H:%M:%S} (Europe/Berlin)"
            found.append((f"home: line down since {start.astimezone(BERLIN):%d %b %H:%M}", since))
            found.append((f"home: line up again after {amounts.duration(seconds)}", since))
    for start in week.evenings:
        end = start + timedelta(hours=2)
        found.append((f"home: slow since {start.astimezone(BERLIN):%d %b %H:%M}", ""))
        found.append((f"home: fast again since {end.astimezone(BERLIN):%d %b %H:%M}", ""))
    return found


def rows(week: Script, due: datetime) -> list[Measurement]:
    """Return the rows of a slot."""
    if any(start <= due <= start + timedelta(seconds=seconds) for start, seconds in week.outages):
        return [alerting.failed_row(due, line="down")]
    if any(start <= due < start + timedelta(hours=2) for start in week.evenings):
        return [good_row(due, 30)]
    match week.odd.get(due):
        case "slow":
            return [good_row(due, 30)]
        case "wifi":
            return [good_row(due, 30, link="wifi")]
        case "failed":
            retried = good_row(due, started_at=due + timedelta(seconds=20), attempt=2)
            return [alerting.failed_row(due, line="up"), retried]
        case _:
            return [good_row(due)]


class Receivers:
    """Three channels, and what each got."""

    def __init__(self, first: HttpReceiver, second: HttpReceiver, mail: MailReceiver) -> None:
        """Take the running receivers."""
        self.first, self.second, self.mail = first, second, mail

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses, as in ALERT_URLS."""
        return self.first.url, self.second.url, self.mail.url

    def told(self) -> dict[str, list[Told]]:
        """Return what each got, in order."""
        hooks = {"HTTP": self.first, "HTTP, down for two days": self.second}
        found = {
            name: [_told(message["title"], message["message"]) for message in hook.messages]
            for name, hook in hooks.items()
        }
        mails = [_told(str(mail["Subject"]), _plain(mail)) for mail in self.mail.mails]
        return found | {"e-mail": mails}

    def last(self) -> set[tuple[str, str]]:
        """Return the last event that each channel got."""
        return {(name, found[-1].id) for name, found in self.told().items() if found}


def _plain(mail: Any) -> str:  # noqa: ANN401 (a mail of the standard library)
    return str(mail.get_body(("plain",)).get_content())


def _told(title: str, text: str) -> Told:
    ids = _EVENT.findall(text)
    since = re.search(r"Down since:?\s*(.+\))", text)
    return Told(ids[-1], title, since[1].strip() if since else "")


@contextmanager
def receivers() -> Iterator[Receivers]:
    """Run the receivers for a block."""
    with HttpReceiver() as first, HttpReceiver() as second, MailReceiver() as mail:
        yield Receivers(first, second, mail)


def child(work: Callable[[], object], kill_at: int | None = None) -> tuple[bool, int]:
    """Do this in a process that is killed at its step of this number; return whether it was killed, and its steps."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child takes no lock that a thread of ours may hold
        pid = os.fork()
    if not pid:
        code = 1
        try:
            steps = _count_steps(kill_at)
            work()
            os.write(writer, str(steps[0]).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"a run of the child failed: {os.waitstatus_to_exitcode(status)}")
    return killed, int(said or 0)


def _count_steps(kill_at: int | None) -> list[int]:
    """Count what this process changes from now on, and end it by SIGKILL before the change of this number."""
    steps = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if is_write or event in _CHANGES:
            steps[0] += 1
            if steps[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return steps


class Week:
    """The scripted week, and the child that runs in it."""

    def __init__(self, folder: Path, found: Receivers, numbers: random.Random, days: int, kill_share: float) -> None:
        """Draw the week; nothing has run yet."""
        self._numbers, self._kill_share, self._days = numbers, kill_share, days
        self.script = script(numbers, days)
        self._receivers = found
        self._line = AlertedLine(folder, found.urls, {"ALERT_BELOW_MBPS": "100,10"})
        self.runs = self.kills = 0
        self.excused: set[tuple[str, str]] = set()
        """The channel and the event before whose note a child was killed."""

    def live(self) -> None:
        """Live through the week, and a day more."""
        self._run(START)
        happens = sorted(self._happens(), key=lambda each: each[0])
        for (at, what), (following, _) in zip(happens, [*happens[1:], (happens[-1][0] + SLOT, None)], strict=True):
            self._receivers.second.refuses = DOWN_FROM <= at - START < DOWN_FROM + DOWN_FOR
            self._receivers.mail.refuses = self._numbers.random() < 0.02
            what()
            self._run(at)
            now = at
            while (wake := self._wake()) and now < wake < following:
                now = wake
                self._run(now)

    def _happens(self) -> Iterator[tuple[datetime, Callable[[], object]]]:
        for number in range(self._days * 144):
            due = START + SLOT * number
            yield due + timedelta(seconds=40), lambda due=due: self._line.keep(*rows(self.script, due))
        for start, seconds in self.script.outages:
            if seconds > 66:
                yield start + timedelta(seconds=65), lambda: None
            end = start + timedelta(seconds=seconds)
            yield end + timedelta(seconds=5), lambda start=start, s=seconds: self._line.keep(outage(start, s))
        for day in range(self._days):
            over = START + timedelta(days=day + 1, minutes=11)
            yield over, lambda over=over: child(lambda: self._convert(over))
        for hour in range(24):
            yield START + timedelta(days=self._days, hours=hour, minutes=5), lambda: None

    def _run(self, now: datetime) -> None:
        self._watch(now)
        self.runs += 1
        kill_at = self._numbers.randrange(1, 12) if self._numbers.random() < self._kill_share else None
        killed, _ = child(lambda: self._line.run(now), kill_at)
        if killed:
            self.kills += 1
            self.excused |= self._receivers.last()
            self._run(now + timedelta(seconds=2))

    def _convert(self, now: datetime) -> None:
        folders = Folders(self._line.settings.result_dir, self._line.settings.upload_dir)
        if convert(folders, alerting.LOCATION, now.date()):
            raise RuntimeError("a day could not be converted")

    def _watch(self, now: datetime) -> None:
        for start, seconds in self.script.outages:
            if start + timedelta(seconds=4) <= now < start + timedelta(seconds=seconds):
                self._line.watch(now, "down", start, [lasting(start, now)])
                return
        ends = [start + timedelta(seconds=seconds) for start, seconds in self.script.outages]
        self._line.watch(now, "up", max((end for end in ends if end <= now), default=START - SLOT))

    def _wake(self) -> datetime | None:
        return msgspec.json.decode((self._line.outbox.folder / ".wake.json").read_bytes(), type=datetime | None)


def judge(told: Sequence[Told], due: Sequence[tuple[str, str]], excused: set[str]) -> Tally:
    """Hold what a channel got against what was due."""
    counts = Counter(each.id for each in told)
    first = list({each.id: each for each in told}.values())
    titles = Counter((each.title, each.down_since) for each in first)
    missing, invented = Counter(due) - titles, titles - Counter(due)
    twice = {event for event, number in counts.items() if number > 1}
    outages = [each.down_since for each in first if each.down_since]
    times = [datetime.strptime(text.split(" (")[0], "%a %d %b %Y %H:%M:%S").replace(tzinfo=BERLIN) for text in outages]
    return Tally(
        due=len(due),
        got=len(first),
        twice=len(twice),
        twice_without_kill=len(twice - excused),
        invented=invented.total(),
        missing=missing.total(),
        disordered=sum(later < earlier for earlier, later in itertools.pairwise(times)),
    )


def week(numbers: random.Random, days: int, kill_share: float) -> tuple[dict[str, Tally], int, int]:
    """Live through a week; return the tally of each channel, how often the child ran, and how often it was killed."""
    with tempfile.TemporaryDirectory(prefix="speedsnake-alerts-") as folder, receivers() as found:
        lived = Week(Path(folder), found, numbers, days, kill_share)
        lived.live()
        due = expected(lived.script)
        tallies = {
            name: judge(told, due, {event for channel, event in lived.excused if channel == name})
            for name, told in found.told().items()
        }
        orders = {tuple(dict.fromkeys(each.id for each in told)) for told in found.told().values()}
        if len(orders) > 1:
            next(iter(tallies.values())).disordered += 1
    return tallies, lived.runs, lived.kills


def life(stride: int, *, twice: bool) -> tuple[Tally, int]:
    """Kill the child at every step of the life of two events, and again if `twice`; return the tally and the kills.

    With a `stride`, only every so many-th step.
    """
    whole, kills = Tally(), 0
    with receivers() as found:
        steps = _life(found, [])[1]
        chosen: list[list[int]] = [[first] for first in range(1, steps + 1, stride)]
        if twice:
            chosen += [[first, second] for first in range(2, steps + 1, 5) for second in range(1, steps, 8)]
        for kill_at in chosen:
            tally, killed = _life(found, kill_at)
            whole.add(tally)
            kills += killed
    return whole, kills


def _life(found: Receivers, kill_at: list[int]) -> tuple[Tally, int]:
    """Let one outage be told, the child being killed at these steps; return the tally, and the kills or the steps."""
    start, number = START + timedelta(minutes=1), 0
    for receiver in (found.first, found.second):
        receiver.bodies.clear()
    found.mail.mails.clear()
    excused: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory(prefix="speedsnake-alerts-") as folder:
        line = AlertedLine(Path(folder), found.urls)
        child(lambda: line.run(START))
        line.keep(outage(start, 252.0))
        at = start + timedelta(minutes=6)
        for step in [*kill_at, None, None]:
            line.watch(at, "up", start + timedelta(seconds=252))
            killed, steps = child(lambda at=at: line.run(at), step)
            if killed:
                excused |= found.last()
            number += killed if kill_at else steps
            at += timedelta(minutes=1)
        left = len(line.waiting())
    due = expected(Script([(start, 252.0)], [], {}))
    whole = Tally(missing=left)
    for name, told in found.told().items():
        whole.add(judge(told, due, {event for channel, event in excused if channel == name}))
    return whole, number


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both parts and print the table; exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks alerts", description=__doc__)
    parser.add_argument("--days", type=int, default=7, help="days of the scripted week (7)")
    parser.add_argument("--seed", type=int, default=15, help="of the script and the kills (15)")
    parser.add_argument("--part", choices=("week", "life"), help="do only this part")
    options = parser.parse_args(arguments)
    load()
    tallies = dict[str, Tally]()
    if options.part != "life":
        found, runs, kills = week(random.Random(options.seed), options.days, 0.25)
        tallies |= {f"the week: {name}": tally for name, tally in found.items()}
        sys.stdout.write(f"The week: {runs:,} runs of the child, {kills:,} of them killed.\n")
    if options.part != "week":
        lives, kills = life(1, twice=True)
        tallies["every step of a life, three channels"] = lives
        sys.stdout.write(f"Lives of an event: {kills:,} kills.\n")
    heads = ["what", "due", "got", "missing", "invented", "out of order", "twice", "twice without a kill"]
    lines = [
        [name, t.due, t.got, t.missing, t.invented, t.disordered, t.twice, t.twice_without_kill]
        for name, t in tallies.items()
    ]
    sys.stdout.write("\n" + grid(heads, [[str(cell) for cell in each] for each in lines]))
    wrong = [t for t in tallies.values() if t.missing or t.invented or t.disordered or t.twice_without_kill]
    sys.exit(1 if wrong else 0)


def load() -> None:
    """Load Apprise's services once, so that the children, which are forks, need not."""
    from apprise import Apprise  # noqa: PLC0415 (it takes seconds; only this harness needs it so early)

    Apprise.instantiate("json://127.0.0.1/")


if __name__ == "__main__":
    main()
