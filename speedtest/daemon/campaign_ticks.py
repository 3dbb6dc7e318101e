"""When tests are due: those of the normal schedule, and those of a campaign beside them.

A daemon without a campaign does not load the modules of one.
"""

import math
from typing import TYPE_CHECKING

from speedtest.daemon.clock import Clock
from speedtest.daemon.due import Ticks
from speedtest.environment import Settings
from speedtest.measurement import Measurement
from speedtest.speedtest import Slot

if TYPE_CHECKING:
    from speedtest.daemon.campaign import Campaign

ORDER_NAME = "campaign.json"
"""In RESULT_DIR: what `speedsnake campaign` orders, see `campaigns.order`."""
LOOK_SECONDS = 600.0
"""How often a daemon that has nothing else to do looks for an order."""


class CampaignTicks:
    """The slots of both in order. One of the normal schedule that is near a planned test takes its place."""

    def __init__(self, normal: Ticks, settings: Settings, clock: Clock) -> None:
        """Take the normal schedule. `look` finds an order."""
        self._normal = normal
        self._settings = settings
        self._clock = clock
        self._order = settings.result_dir / ORDER_NAME
        self._campaign: Campaign | None = None

    def look(self) -> None:
        """Look for a new or cancelled order, and say in the evening what is missing."""
        if self._campaign is None and self._order.exists():
            from speedtest.daemon.campaign import Campaign  # noqa: PLC0415 (see above)

            self._campaign = Campaign(self._settings, self._clock)
        if self._campaign:
            self._campaign.look()

    @property
    def completed(self) -> str | None:
        """The campaign that is complete, so that its verdict can be made."""
        return self._campaign.completed if self._campaign else None

    @property
    def next_due(self) -> float:
        """Return when the next slot is due, by the monotonic clock."""
        normal = self._normal.next_due
        return normal if self._is_near(normal) else min(normal, self._extra)

    def take(self) -> Slot:
        """Return the slot that is due, and advance to the next one."""
        normal = self._normal.next_due
        if self._campaign and self._is_near(normal):
            return self._campaign.claim(self._normal.take())
        if self._campaign and self._extra < normal and self._extra <= self._clock.monotonic():
            return self._campaign.slot(normal)
        return self._normal.take()

    def missed(self) -> list[Slot]:
        """Return the slots of the normal schedule that became due while a test ran, and advance past them."""
        return self._normal.missed()

    def note(self, slot: Slot, row: Measurement) -> None:
        """Note a row of a slot."""
        if self._campaign and slot.campaign:
            self._campaign.note(row)

    def settle(self, slot: Slot) -> None:
        """Note that a slot is over."""
        if self._campaign and slot.campaign:
            self._campaign.settle()

    @property
    def _extra(self) -> float:
        return self._campaign.next_due if self._campaign else math.inf

    def _is_near(self, normal: float) -> bool:
        return self._campaign is not None and abs(normal - self._extra) <= self._campaign.near
