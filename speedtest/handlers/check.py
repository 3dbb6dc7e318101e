"""Show the settings, the programs found, the folders and what can be seen of the line: `speedsnake check`.

Exit codes: 0 all is well · 1 the store of DELIVER_TO cannot be reached now · 69 no speed-test program found · 78 wrong
configuration, a folder cannot be written, or the store refuses these settings.
"""

import os
import sys
from typing import Annotated

import msgspec
import typer

from speedtest import environment, logging as logs, programs
from speedtest.daemon import router, surroundings
from speedtest.daemon.router import RouterAnswer
from speedtest.daemon.surroundings import Surroundings
from speedtest.data import probe
from speedtest.engines import ENGINES
from speedtest.environment import Explained, Settings
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.publishing import visit
from speedtest.publishing.standing import Standing
from speedtest.terminal import exits, startup
from speedtest.terminal.command import alone
from speedtest.variables import EVERYTHING


def check(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the settings, programs, folders and the way to the line.

    Prints each setting with its value, its origin and its default, the speed-test programs found, whether each folder
    can be written, and what the watch probes from here and how. Measures nothing. If DELIVER_TO is set, puts and reads
    an empty object there; with ROUTER_ASK=1, asks the router. Sends nothing else.

    Exit codes: 0 all is well, 1 the store of DELIVER_TO cannot be reached now, 69 no speed-test program found, 78 wrong
    configuration, a folder cannot be written, or the store refuses these settings.
    """
    settings = startup.settings(EVERYTHING)
    logs.configure(settings.log_level, commit_hash=settings.commit_hash)
    startup.warn_of_unknown_variables()
    startup.warn_of_arguments(settings)
    folders = {"RESULT_DIR": settings.result_dir, "UPLOAD_DIR": settings.upload_dir, "LOG_DIR": settings.log_dir}
    refused = {
        name: probe.why(folder, error) if (error := probe.refusal(folder)) else None for name, folder in folders.items()
    }
    found = list(programs.find_all(settings, os.environ, Stop()).values())
    explained = environment.explain(settings, os.environ, ENGINES)
    sent = Sent(_try_store(settings), [visit.standing_of(settings, name) for name in settings.receivers])
    seen = Seen(explained, refused, found, surroundings.look(settings), sent, _asked(settings))
    (_say_json if as_json else _say)(seen)
    if refused["RESULT_DIR"] or refused["UPLOAD_DIR"]:
        exits.end(exits.MISCONFIGURED, "a folder cannot be written: change its owner or mode, or choose another folder")
    if (delivery := sent.delivery) and delivery.why_not:
        code = exits.MISCONFIGURED if delivery.is_final else exits.FAILED
        exits.end(code, f"nothing can be delivered to {delivery.store}: {delivery.why_not}")
    if not found:
        exits.end(exits.NO_PROGRAM, startup.no_program(settings))
    sys.exit(exits.OK)


class StoreSeen(msgspec.Struct, frozen=True):
    """Whether objects can be put at the store of DELIVER_TO and read there."""

    store: str
    why_not: str | None = None
    is_final: bool = False
    """Whether a person must change something."""


class Sent(msgspec.Struct, frozen=True):
    """How the systems stand that something is sent to."""

    delivery: StoreSeen | None
    receivers: list[Standing]


def _try_store(settings: Settings) -> StoreSeen | None:
    """Put an empty object at the store and read it; None if nothing is to be delivered."""
    if not settings.deliver_to:
        return None
    from speedtest.delivery import protocol, stores  # noqa: PLC0415 (help and completion do not need them)
    from speedtest.delivery.refusals import StoreRefused  # noqa: PLC0415 (the same)

    try:
        protocol.probe(stores.open_store(settings), settings.speedtest_location_uuid)
    except StoreRefused as refused:
        return StoreSeen(settings.deliver_to, str(refused), refused.trouble != "temporary")
    return StoreSeen(settings.deliver_to)


class Seen(msgspec.Struct, frozen=True):
    """All that is shown."""

    explained: list[Explained]
    refused: dict[str, str | None]
    """Why a folder cannot be written, by its variable; None if it can."""
    found: list[Program]
    around: Surroundings
    sent: Sent
    answer: RouterAnswer | None
    """What the router says; None if it is not asked."""


def _asked(settings: Settings) -> RouterAnswer | None:
    """Ask the router, if ROUTER_ASK says so."""
    if not settings.router_ask:
        return None
    address, why = router.asked_address(settings)
    if address is None:
        return RouterAnswer(problems=(why,))
    return router.look(address, Stop(), router.child_environment(os.environ))


def _say(seen: Seen) -> None:
    lines = [(each.name, f"{each.value or 'not set'}{_origin(each)}") for each in seen.explained]
    lines += [(f"{name} writable", f"no: {why}" if why else "yes") for name, why in seen.refused.items()]
    if delivery := seen.sent.delivery:
        lines.append(("DELIVER_TO reachable", f"no: {delivery.why_not}" if delivery.why_not else "yes"))
    lines += [("program", f"{each.path} ({each.engine.name} {each.version})") for each in seen.found]
    lines += [] if seen.found else [("program", "none")]
    lines += [(each.name, each.words_for(lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC")) for each in seen.sent.receivers]
    for name, value in [*lines, *_around(seen.around), *_of_router(seen.answer)]:
        sys.stdout.write(f"{name:<34}{value}\n")


def _around(around: Surroundings) -> list[tuple[str, str]]:
    """Return what can be seen of the line."""
    rate = f", {around.link_mbps:g} Mbit/s" if around.link_mbps else ""
    link = f"{around.interface or 'unknown'} ({around.link or 'unknown'}{rate})"
    how = ", ".join(f"{method.upper()} over IP{family.removeprefix('ip')}" for family, method in around.methods.items())
    synced = {True: "synchronised", False: "not synchronised", None: "the system does not say"}[around.clock_synced]
    return [
        ("watch", f"{how or 'no way to any target'}: {', '.join(around.targets)}" if around.watches else "off"),
        ("router", around.router or "not known"),
        ("resolvers", ", ".join(around.resolvers) or "none"),
        ("link", link),
        ("clock", synced),
        *(("not seen from here", text) for text in around.unseen),
    ]


def _of_router(answer: RouterAnswer | None) -> list[tuple[str, str]]:
    """Return what the router answers, and why it does not answer the rest."""
    if answer is None:
        return [("the router tells", "not asked: ROUTER_ASK=1 asks it")]
    told = router.words(answer) if bytes(answer.known) else "nothing"
    return [("the router tells", told), *(("the router does not tell", why) for why in answer.problems)]


def _origin(each: Explained) -> str:
    """Return where a value comes from and which default it replaces."""
    if each.origin == "default":
        return " (default)" if each.value else ""
    return f" ({each.origin}; default {each.default or 'not set'})"


def _say_json(seen: Seen) -> None:
    whole = {
        "settings": {each.name: each.value for each in seen.explained},
        "variables": seen.explained,
        "writable": {name: not why for name, why in seen.refused.items()},
        "programs": [
            {"engine": each.engine.name, "version": each.version, "path": str(each.path)} for each in seen.found
        ],
        "line": seen.around,
        "delivery": seen.sent.delivery,
        "receivers": seen.sent.receivers,
        "router": router.shown(seen.answer) if seen.answer else None,
    }
    sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")


if __name__ == "__main__":
    alone(check)
