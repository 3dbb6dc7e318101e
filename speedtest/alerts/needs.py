"""Whether a run needs pandas: only one that makes a digest does."""

from datetime import datetime

from speedtest.alerts import conditions, digests
from speedtest.alerts.outbox import Outbox
from speedtest.environment import Settings


def pandas(settings: Settings, now: datetime) -> bool:
    """Return whether a run at this time makes a digest."""
    return digests.due(settings, conditions.read(Outbox(settings.result_dir), now), now) is not None
