"""When tests are due: those of the normal schedule, and those of a campaign beside them."""

from speedtest.daemon.campaign import Campaign
from speedtest.daemon.clock import Clock
from speedtest.daemon.due import Ticks
from speedtest.speedtest import Slot


class CampaignTicks:
    """The slots of both in order. One of the normal schedule that is near a planned test takes its place."""

    def __init__(self, normal: Ticks, campaign: Campaign, clock: Clock) -> None:
        """Take the normal schedule and the campaign."""
        self._normal = normal
        self._campaign = campaign
        self._clock = clock

    @property
    def next_due(self) -> float:
        """Return when the next slot is due, by the monotonic clock."""
        normal, extra = self._normal.next_due, self._campaign.next_due
        return normal if abs(normal - extra) <= self._campaign.near else min(normal, extra)

    def take(self) -> Slot:
        """Return the slot that is due, and advance to the next one."""
        normal, extra = self._normal.next_due, self._campaign.next_due
        if abs(normal - extra) <= self._campaign.near:
            return self._campaign.claim(self._normal.take())
        if extra < normal and extra <= self._clock.monotonic():
            return self._campaign.slot(normal)
        return self._normal.take()

    def missed(self) -> list[Slot]:
        """Return the slots of the normal schedule that became due while a test ran, and advance past them."""
        return self._normal.missed()
