"""Judge a line: rows and a contract in, a verdict out. The order of the rows and this machine's zone change nothing."""

from datetime import datetime

import pyarrow as pa

from speedtest.verdicts.contract import Contract
from speedtest.verdicts.profile import Profile
from speedtest.verdicts.types import Verdict


def judge(  # noqa: PLR0913 (what is judged, by which rules, and what narrows it)
    rows: pa.Table,
    contract: Contract,
    profile: Profile,
    *,
    location: str,
    until: datetime | None = None,
    engine: str | None = None,
    by_hand: bool = False,
) -> Verdict:
    """Return what the profile says of these rows of one location.

    `rows` has the columns `verdicts.rows.COLUMNS` of the lake, in any order, and no row at or after `until` (default:
    just after the newest row). `engine` is the only one whose tests count, instead of the one with most. `by_hand`
    says that a person chose the period.
    """
    raise NotImplementedError
