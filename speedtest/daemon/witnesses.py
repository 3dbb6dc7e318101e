"""Who answers of those that are asked: the router, the two families, and the targets, each on its own.

A family that alone is silent, or a target that alone is silent, is no outage. It is told once, and a silent target is
not counted until it answers again.
"""

from collections.abc import Callable, Iterable

import msgspec

from speedtest.daemon.line import Sight
from speedtest.events import Event
from speedtest.values.hosts import version_of

FAMILY_SECONDS = 300.0
TARGET_SECONDS = 60.0
"""How long a family or a target is silent, while others answer, until that is told."""


class News(msgspec.Struct, frozen=True):
    """Something to log."""

    event: Event
    words: str
    is_bad: bool = False


class Witnesses:
    """Remembers who answered when."""

    def __init__(self, named: Callable[[str], str] = str) -> None:
        """Nobody has answered yet. `named` returns an address as people know it."""
        self._named = named
        self.lost_families: set[int] = set()
        self.silent_targets: set[str] = set()
        self._families: dict[int, float] = {}
        self._silent_since: dict[str, float] = {}
        self._targets: set[str] = set()
        """Those that have answered at least once."""
        self._routers: set[str] = set()

    @property
    def families(self) -> list[int]:
        """The families that have answered at least once: 4, 6."""
        return sorted(self._families)

    def heard(self, target: str) -> None:
        """Take an answer of a target outside its round."""
        self._targets.add(target)

    def counts(self, target: str) -> bool:
        """Return whether a lost probe of this target tells of the line."""
        return target in self._targets and target not in self.silent_targets

    def sight(self, router: str | None, *, answered: bool, lost: str | None) -> Sight:
        """Return what a silent round saw of the router. `lost` says why there is no way to it at all."""
        if answered:
            return "router-answers"
        if lost:
            return "link"
        return "router-silent" if router in self._routers else "router-unknown"

    def note(self, at: float, asked: Iterable[str], answered: set[str]) -> list[News]:
        """Take a round in which a target answered; return what is new. Both are targets: a router is no witness."""
        news: list[News] = []
        alive = {version for address in answered if (version := version_of(address))}
        for version in alive:
            self._families[version] = at
            if version in self.lost_families:
                self.lost_families.discard(version)
                news.append(News("family_back", f"IPv{version} answers again"))
        for version, last in self._families.items():
            if at - last >= FAMILY_SECONDS and version not in self.lost_families:
                self.lost_families.add(version)
                other = "IPv4" if version == 6 else "IPv6"  # noqa: PLR2004 (IPv6)
                words = f"IPv{version} has not answered for {FAMILY_SECONDS / 60:.0f} minutes, {other} does"
                news.append(News("family_lost", f"{words}: the line counts as up", is_bad=True))
        for target in asked:
            news += self._note_target(at, target, answered=target in answered, alive=alive)
        return news

    def note_router(self, router: str) -> None:
        """Take an answer of the router."""
        self._routers.add(router)

    def begin_anew(self) -> None:
        """Forget who is silent since when: nobody has watched meanwhile."""
        self._silent_since.clear()
        self._families.clear()

    def _note_target(self, at: float, target: str, *, answered: bool, alive: set[int]) -> list[News]:
        if answered:
            self._targets.add(target)
            self._silent_since.pop(target, None)
            if target not in self.silent_targets:
                return []
            self.silent_targets.discard(target)
            return [News("target_back", f"the target {self._named(target)} answers again and is counted")]
        if version_of(target) not in alive:
            return []
        since = self._silent_since.setdefault(target, at)
        if at - since < TARGET_SECONDS or target in self.silent_targets:
            return []
        self.silent_targets.add(target)
        words = f"the target {self._named(target)} does not answer, others do: it is not counted until it does"
        return [News("target_silent", f"{words}; if it never has, correct WATCH_TARGETS", is_bad=True)]
