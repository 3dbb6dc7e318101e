"""Follow the line, second by second: `speedsnake watch`. It saves nothing.

The state and the last outages are the daemon's, if one watches this line; its file is a minute old at most, and new at
each change. Latency and loss come from probes of this command, one round a second.

Exit codes: 0 done · 78 wrong configuration · 130 ended by Ctrl-C.
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace
from rich.console import Group
from rich.live import Live
from rich.text import Text

from speedtest.daemon.clock import Clock
from speedtest.daemon.watch import Watch
from speedtest.data import watch_state
from speedtest.data.watch_state import LineOutage, WatchState
from speedtest.environment import Settings
from speedtest.process import Stop
from speedtest.terminal import console, exits, startup
from speedtest.terminal.command import alone
from speedtest.values import amounts

_SHOWN = 5
_STYLES = {"up": "green", "down": "red", "unknown": "yellow"}


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown in one second."""

    by: str
    """`daemon` or `this command`: who knows the state."""
    state: str
    since: datetime | None
    place: str | None
    words: str | None
    last_latency_ms: float | None
    """Of the last round."""
    latency_ms: float | None
    """The median of the last minute, or since the start of this command, like the next two."""
    router_latency_ms: float | None
    loss_percent: float | None
    targets: list[str]
    router: str | None
    outages: list[LineOutage]
    """The last ones, newest first."""


def watch(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a second.")] = False,
    seconds: Annotated[float | None, typer.Option(min=1, help="End after so many seconds.")] = None,
) -> None:
    """Follow the line in the terminal, second by second.

    Shows whether the line is up, since when, its latency and loss, and the last outages. Probes WATCH_TARGETS once a
    second. The state and the outages are those of the daemon, if one watches this line.

    Exit codes: 0 done, 78 wrong configuration, 130 ended by Ctrl-C.
    """
    settings = startup.settings()
    ours = replace(settings, watch_seconds=1.0)
    probing = Watch.here(ours, Clock(Stop()))
    probing.start()
    try:
        _follow(_sights(settings, probing, seconds), as_json=as_json)
    except KeyboardInterrupt:
        sys.exit(exits.INTERRUPTED)


def _sights(settings: Settings, probing: Watch, seconds: float | None) -> Iterator[Second]:
    started = time.monotonic()
    while seconds is None or time.monotonic() - started < seconds:
        time.sleep(1.0 - (time.monotonic() - started) % 1.0)
        yield _sight(probing.seen(), _of_daemon(settings))


def _sight(here: WatchState, daemon: WatchState | None) -> Second:
    known = daemon or here
    return Second(
        by="daemon" if daemon else "this command",
        state=known.state,
        since=known.since,
        place=known.place,
        words=known.words,
        last_latency_ms=here.last_latency_ms,
        latency_ms=here.latency_ms,
        router_latency_ms=here.router_latency_ms,
        loss_percent=None if here.loss_ratio is None else round(100 * here.loss_ratio, 2),
        targets=here.targets,
        router=here.router,
        outages=known.recent[::-1][:_SHOWN],
    )


def _of_daemon(settings: Settings) -> WatchState | None:
    """Return what a daemon sees that watches this line now, None if there is none."""
    try:
        seen = watch_state.read(settings.result_dir)
    except (OSError, msgspec.MsgspecError):
        return None
    return seen if seen.is_fresh(datetime.now(UTC)) and seen.location == settings.speedtest_location_uuid else None


def _follow(sights: Iterator[Second], *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        for sight in sights:
            text = msgspec.json.encode(sight).decode() if as_json else _line(sight)
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        return
    with Live(console=console.console(), auto_refresh=False, transient=False) as shown:
        for sight in sights:
            shown.update(Group(*_lines(sight)), refresh=True)


def _line(sight: Second) -> str:
    """Return a second as one line, for a pipe or a file."""
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%d %H:%M:%S}Z {sight.state} {_figures(sight)}" + (f" ({sight.place})" if sight.place else "")


def _lines(sight: Second) -> list[Text]:
    since = f" since {sight.since:%Y-%m-%d %H:%M:%S} UTC" if sight.since else ""
    place = f" ({sight.place}): {sight.words}" if sight.place else ""
    lines = [
        console.line("line", f"{sight.state}{since}{place}", _STYLES[sight.state]),
        console.line("known from", sight.by),
        console.line("now", _figures(sight)),
        console.line("targets", ", ".join(sight.targets) or "none"),
        console.line("router", sight.router or "not known"),
    ]
    lines += [
        console.line(f"{outage.started_at:%m-%d %H:%M:%S} UTC", f"{amounts.duration(outage.seconds)}, {outage.place}")
        for outage in sight.outages
    ]
    return lines if sight.outages else [*lines, console.line("outages", "none since the watch began")]


def _figures(sight: Second) -> str:
    return ", ".join(
        (
            f"latency {amounts.amount(sight.last_latency_ms)} ms (median {amounts.amount(sight.latency_ms)})",
            f"router {amounts.amount(sight.router_latency_ms)} ms",
            f"loss {amounts.percent(sight.loss_percent)}",
        )
    )


if __name__ == "__main__":
    alone(watch)
