"""Count probes and round trips between two looks at them."""

from array import array
from collections.abc import Sequence

_MOST = 2000
"""So many round trips to an address are kept; of more, every second one, and so on."""


class _RoundTrips:
    """Round trips in seconds, evenly thinned out if they become too many."""

    def __init__(self) -> None:
        self.kept = array("f")
        self._every = 1
        self._count = 0

    def add(self, seconds: float) -> None:
        self._count += 1
        if self._count % self._every:
            return
        self.kept.append(seconds)
        if len(self.kept) >= _MOST:
            self.kept = self.kept[::2]
            self._every *= 2


class Tally:
    """What was sent, what was lost, and how long the answers took."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.sent = self.lost = 0
        self._silent: dict[str, int] = {}
        """The probes of each target that were not answered since its last answer."""
        self._targets: dict[str, _RoundTrips] = {}
        self._router = _RoundTrips()

    def add(self, target: str, answers: Sequence[float], sent: int) -> None:
        """Count the probes of a target in a round, and the round trips of those that were answered.

        Lost ones count once the target answers again: until then it may be the target that is silent, not the line.
        """
        lost = self._silent.get(target, 0) + sent - len(answers)
        self._silent[target] = 0 if answers else lost
        if answers:
            self.sent += lost + len(answers)
            self.lost += lost
        for seconds in answers:
            self._targets.setdefault(target, _RoundTrips()).add(seconds)

    def found(self, target: str, seconds: float) -> None:
        """Count an answer that came after its round."""
        if self._silent.get(target):
            self._silent[target] -= 1
            self.sent += 1
        else:
            self.lost = max(self.lost - 1, 0)
        self._targets.setdefault(target, _RoundTrips()).add(seconds)

    def forget_silent(self) -> None:
        """Do not count the probes that were not answered lately: the line was down."""
        self._silent.clear()

    def add_router(self, seconds: float) -> None:
        """Count a round trip to the router."""
        self._router.add(seconds)

    @property
    def latency_ms(self) -> float | None:
        """The median round trip to the nearest target."""
        return _ms(_median(self._nearest()))

    @property
    def latency_p95_ms(self) -> float | None:
        """The 95th percentile of the round trips to the nearest target."""
        return _ms(_quantile(self._nearest(), 0.95))

    @property
    def router_latency_ms(self) -> float | None:
        """The median round trip to the router."""
        return _ms(_median(self._router.kept))

    @property
    def loss_ratio(self) -> float | None:
        """The share of the probes that were lost."""
        return self.lost / self.sent if self.sent else None

    def _nearest(self) -> array[float]:
        """Return the round trips to the target with the lowest median, of those that answered as often as others."""
        most = max((len(each.kept) for each in self._targets.values()), default=0)
        often = [each.kept for each in self._targets.values() if len(each.kept) * 2 >= most]
        return min(often, key=lambda kept: _median(kept) or 0.0, default=array("f"))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _median(values: Sequence[float]) -> float | None:
    """Return the middle value, of two middle ones the mean; None of no values."""
    return _quantile(values, 0.5)


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which this share of the values lies, between two values as far as it lies between them."""
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
