"""Summarise the results of a period: `speedsnake report`.

Exit codes: 0 done · 1 a file of the lake cannot be read, or the report cannot be written · 64 wrong arguments ·
78 wrong configuration.
"""

import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from speedtest.data.files import whole
from speedtest.data.partitions import Folders
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.options import Locations, Output, Provider, Since, Until
from speedtest.values import names
from speedtest.values.period import Unclear
from speedtest.variables import REPORT


def report(  # noqa: PLR0913 (each is an option)
    *,
    since: Since = None,
    until: Until = None,
    location: Locations = None,
    isp: Provider = None,
    all_tests: Annotated[
        bool, typer.Option("--all-tests", help="Hold tests against the plan that are marked (Wi-Fi, busy line), too.")
    ] = False,
    output: Output = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON array.")] = False,
) -> None:
    """Summarise the results of a period.

    Shows speed, latency, packet loss, uptime, outages, data used, and how it was measured. Set PLAN_DOWNLOAD_MBPS and
    PLAN_UPLOAD_MBPS to compare with the speeds that your contract promises. Tests that something else may have made
    slow are left out of that comparison, and counted: --all-tests takes them in. With -o, writes one HTML file that
    needs no script and no network, so that you can mail or print it.

    A day or a time without a zone is local time of the line: of several, each by the zone of its newest row.

    Exit codes: 0 done, 1 a file cannot be read or written, 64 wrong arguments, 78 wrong configuration.
    """
    if output and as_json:
        exits.end(os.EX_USAGE, "--json prints figures and -o writes HTML: choose one of them")
    settings = startup.settings(REPORT)
    startup.warn_of_unknown_variables()
    now = datetime.now(UTC)

    import msgspec  # noqa: PLC0415 (help and completion do not need these)

    from speedtest.data.parquet import Damaged  # noqa: PLC0415
    from speedtest.figures import questions, zones  # noqa: PLC0415
    from speedtest.figures.rows import Rows  # noqa: PLC0415
    from speedtest.figures.types import Plan  # noqa: PLC0415
    from speedtest.report import render  # noqa: PLC0415

    rows = Rows(Folders(settings.result_dir, settings.upload_dir))
    plan = Plan(settings.plan_download_mbps, settings.plan_upload_mbps, names.split(settings.expect_isp))
    try:
        found = questions.by_zone(rows, since, until, now, location or [], isp=isp)
        asked = [msgspec.structs.replace(each, marked=all_tests) for each in found]
        first, last = (None, None) if asked else zones.between(rows, location or [], since, until, now)
        if output:
            made = render.html(questions.with_evidence(rows, asked, plan), first, last or now, plan)
        else:
            answers = questions.summaries(rows, asked, plan)
            texts = [render.text(summary, plan) for summary in answers]
            made = msgspec.json.encode(answers).decode() if as_json else "\n\n".join(texts) or render.NOTHING
    except Unclear as unclear:
        exits.end(os.EX_USAGE, str(unclear))
    except (Damaged, OSError) as error:
        exits.end(exits.FAILED, str(error))
    if not output:
        sys.stdout.write(f"{made}\n")
        return
    try:
        with whole(output) as out:
            out.write(made.encode())
    except OSError as error:
        exits.end(exits.FAILED, f"the report could not be written to {output}: {error.strerror}")


if __name__ == "__main__":
    alone(report)
