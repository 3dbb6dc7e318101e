"""Show the current status: `speedsnake status`. It writes nothing.

Exit codes: 0 done · 1 a file of the lake cannot be read · 78 wrong configuration. An unhealthy daemon does not change
the exit code; for that, see `handlers.healthcheck`.
"""

import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from speedtest.daemon import health
from speedtest.daemon.memory import recall
from speedtest.daemon.schedule import gigabytes
from speedtest.data import heartbeat
from speedtest.data.disk_use import DiskUse, disk_use, quarantined
from speedtest.data.elsewhere import only_at_store
from speedtest.data.partitions import Folders
from speedtest.data.receipts import BadReceipt
from speedtest.environment import Settings
from speedtest.publishing import visit
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.console import console, line
from speedtest.values import amounts

if TYPE_CHECKING:
    from speedtest.figures.state import Condition, Result, WatchNow
    from speedtest.figures.uptime import LineUptime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STATES: "dict[Condition, tuple[str, str]]" = {
    "up": ("up", "green"),
    "down": ("down", "red"),
    "test-failed": ("unknown: the test failed, but not as it does when the line is down", "yellow"),
    "late": ("unknown: the last test is too old", "yellow"),
    "not-seen": ("unknown: not seen from here, because this RESULT_DIR belongs to another line", "yellow"),
    "no-test": ("unknown: there is no test", "yellow"),
}
"""The words and the colour of each condition."""


class DaemonStatus(msgspec.Struct, kw_only=True):
    """The daemon's state: its heartbeat, and whether it is healthy."""

    on_time: bool
    why_not: str | None
    next_due: datetime | None = None
    rows_waiting: int | None = None
    """Rows in memory, because the disk refused them."""
    files_waiting: int | None = None
    """Files that wait for delivery to DELIVER_TO."""
    files_waiting_since: date | None = None
    """The day of the oldest of them."""
    why_not_delivered: str | None = None
    """What a person should do about the delivery."""
    gb_of_budget: float | None = None
    """GB used of DATA_BUDGET_GB_PER_MONTH, or None if it is not set."""


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    location: Annotated[str | None, typer.Option(metavar="NAME", help="Show only this location.")] = None,
) -> None:
    """Show the current status.

    Shows the daemon, the last and the next test, failures in a row, uptime, the data moved this month, and disk use.
    Uptime = slots with a successful test ÷ slots with any test. Availability = 1 - down ÷ watched time.

    Exit codes: 0 done, 1 a file of the lake cannot be read, 78 wrong configuration.
    """
    from speedtest.data.parquet import Damaged  # noqa: PLC0415 (help and completion do not need it)
    from speedtest.figures import uptime  # noqa: PLC0415 (the same)
    from speedtest.figures.rows import Rows  # noqa: PLC0415 (the same)

    settings = startup.settings()
    now = datetime.now(UTC)
    folders = Folders(settings.result_dir, settings.upload_dir)
    rows = Rows(folders)
    try:
        found = [uptime.line(rows, name, now) for name in ([location] if location else rows.locations())]
        elsewhere = only_at_store(folders, wanted=[location] if location else None)
    except (Damaged, BadReceipt, OSError) as error:
        exits.end(exits.FAILED, str(error))
    disks = [disk_use(folder) for folder in (settings.result_dir, settings.upload_dir)]
    daemon, put_aside = _daemon(settings, now), quarantined(folders.quarantine)
    receivers = [visit.standing_of(settings, name) for name in settings.receivers]
    if as_json:
        whole = {
            "daemon": daemon,
            "lines": found,
            "disk": disks,
            "quarantined_files": put_aside,
            "only_at_store": elsewhere,
            "receivers": receivers,
        }
        sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")
        return
    _show_daemon(daemon, settings, now)
    for each in receivers:
        console().print(line(each.name, each.words_for(lambda at: _when(at, now)), "" if each.is_well else "red"))
    for each in found:
        _show_line(each, now)
    if not found:
        console().print(line("rows", "none yet"))
    _show_disks(disks, put_aside)
    if elsewhere:
        console().print(line("only at the store", f"{amounts.count(elsewhere.days, 'day')}, at {elsewhere.store}"))


def _daemon(settings: Settings, now: datetime) -> DaemonStatus:
    why = health.judge(settings.result_dir)
    budget = settings.data_budget_gb_per_month
    used = None if budget is None else gigabytes(recall(settings.result_dir), now)
    daemon = DaemonStatus(on_time=why is None, why_not=why, gb_of_budget=used)
    daemon.why_not_delivered = health.undelivered(settings)
    try:
        beat = heartbeat.read(settings.result_dir)
    except (OSError, msgspec.MsgspecError):  # `why` says so
        return daemon
    daemon.rows_waiting = beat.rows_waiting
    daemon.files_waiting, daemon.files_waiting_since = beat.files_waiting, beat.files_waiting_since
    daemon.next_due = beat.next_due if daemon.on_time else None
    return daemon


