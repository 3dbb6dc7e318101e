"""When the daemon delivers: at its start, after each conversion, and when a failed delivery is due again."""

from collections.abc import Mapping
from datetime import date

from speedtest.daemon.clock import Clock
from speedtest.daemon.errands import Errand
from speedtest.data import delivery_note
from speedtest.data.delivery_note import DeliveryNote
from speedtest.environment import Settings
from speedtest.process import Stop

DELIVERY_SECONDS = 1800.0
"""The time limit of a delivery. The next one continues it: what has arrived stays."""


class Deliveries:
    """The deliveries of one daemon. Without DELIVER_TO there are none."""

    def __init__(self, settings: Settings, clock: Clock, environment: Mapping[str, str], stop: Stop) -> None:
        """Deliver at the first look, whatever an earlier run has tried: the settings may be new."""
        self._settings = settings
        self._clock = clock
        self._is_due = True
        self._note: DeliveryNote | None = None
        self._errand = Errand(
            "delivery",
            "speedtest.handlers.deliver",
            seconds=DELIVERY_SECONDS,
            failed="delivery_failed",
            ended="delivery_ended",
            environment=environment,
            stop=stop,
        )

    def converted(self) -> None:
        """Note that a conversion was started: there may be new files when it has ended."""
        self._is_due = True

    def look(self) -> None:
        """Start a delivery in the background if one is due. Never waits."""
        if not self._settings.deliver_to or self._errand.is_running:
            return
        if (self._is_due or self._is_time_to_retry()) and self._errand.start():
            self._is_due = False

    @property
    def waiting(self) -> tuple[int, date | None]:
        """How many files wait, and the day of the oldest, as the last delivery said."""
        self._read()
        return (self._note.waiting, self._note.waiting_since) if self._note else (0, None)

    def join(self) -> None:
        """Wait until the delivery has ended. A stop ends it early."""
        self._errand.join()

    def _is_time_to_retry(self) -> bool:
        self._read()
        return bool(self._note and self._note.next_try and self._note.next_try <= self._clock.now())

    def _read(self) -> None:
        if not self._settings.deliver_to:
            return
        try:
            self._note = delivery_note.read(self._settings.result_dir)
        except OSError:
            self._note = None  # whatever keeps it from being read also keeps rows from being saved, and that is told
