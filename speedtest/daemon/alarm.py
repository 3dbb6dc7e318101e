"""Start the child that tells people what is wrong (`alerts.run`), when there may be something to tell.

That is after rows, when the line goes down or comes up, and at the time that the child itself has noted. Without
`ALERT_URLS` and `PING_URL` it is never started. Nothing waits for it.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from speedtest.daemon.clock import Clock
from speedtest.daemon.errands import Errand
from speedtest.data.watch_state import SeenState
from speedtest.environment import Settings
from speedtest.process import Stop

WAKE_FILE = "outbox/.wake.json"
"""Below RESULT_DIR: when the child should run next. `alerts.outbox` describes the folder."""
CHILD_SECONDS = 300.0
LEAST_SECONDS = 30.0
"""The child starts at most so often, but for a change of the line."""


class Alarm:
    """The child that tells people, and when it is due."""

    def __init__(self, settings: Settings, clock: Clock, environment: Mapping[str, str], stop: Stop) -> None:
        """Start nothing yet."""
        self._clock = clock
        self._wake_file = settings.result_dir / WAKE_FILE
        self.is_on = bool(settings.alert_urls or settings.ping_url)
        self._is_wanted = False
        self._line: SeenState | None = None
        self._started = -LEAST_SECONDS
        self._errand = Errand(
            "alerts",
            "speedtest.handlers.alert_child",
            seconds=CHILD_SECONDS,
            failed="alerts_failed",
            ended="alerts_ended",
            environment=environment,
            stop=stop,
        )

    def rows_kept(self) -> None:
        """Start the child soon, because there are new rows."""
        self._is_wanted = True

    def look(self, line: SeenState | None) -> None:
        """Start the child if it is due. `line`: what the watch has written last, None if nobody watches."""
        if not self.is_on or self._errand.is_running:
            return
        has_changed, self._line = line != self._line, line
        is_early = self._clock.monotonic() - self._started < LEAST_SECONDS
        if has_changed or (not is_early and (self._is_wanted or self._is_awake())):
            self._started = self._clock.monotonic()
            self._is_wanted = not self._errand.start()

    def join(self) -> None:
        """Wait until the child has ended. A stop ends it early."""
        self._errand.join()

    def _is_awake(self) -> bool:
        try:
            due = msgspec.json.decode(self._wake_file.read_bytes(), type=datetime | None)
        except (OSError, msgspec.MsgspecError):  # no child has run yet; the next row starts one
            return False
        return due is not None and due <= self._clock.now()