def _show_daemon(daemon: DaemonStatus, settings: Settings, now: datetime) -> None:
    out = console()
    out.print(line("daemon", daemon.why_not or "on time", "red" if daemon.why_not else "green"))
    if daemon.next_due:
        out.print(line("next test", _when(daemon.next_due, now)))
    if daemon.rows_waiting:
        out.print(line("waiting for the disk", amounts.count(daemon.rows_waiting, "row"), "red"))
    if daemon.why_not_delivered:
        out.print(line("not delivered", daemon.why_not_delivered, "red"))
    elif daemon.files_waiting:
        waits = f"{amounts.count(daemon.files_waiting, 'file')} since {daemon.files_waiting_since}"
        out.print(line("waiting for delivery", waits))
    if daemon.gb_of_budget is not None:
        out.print(line("data budget", f"{daemon.gb_of_budget:.1f} of {settings.data_budget_gb_per_month:g} GB"))


def _show_line(found: "LineUptime", now: datetime) -> None:
    out = console()
    out.print()
    out.print(line("location", found.location))
    words, style = _STATES[found.condition]
    out.print(line("state", words, style))
    if found.watch:
        out.print(line("watch", _watch(found.watch, now)))
    out.print(line("last test", _last(found.last, now), _style(found.last)))
    if found.last and (bloat := _bufferbloat(found.last)):
        out.print(line("bufferbloat", bloat))
    if found.last and found.last.isp:
        tunnel = " (tunnel)" if found.last.vpn else ""
        address = f", {found.last.external_ip}" if found.last.external_ip else ""
        out.print(line("provider", f"{found.last.isp}{tunnel}{address}"))
    failures = "not known" if found.failures_in_a_row is None else found.failures_in_a_row
    out.print(line("failures in a row", failures, "red" if found.failures_in_a_row else ""))
    if found.rows_without_status:
        out.print(
            line("without a status", f"{amounts.count(found.rows_without_status, 'row')} of the last month", "red")
        )
    spans = (f"{name} {_share(share)}" for name, share in found.uptime_percent.items())
    out.print(line("uptime", ", ".join(spans)))
    if any(share is not None for share in found.availability_percent.values()):
        spans = (f"{name} {_availability(share)}" for name, share in found.availability_percent.items())
        out.print(line("availability", ", ".join(spans)))
    out.print(line("data this month", amounts.data(found.data_bytes_of_month)))


def _watch(seen: "WatchNow", now: datetime) -> str:
    """Return what the watch sees now, in one line."""
    since = f"{'down' if seen.place else 'up'} since {_when(seen.since, now)}" if seen.since else "not known yet"
    place = f", {seen.place}: {seen.words}" if seen.place else ""
    latency = "" if seen.latency_ms is None else f", {amounts.amount(seen.latency_ms)} ms"
    loss = "" if seen.loss_ratio is None else f", {amounts.percent(100 * seen.loss_ratio)} lost"
    return f"{since}{place}{latency}{loss}"


def _show_disks(disks: list[DiskUse], put_aside: int) -> None:
    out = console()
    out.print()
    for name, disk in zip(("results", "uploads"), disks, strict=True):
        free = "not there yet" if disk.bytes_free is None else f"{amounts.data(disk.bytes_free)} free"
        out.print(line(name, f"{amounts.data(disk.bytes_used)}, {free}, {disk.folder}"))
    out.print(line("quarantined files", put_aside, "red" if put_aside else ""))


def _last(last: "Result | None", now: datetime) -> str:
    if last is None:
        return "none"
    program = f"{last.engine or ''} {last.engine_version or ''}".strip()
    if last.status == "ok":
        speeds = ((last.download_mbps, "Mbit/s down"), (last.upload_mbps, "Mbit/s up"), (last.latency_ms, "ms"))
        told = ", ".join(f"{amounts.amount(value)} {unit}" for value, unit in speeds if value is not None)
    else:
        told = f"{last.status}, {last.error_kind or 'no reason given'}" + (f": {last.error}" if last.error else "")
    return f"{_when(last.timestamp, now)}, {program}: {told}"


def _bufferbloat(last: "Result") -> str | None:
    """Return the grade of the last test, None if it did not measure the latency under both loads."""
    from speedtest.figures import grades  # noqa: PLC0415 (help and completion do not need it)
    from speedtest.report import knowledge  # noqa: PLC0415 (the same)

    rise = grades.increase(grades.of(last))
    return None if rise is None else knowledge.rise_of_one(rise)


def _style(last: "Result | None") -> str:
    return "" if last is None else "green" if last.status == "ok" else "red"


def _share(percent: float | None) -> str:
    return "not measured" if percent is None else amounts.share(percent)


def _availability(percent: float | None) -> str:
    return "not watched" if percent is None else amounts.availability(percent)


def _when(instant: datetime, now: datetime) -> str:
    """Return an instant and its distance from now, in a suitable unit."""
    seconds = (instant - now).total_seconds()
    size = abs(seconds)
    unit, name = next(
        pair for pair in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")) if size >= 2 * pair[0] or pair[0] == 1
    )
    apart = f"{size / unit:.0f} {name}"
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC ({f'in {apart}' if seconds > 0 else f'{apart} ago'})"


if __name__ == "__main__":
    alone(status)
