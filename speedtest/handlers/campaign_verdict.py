"""Judge a campaign whose sample is complete. The daemon runs this as a child, once.

The verdict goes to `RESULT_DIR/.campaign-verdict-NAME.json`, as `speedsnake verdict --json` prints it, and its words to
the log.

Exit codes: 0 judged, whatever the verdict is · 1 a file cannot be read or written · 64 there is no campaign · 78 wrong
configuration or contract file.
"""

import os

import msgspec

from speedtest import logging as logs
from speedtest.campaigns import order
from speedtest.data.files import replace
from speedtest.data.partitions import Folders
from speedtest.logging import Events
from speedtest.terminal import exits, startup
from speedtest.variables import REPORT

events = Events("speedtest.handlers.campaign_verdict")


def main() -> None:
    """Judge, write the verdict, and exit."""
    startup.no_arguments("campaign_verdict", __doc__)
    settings = startup.settings(REPORT)
    logs.configure(settings.log_level, commit_hash=settings.commit_hash)

    from speedtest.data.parquet import Damaged  # noqa: PLC0415 (the help does not need these)
    from speedtest.verdicts import contract_file, reading, types  # noqa: PLC0415
    from speedtest.verdicts.profiles import PROFILES  # noqa: PLC0415

    try:
        found = order.read_order(settings.result_dir)
        if found is None or found.profile not in PROFILES:
            exits.end(os.EX_USAGE, f"there is no campaign in {settings.result_dir}: `speedsnake campaign` plans one")
        contract = contract_file.of(settings)
        folders = Folders(settings.result_dir, settings.upload_dir)
        asked = reading.VerdictQuestion(location=found.location)
        verdict = reading.verdict(folders, asked, contract, PROFILES[found.profile])
        replace(settings.result_dir / order.verdict_name(found.id), types.encode(verdict) + b"\n", durable=True)
    except contract_file.WrongContract as wrong:
        events.error("campaign_verdict", "no verdict of the campaign: %s", "; ".join(wrong.lines))
        exits.end(exits.MISCONFIGURED)
    except (Damaged, OSError, msgspec.MsgspecError) as error:
        events.error("campaign_verdict", "no verdict of the campaign: %s", error)
        exits.end(exits.FAILED)
    kind = "indicative: " if verdict.indicative else ""
    steps = " ".join(step.text for step in verdict.next_step.steps)
    events.info("campaign_verdict", "%s: %s%s. %s", found.id, kind, verdict.summary.text, steps)


if __name__ == "__main__":
    main()
