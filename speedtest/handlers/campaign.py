"""Order a measuring campaign, show how far it is, or cancel it: `speedsnake campaign`.

Exit codes: 0 done · 1 the order cannot be read or written · 64 wrong arguments, or no such campaign · 78 wrong
configuration, or QUIET_HOURS in which the campaign would have to measure.
"""

import os
import time
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from speedtest.campaigns import local, order, plans
from speedtest.campaigns.days import SamplePlan
from speedtest.campaigns.order import CampaignProgress, Order
from speedtest.campaigns.samples import SAMPLES, LegalSample
from speedtest.environment import Settings
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.console import console, line
from speedtest.values import amounts
from speedtest.values.misspelt import nearest
from speedtest.variables import REPORT

if TYPE_CHECKING:
    from speedtest.verdicts.contract import Contract


class Action(StrEnum):
    """What to do."""

    plan = "plan"
    status = "status"
    cancel = "cancel"


def campaign(
    action: Annotated[Action, typer.Argument(help="plan, status or cancel.")] = Action.plan,
    *,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help=f"The profile: {', '.join(SAMPLES)}.")] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="The first day, such as 2026-03-02. Default: tomorrow.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the plan, and order nothing.")] = False,
) -> None:
    """Let the daemon measure the sample that the law wants.

    Plans the tests by the rule of the profile and orders them: the daemon makes them beside its schedule, waits for a
    quiet line, repeats what does not count, plans a spoilt day anew, and ends with the verdict. The official tool is
    what counts before the authority; the plan names it.

    Exit codes: 0 done, 1 the order cannot be read or written, 64 wrong arguments, 78 wrong configuration.
    """
    settings = startup.settings(REPORT)
    if settings.tz:
        os.environ["TZ"] = settings.tz
        time.tzset()
    now = datetime.now(UTC)
    try:
        match action:
            case Action.plan:
                _plan(settings, profile, start, now, only_show=show)
            case Action.status:
                _status(settings, now)
            case Action.cancel:
                _cancel(settings, now)
    except (OSError, msgspec.MsgspecError) as error:
        advice = "delete the file if you do not need it"
        exits.end(
            exits.FAILED, f"{settings.result_dir / order.ORDER_NAME} cannot be read or written: {error}; {advice}"
        )


def _plan(settings: Settings, profile: str | None, start: str | None, now: datetime, *, only_show: bool) -> None:
    from speedtest.verdicts import row_filter  # noqa: PLC0415 (help and completion do not need it)

    name = _profile(profile)
    first = _day(start, now)
    plan = plans.of(name, first, (), now)
    _refuse_quiet_hours(settings, plan)
    before = order.read_order(settings.result_dir)
    if not only_show and before and _is_open(settings, before):
        exits.end(
            os.EX_USAGE,
            f"the campaign {before.id} is not over: end it by `speedsnake campaign cancel` before you plan another",
        )
    contract = _contract(settings)
    wanted = Order(
        id=f"{name}-{first:%Y%m%d}-{now:%H%M%S}",
        profile=name,
        location=settings.speedtest_location_uuid,
        timezone=settings.tz,
        start=first,
        made=now,
        link_mbps=row_filter.fastest(contract) or None,
        expected_isps=contract.expected_isps,
    )
    if not only_show:
        settings.result_dir.mkdir(parents=True, exist_ok=True)
        order.write_order(wanted, settings.result_dir)
    _show(settings, wanted, plan)
    if only_show:
        console().print("Nothing is ordered: leave --show away to order it.")
    else:
        console().print("The daemon of this RESULT_DIR sees the order within ten minutes.")


def _contract(settings: Settings) -> "Contract":
    from speedtest.verdicts import contract_file  # noqa: PLC0415 (help and completion do not need it)

    try:
        return contract_file.of(settings)
    except contract_file.WrongContract as wrong:
        exits.end(exits.MISCONFIGURED, *wrong.lines)


def _profile(name: str | None) -> str:
    if name is None:
        exits.end(os.EX_USAGE, f"name the profile: --profile NAME, one of {', '.join(SAMPLES)}")
    if name not in SAMPLES:
        meant = nearest(name[:80], tuple(SAMPLES))
        exits.end(os.EX_USAGE, f"--profile: there is no sample to measure for {name[:80]!r}: did you mean {meant}?")
    return name


