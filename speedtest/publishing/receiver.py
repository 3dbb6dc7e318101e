"""What a receiver of rows is, and how it answers."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, Protocol, runtime_checkable

import msgspec

from speedtest.publishing.rows import PublishedRow

type Reception = Literal["taken", "later", "bad-rows"]
"""`taken`: the rows need not be sent again. `later`: the receiver takes nothing now, whatever the rows are.
`bad-rows`: it refuses what was sent."""


class ReceiverAnswer(msgspec.Struct, frozen=True):
    """What a receiver said."""

    verdict: Reception
    words: str = ""
    """Why, and what to do. No secret is in it."""
    retry_seconds: float | None = None
    """How long the receiver asks to be left alone."""


@runtime_checkable
class StateReceiver(Protocol):
    """A system that takes the present state of the line."""

    place: str
    """Its scheme, host and port, as people may see them."""
    key: str
    """What its notes are named after. Another address has another key."""

    def publish(self) -> ReceiverAnswer:
        """Send the state. Raises OSError only if the disk refuses."""
        ...

    def test(self) -> ReceiverAnswer:
        """Ask it whether it would take the state, without sending it. Raises nothing."""
        ...


class RowReceiver(Protocol):
    """A system that takes rows."""

    place: str
    """Its scheme, host and port, as people may see them."""
    key: str
    """What its notes are named after. Another address has another key."""
    most_rows: int
    """How many rows it takes at once."""
    takes_history: bool
    """Whether it gets the rows from before it was first asked."""
    patience: timedelta
    """For how long a single row that it refuses is tried again, while the rows behind it wait."""

    def send(self, rows: Sequence[PublishedRow]) -> ReceiverAnswer:
        """Send rows. Raises nothing."""
        ...

    def test(self) -> ReceiverAnswer:
        """Ask it whether it would take rows, without sending one. Raises nothing."""
        ...
