"""Whether a folder of days has something new, found out with a few `stat` calls however many days it has.

A new row changes the folder of its day, a new day that of its month, a new month that of its year.
"""

import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from speedtest.data import partitions
from speedtest.figures import span

type _Chain = tuple[tuple[str, int], ...]


class Marks:
    """The newest day of each folder, and when it and the folders around it last changed."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, tuple[date | None, _Chain]] = {}

    def newest(self, base: str) -> tuple[date | None, str]:
        """Return the newest day in a folder, None if it has none, and a text that changes when it has new rows."""
        known = self._known.get(base)
        if known is None or not known[1] or _times(path for path, _ in known[1]) != known[1]:
            found = _newest(Path(base))
            folders = [*reversed([str(each) for each in found[1].parents[:3]]), str(found[1])] if found else [base]
            known = self._known[base] = (found[0] if found else None), _times(folders)
        return known[0], f"{known[0]}@{'.'.join(str(time) for _, time in known[1]) or 'changing'}"


def _times(paths: Iterable[str]) -> _Chain:
    """Return when each of these folders changed, nothing if one is not there (a conversion removes empty folders)."""
    try:
        return tuple((path, os.stat(path).st_mtime_ns) for path in paths)  # noqa: PTH116 (3,000 lines make 12,000 calls)
    except FileNotFoundError:
        return ()


def _newest(base: Path) -> tuple[date, Path] | None:
    """Return the newest day in a folder, and that day's folder. Earlier years are not searched."""
    years = sorted((int(folder.name[-4:]) for folder in base.glob("year=[0-9][0-9][0-9][0-9]")), reverse=True)
    for limit in (span.tomorrow(), date.max):  # a day in the future is the newest only if there is no other
        for year in filter(None, years):
            if days := list(partitions.days(base, date(year, 1, 1), min(date(year, 12, 31), limit))):
                return days[-1]
    return None
