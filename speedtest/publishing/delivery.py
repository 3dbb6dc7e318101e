"""Send one receiver the rows that it has not got yet, and note what it took.

A row is noted right after the receiver took it. So a kill between these two is the only way in which a row is sent
twice, under the same id. A store gets the same points again, which changes nothing there.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from speedtest.data.partitions import Folders
from speedtest.logging import Events
from speedtest.publishing.backlog import Backlog, Piece
from speedtest.publishing.ledger import Ledger
from speedtest.publishing.receiver import ReceiverAnswer, RowReceiver
from speedtest.publishing.rows import PublishedRow
from speedtest.publishing.standing import Standing

events = Events(__name__)


class Delivery:
    """One run for one receiver. Only one process at a time makes one: the caller holds its lock."""

    def __init__(self, receiver: RowReceiver, folders: Folders, address: str, standing: Standing) -> None:
        """Read what the receiver has got. Raises OSError if the disk refuses."""
        self._receiver = receiver
        self._folders = folders
        self.standing = standing
        self._ledger = Ledger(folders.result_dir, receiver.key)
        self._backlog = Backlog(folders, self._ledger, address)
        if self._ledger.is_new and not receiver.takes_history:
            self._backlog.skip_history()
        self._until = 0.0
        self._stopped: Callable[[], bool] = lambda: False
        self.sent = 0
        """How many rows the receiver took."""

    def run(self, seconds: float, stopped: Callable[[], bool] = lambda: False) -> ReceiverAnswer:
        """Send rows for so long at most, or until a stop is asked for: a row that is being sent is noted first.

        Return the answer that ended it, or that all is well.
        """
        self._until, self._stopped = time.monotonic() + seconds, stopped
        answer = ReceiverAnswer("taken")
        for pieces in _together(self._backlog.pieces(), self._receiver.most_rows):
            answer = self._send(pieces)
            if answer.verdict != "taken" or self._is_over:
                break
        self._backlog.settle()
        self._count()
        return answer

    def count(self, why: str | None) -> ReceiverAnswer:
        """Note how much waits, without sending anything; return why it waits."""
        self._backlog.settle()
        self._count()
        return ReceiverAnswer("later", why or "")

    @property
    def _is_over(self) -> bool:
        """Whether this run is over. The next run goes on from here."""
        return self._stopped() or time.monotonic() > self._until

    def _count(self) -> None:
        waiting = self._backlog.waiting()
        standing = self.standing
        standing.rows_waiting, standing.files_waiting = waiting.rows, waiting.parquet_files
        standing.oldest_waiting = str(waiting.oldest) if waiting.oldest else None
        standing.rows_held = waiting.held

    def _send(self, pieces: list[Piece]) -> ReceiverAnswer:
        """Send the rows of these pieces and note them; return the first answer that is not `taken`."""
        rows = [row for piece in pieces for row in piece.rows]
        most = self._receiver.most_rows
        parts = [list(some) for some in itertools.batched(rows, most, strict=False)]
        closing = [piece.closes for piece in pieces if piece.closes]
        in_files = {row.id for piece in pieces if piece.closes for row in piece.rows} if len(parts) == 1 else set[str]()
        while parts:
            if self._is_over:
                return ReceiverAnswer("taken")
            part = parts.pop(0)
            answer = self._receiver.send(part)
            if answer.verdict == "bad-rows" and len(part) > 1:
                middle = len(part) // 2
                parts[:0] = [part[:middle], part[middle:]]
                in_files = set()
                continue
            if answer.verdict == "bad-rows":
                if not self._may_decline(part[0]):
                    return answer
                self._decline(part[0], answer)
            elif answer.verdict == "later":
                return answer
            else:
                self._take(part, answer)
            self._ledger.add((row.day, row.source) for row in part if row.id not in in_files)
        self._ledger.close(closing)
        return ReceiverAnswer("taken")

    def _take(self, part: list[PublishedRow], answer: ReceiverAnswer) -> None:
        self.sent += len(part)
        self.standing.succeed()
        self.standing.last_taken = datetime.now(UTC)
        if answer.words:
            self.standing.declined_words = answer.words
            events.warning("row_declined", "%s: %s", self._receiver.place, answer.words)

    def _may_decline(self, row: PublishedRow) -> bool:
        """Return whether a row was refused for long enough that the next ones need not wait any longer."""
        now = datetime.now(UTC)
        standing = self.standing
        if standing.refused_row != row.id or standing.refused_since is None or standing.refused_since > now:
            standing.refused_row, standing.refused_since = row.id, now
        return now - standing.refused_since >= self._receiver.patience

    def _decline(self, row: PublishedRow, answer: ReceiverAnswer) -> None:
        standing = self.standing
        standing.declined += 1
        standing.declined_words = answer.words
        standing.refused_row = standing.refused_since = None
        events.warning(
            "row_declined",
            "%s refuses the row of %s, which it does not get: %s",
            self._receiver.place,
            f"{row.timestamp:%Y-%m-%d %H:%M:%S}Z",
            answer.words,
        )


def _together(pieces: Iterator[Piece], most: int) -> Iterator[list[Piece]]:
    """Put pieces together until they have so many rows. The next piece is asked for after the last was noted."""
    some: list[Piece] = []
    for piece in pieces:
        some.append(piece)
        if sum(len(each.rows) for each in some) >= most:
            yield some
            some = []
    if some:
        yield some