def _day(text: str | None, now: datetime) -> date:
    today = local.day_of(now)
    if text is None:
        return local.next_day(today)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        exits.end(os.EX_USAGE, f"--start {text[:80]!r} is no day: write it as 2026-03-02")
    if day < today:
        exits.end(os.EX_USAGE, f"--start {day} is over: a campaign chooses no past tests")
    if day > today + timedelta(days=366):
        exits.end(os.EX_USAGE, f"--start {day} is more than a year ahead")
    return day


def _refuse_quiet_hours(settings: Settings, plan: SamplePlan) -> None:
    from speedtest.daemon.schedule import is_quiet  # noqa: PLC0415 (help and completion do not need it)

    quiet = [test.due for test in plan.tests if is_quiet(settings, test.due)]
    if quiet:
        exits.end(
            exits.MISCONFIGURED,
            f"QUIET_HOURS forbids {len(quiet)} of the {len(plan.tests)} tests, the first at {local.shown(quiet[0])}:"
            " change QUIET_HOURS for the time of the campaign",
        )


def _is_open(settings: Settings, found: Order) -> bool:
    return found.cancelled is None and order.read_progress(settings.result_dir, found).complete is None


def _status(settings: Settings, now: datetime) -> None:
    found = order.read_order(settings.result_dir)
    if found is None:
        exits.end(os.EX_USAGE, "there is no campaign: `speedsnake campaign --profile NAME --start DATE` plans one")
    progress = order.read_progress(settings.result_dir, found)
    if found.profile not in SAMPLES:
        exits.end(exits.FAILED, f"{settings.result_dir / order.ORDER_NAME}: there is no sample for {found.profile!r}")
    _show(settings, found, plans.of(found.profile, found.start, progress.outcomes, now), progress)


def _cancel(settings: Settings, now: datetime) -> None:
    found = order.read_order(settings.result_dir)
    if found is None or not _is_open(settings, found):
        exits.end(os.EX_USAGE, "there is no campaign that could be cancelled")
    order.write_order(msgspec.structs.replace(found, cancelled=now), settings.result_dir)
    console().print(f"The campaign {found.id} is cancelled. The rows that it has measured stay.")


def _show(settings: Settings, found: Order, plan: SamplePlan, progress: CampaignProgress | None = None) -> None:
    sample = SAMPLES[found.profile]
    out = console()
    out.print(line("campaign", f"{found.id}, location {found.location}"))
    out.print(line("rule", sample.rule))
    out.print(line("official tool", f"{sample.tool or 'none'}: {sample.url}"))
    if sample.tool:
        out.print(line("", "It is what counts before the authority. This campaign is an indication, not legal advice."))
    if progress:
        _show_progress(found, progress, sample)
    if progress and progress.complete:
        out.print(line("verdict", _verdict(settings, found)))
    if found.cancelled or (progress and progress.complete):
        return
    for day, clocks in _by_day(plan).items():
        out.print(line(f"{day:%a %Y-%m-%d}", f"{amounts.count(len(clocks), 'test')}: {_clocks(clocks)}"))


def _verdict(settings: Settings, found: Order) -> str:
    """Return the verdict at the end of a campaign, as the daemon's child wrote it."""
    again = f"`speedsnake verdict --profile {found.profile} --location {found.location}` shows it in full"
    try:
        data = msgspec.json.decode((settings.result_dir / order.verdict_name(found.id)).read_bytes())
        return f"{data['summary']['text']}; {again}"
    except (FileNotFoundError, KeyError, TypeError):
        return f"not made yet; {again}"


def _show_progress(found: Order, progress: CampaignProgress, sample: LegalSample) -> None:
    out = console()
    counted = sum(outcome.result == "counted" for outcome in progress.outcomes)
    state = "cancelled" if found.cancelled else "complete" if progress.complete else "open"
    out.print(line("state", f"{state}: {amounts.count(counted, 'test')} so far, {sample.enough} are needed"))
    for outcome in progress.outcomes:
        if outcome.result != "counted":
            out.print(line(outcome.result, f"{local.shown(outcome.due)}: {outcome.why or ''}", "yellow"))
    if progress.spoilt:
        out.print(line("spoilt days", ", ".join(map(date.isoformat, progress.spoilt)), "yellow"))


def _by_day(plan: SamplePlan) -> dict[date, list[datetime]]:
    found: dict[date, list[datetime]] = {}
    for test in plan.tests:
        found.setdefault(local.day_of(test.due), []).append(test.due)
    return found


def _clocks(dues: list[datetime]) -> str:
    return ", ".join(time.strftime("%H:%M", time.localtime(due.timestamp())) for due in dues)


if __name__ == "__main__":
    alone(campaign)
