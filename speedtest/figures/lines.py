"""The states of all lines, kept in memory: a line is read again only if it has new rows, or on a new day."""

from collections.abc import Iterator
from datetime import date, datetime

import msgspec

from speedtest.figures import state
from speedtest.figures.rows import Rows
from speedtest.figures.state import LineState


class _Known(msgspec.Struct):
    mark: str
    day: date
    state: LineState


class Lines:
    """The states of the lines in these rows."""

    def __init__(self, rows: Rows) -> None:
        """Read nothing yet."""
        self._rows = rows
        self._known: dict[str, _Known] = {}

    def names(self) -> list[str]:
        """Return the locations that have rows, the one with the newest rows first."""
        return self._rows.locations()

    def state(self, location: str, now: datetime) -> LineState:
        """Return the state of one line. The others are not read."""
        return self._found(location, self._rows.mark_of(location), now)

    def states(self, now: datetime) -> Iterator[LineState]:
        """Yield the state of each line, the one with the newest rows first."""
        for name in self.names():
            yield self.state(name, now)

    def _found(self, location: str, mark: str, now: datetime) -> LineState:
        known, today = self._known.get(location), now.astimezone().date()
        if known is None or (known.mark, known.day) != (mark, today):
            known = self._known[location] = _Known(mark, today, state.of(self._rows, location, now))
        return state.at(known.state, now, self._rows.folders.result_dir)
