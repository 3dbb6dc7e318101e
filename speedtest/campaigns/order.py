"""`RESULT_DIR/campaign.json` and `RESULT_DIR/.campaign.json`: which campaign is ordered, and how far it is.

`speedsnake campaign` writes the first, the daemon the second: each file has one writer. Both are replaced durably, so a
power cut leaves the old file or the new one. The rows themselves are in the lake; these files decide only when tests
start, and which ones need no repetition.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Literal

import msgspec

from speedtest.data.files import replace

ORDER_NAME = "campaign.json"
PROGRESS_NAME = ".campaign.json"

type OutcomeKind = Literal["counted", "failed", "refused", "skipped", "missed"]
"""What became of a planned test. `refused`: it succeeded, but something else may have made it slow. `missed`: there was
no daemon, or it was busy."""


class Order(msgspec.Struct, kw_only=True, frozen=True):
    """A campaign that somebody wants."""

    id: str
    """The value of the column `campaign`."""
    profile: str
    location: str
    timezone: str | None
    start: date
    """Its first day, by the zone of the line."""
    made: datetime
    link_mbps: float | None = None
    """The maximum of the contract: a test over a slower link does not count."""
    expected_isps: tuple[str, ...] = ()
    """Names of the provider: a test through another one does not count."""
    cancelled: datetime | None = None


class PlannedOutcome(msgspec.Struct, kw_only=True, frozen=True):
    """What became of one planned test."""

    due: datetime
    block: int = 0
    """The block of its day that it was planned for."""
    result: OutcomeKind
    why: str | None = None
    """Why it does not count."""
    ended: datetime


class Planned(msgspec.Struct, frozen=True, order=True):
    """A test that is to be made."""

    due: datetime
    block: int = 0
    """The block of its day."""


class CampaignProgress(msgspec.Struct, kw_only=True):
    """How far a campaign is."""

    id: str
    outcomes: list[PlannedOutcome] = []
    planned: list[Planned] = []
    """The tests that are still to be made."""
    spoilt: list[date] = []
    """Days that could not be completed."""
    told: date | None = None
    """The last day of which the log said what is missing."""
    complete: datetime | None = None
    """When the last test that was needed was made."""


def verdict_name(campaign: str) -> str:
    """Return the name of the file in RESULT_DIR that a campaign's verdict goes to."""
    return f".campaign-verdict-{campaign}.json"


def write_order(order: Order, result_dir: Path) -> None:
    """Replace `campaign.json`. Raises OSError if the disk refuses it."""
    _write(order, result_dir / ORDER_NAME)


def write_progress(progress: CampaignProgress, result_dir: Path) -> None:
    """Replace `.campaign.json`. Raises OSError if the disk refuses it."""
    _write(progress, result_dir / PROGRESS_NAME)


def read_order(result_dir: Path) -> Order | None:
    """Return the campaign that was ordered last, None if there is none. Raises OSError or msgspec.MsgspecError."""
    return _read(result_dir / ORDER_NAME, Order)


def read_progress(result_dir: Path, order: Order) -> CampaignProgress:
    """Return how far this campaign is; at its beginning if the file is missing or about another.

    Raises OSError or msgspec.MsgspecError.
    """
    found = _read(result_dir / PROGRESS_NAME, CampaignProgress)
    return found if found and found.id == order.id else CampaignProgress(id=order.id)


def _write(what: Order | CampaignProgress, path: Path) -> None:
    replace(path, msgspec.json.format(msgspec.json.encode(what), indent=2) + b"\n", durable=True)


def _read[Kind: (Order, CampaignProgress)](path: Path, kind: type[Kind]) -> Kind | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
