"""Compare two periods or two locations: `speedsnake compare`.

Exit codes: 0 done · 1 a file of the lake cannot be read · 64 wrong arguments · 78 wrong configuration.
"""

import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from speedtest.data.partitions import Folders
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.options import Since, Until
from speedtest.values import names
from speedtest.values.period import Unclear
from speedtest.variables import REPORT

_Location = Annotated[str | None, typer.Option(metavar="NAME", help="This location. Default: the newest.")]
_VersusLocation = Annotated[str | None, typer.Option(metavar="NAME", help="The other location. Default: the same.")]
_VersusSince = Annotated[str | None, typer.Option(metavar="TIME", help="Start of the other period: the same forms.")]
_VersusUntil = Annotated[str | None, typer.Option(metavar="TIME", help="End of the other period: the same forms.")]


def compare(  # noqa: PLR0913 (each is an option)
    *,
    since: Since = "30d",
    until: Until = None,
    location: _Location = None,
    versus_since: _VersusSince = None,
    versus_until: _VersusUntil = None,
    versus_location: _VersusLocation = None,
    all_tests: Annotated[
        bool, typer.Option("--all-tests", help="Compare tests that are marked (Wi-Fi, busy line), too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two periods or two locations.

    Shows by how much the medians differ, and between which limits the true difference lies with a probability of 95 %.
    "cannot tell" means that a side has tests on fewer than six days. Without --versus options, the other period is as
    long and comes right before. With --versus-location alone, both locations are compared over the same period.

    Exit codes: 0 done, 1 a file cannot be read, 64 wrong arguments, 78 wrong configuration.
    """
    settings = startup.settings(REPORT)
    startup.warn_of_unknown_variables()

    import msgspec  # noqa: PLC0415 (help and completion do not need these)

    from speedtest.data.parquet import Damaged  # noqa: PLC0415
    from speedtest.figures import questions  # noqa: PLC0415
    from speedtest.figures.questions import Wanted  # noqa: PLC0415
    from speedtest.figures.rows import Rows  # noqa: PLC0415
    from speedtest.figures.types import Plan  # noqa: PLC0415
    from speedtest.report import knowledge  # noqa: PLC0415

    rows = Rows(Folders(settings.result_dir, settings.upload_dir))
    plan = Plan(settings.plan_download_mbps, settings.plan_upload_mbps, names.split(settings.expect_isp))
    this, other = Wanted(location, since, until), Wanted(versus_location, versus_since, versus_until)
    try:
        asked = questions.sides(rows, this, other, datetime.now(UTC))
        found = questions.compared(rows, [msgspec.structs.replace(each, marked=all_tests) for each in asked], plan)
    except Unclear as unclear:
        exits.end(os.EX_USAGE, str(unclear))
    except (Damaged, OSError) as error:
        exits.end(exits.FAILED, str(error))
    made = msgspec.json.encode(found).decode() if as_json else "\n".join(knowledge.compared(found))
    sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    alone(compare)
