"""What can be seen from here: the link, the router, the resolvers, by which probes, and what cannot be seen and why.

Nothing is sent.
"""

import msgspec

from speedtest.daemon import link
from speedtest.daemon.clock import is_synchronised
from speedtest.environment import Settings
from speedtest.probing import routes
from speedtest.probing.probes import Method, Probes
from speedtest.probing.targets import both
from speedtest.values.hosts import version_of


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the watch and the circumstances of a test rest on."""

    watches: bool
    """Whether the daemon watches the line."""
    methods: dict[str, Method]
    """How targets are probed, by family."""
    targets: list[str]
    router: str | None
    resolvers: list[str]
    interface: str | None
    link: str | None
    link_mbps: float | None
    clock_synced: bool | None
    unseen: list[str]
    """What cannot be seen from here, why, and what would help."""


def look(settings: Settings) -> Surroundings:
    """Look around."""
    ways = routes.ways(settings.speedtest_interface)
    families = ways.families
    facts = link.facts(link.interface(settings))
    behind_bridge = link.is_behind_bridge(facts.interface)
    probes = Probes(settings.speedtest_interface)
    methods = {f"ipv{version}": probes.method(version) for version in families}
    probes.close()
    targets = [each for target in settings.watch_targets for each in both(target)]
    return Surroundings(
        watches=settings.watch_seconds > 0,
        methods=methods,
        targets=[each for each in targets if version_of(each) in (None, *families)],
        router=None if behind_bridge else ways.router,
        resolvers=routes.resolvers(),
        interface=facts.interface,
        link=facts.link,
        link_mbps=facts.link_mbps,
        clock_synced=is_synchronised(),
        unseen=list(_unseen(behind_bridge=behind_bridge, told=ways.told, has_way=bool(families), methods=methods)),
    )


def _unseen(*, behind_bridge: bool, told: bool, has_way: bool, methods: dict[str, Method]) -> list[str]:
    unseen: list[str] = []
    if behind_bridge:
        unseen.append(
            "the router, the link's rate and the traffic of other programs: this is a container on a bridge; "
            "network_mode: host shows them"
        )
    if not told:
        unseen.append("the router and the link: this system does not tell its routes")
    elif not has_way:
        unseen.append("any target: this machine has no default route now")
    if "tcp" in methods.values():
        unseen.append(
            "round trips by ICMP: this user may not send echoes, so targets are probed by TCP on port 443; "
            'allow it by sysctl net.ipv4.ping_group_range="0 2147483647"'
        )
    return unseen
