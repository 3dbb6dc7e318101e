"""One round of probes: what is asked, what has answered, and the same in words."""

from speedtest.daemon.line import Sight
from speedtest.probing.routes import Ways


class Round:
    """A round. It is filled while answers come."""

    def __init__(  # noqa: PLR0913 (what is asked, and how)
        self,
        targets: list[str],
        router: str | None,
        *,
        resolvers: list[str],
        ways: Ways,
        echoes: int = 1,
        knocks: bool = False,
    ) -> None:
        """Ask these targets, the router and these resolvers, by these ways; send each address so many echoes.

        With `knocks` the targets are asked by TCP as well.
        """
        self.targets, self.router, self.resolvers, self.ways = targets, router, resolvers, ways
        self.echoes, self.knocks = echoes, knocks
        self.sent = 0.0
        """When its first probe was sent, by the monotonic clock."""
        self.first: float | None = None
        """When the first target answered."""
        self.answers: dict[str, list[float]] = {}
        """Round trips in seconds, by address."""
        self.knocked: dict[str, list[float]] = {}
        """The same of targets that were asked by TCP as well."""
        self.resolved = False

    @property
    def addresses(self) -> list[str]:
        """All that get an echo."""
        return [*self.targets, *([self.router] if self.router and self.router not in self.targets else [])]

    @property
    def answered(self) -> set[str]:
        """The targets that have answered."""
        return {*self.answers, *self.knocked}.intersection(self.targets)

    @property
    def echoes_answered(self) -> bool:
        """Whether a target has answered an echo, or none was asked."""
        return not self.targets or not set(self.answers).isdisjoint(self.targets)

    @property
    def router_answered(self) -> bool:
        """Whether the router has answered."""
        return self.router in self.answers

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can come."""
        whole = all(len(self.answers.get(each, ())) >= self.echoes for each in self.addresses)
        return whole and (self.resolved or not self.resolvers)

    @property
    def nearest_ms(self) -> float | None:
        """The shortest round trip to a target; None if none has answered."""
        found = [seconds for target in self.targets for seconds in self.counted(target)[0]]
        return round(min(found) * 1000, 3) if found else None

    @property
    def asks_anything(self) -> bool:
        """Whether its outcome tells anything: a target was asked, or there is no way to ask one."""
        return bool(self.targets) or self.ways.lost is not None

    def hear(self, address: str, seconds: float, at: float) -> None:
        """Take an answer of an address that was asked."""
        if address in self.addresses:
            self.answers.setdefault(address, []).append(seconds)
            if address in self.targets and self.first is None:
                self.first = at

    def hear_knock(self, address: str, seconds: float, at: float) -> None:
        """Take an answer of a target by TCP."""
        if address in self.targets:
            self.knocked.setdefault(address, []).append(seconds)
            self.first = at if self.first is None else self.first

    def counted(self, target: str) -> tuple[list[float], int]:
        """Return the round trips to a target, and how many probes they are of.

        If it answers by TCP only, its echoes are not lost: the network lets none through.
        """
        answers, knocked = self.answers.get(target, []), self.knocked.get(target, [])
        return (knocked, len(knocked)) if knocked and not answers else (answers, self.echoes)

    def words(self, sight: Sight) -> str:
        """Return what a silent round saw, as a sentence."""
        silent = f"no answer from {', '.join(self.targets)}" if self.targets else "no target could be asked"
        router = {
            "link": f"{self.ways.lost}",
            "router-answers": f"the router {self.router} answered",
            "router-silent": f"the router {self.router} did not answer either",
            "router-unknown": f"the router {self.router} never answers" if self.router else "no router is known",
        }
        return f"{silent}; {router[sight]}"

    @property
    def words_of_resolvers(self) -> str:
        """Return what a round saw in which no resolver resolved, as a sentence."""
        return f"{', '.join(self.targets)} answered, but no resolver did: {', '.join(self.resolvers)}"
