"""What the daemon does so that its rows stand as evidence: the daily time stamp, and the verdict of a campaign.

Both are children that end. What they need to know they read from RESULT_DIR; what they have done lies there as a file.
"""

from collections.abc import Mapping

from speedtest.daemon.clock import Clock
from speedtest.daemon.errands import Errand
from speedtest.environment import Settings
from speedtest.process import Stop

SECONDS = 300.0
"""The time limit of each."""
RETRY_SECONDS = 3600.0
"""How long after a try another one may be made."""


class Proofs:
    """The two errands."""

    def __init__(self, settings: Settings, clock: Clock, environment: Mapping[str, str], stop: Stop) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._clock = clock
        self._stamp = Errand(
            "time stamp",
            "speedtest.handlers.stamp",
            seconds=SECONDS,
            failed="stamp_failed",
            ended="stamped",
            environment=environment,
            stop=stop,
        )
        self._verdict = Errand(
            "campaign's verdict",
            "speedtest.handlers.campaign_verdict",
            seconds=SECONDS,
            failed="campaign_verdict",
            ended="campaign_verdict",
            environment=environment,
            stop=stop,
        )
        self._not_before: dict[str, float] = {}

    def start(self, completed: str | None) -> None:
        """Start what is due. `completed`: the campaign whose sample is complete, if there is one."""
        if self._settings.stamp_url and not self._is_stamped():
            self._try(self._stamp)
        if completed and not (self._settings.result_dir / f".campaign-verdict-{completed}.json").exists():
            self._try(self._verdict)

    def join(self) -> None:
        """Wait until both have ended. A stop ends them early."""
        self._stamp.join()
        self._verdict.join()

    def _is_stamped(self) -> bool:
        today = self._clock.now().date()
        return (self._settings.result_dir / "stamps" / f"{today}.tsr").exists()

    def _try(self, errand: Errand) -> None:
        now = self._clock.monotonic()
        if now >= self._not_before.get(errand.name, now) and errand.start():
            self._not_before[errand.name] = now + RETRY_SECONDS
