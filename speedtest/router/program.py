"""Ask a router what it knows of the line, and print one JSON object.

    python -m speedtest.router ADDRESS [--seconds N] [--known JSON]

Exit code 0: the object has answers. Exit code 1: it has only `problems`. Exit code 64: wrong arguments.

- `known`: where the router's services are; given with `--known`, a later run asks them at once.
- `name`: the router's model. `at`: when the router was asked, by the clock that no setting changes, in seconds.
- `link_down_mbps`, `link_up_mbps`: the rates of the WAN link, as with a DSL modem its sync. `link_status`: Up or Down.
- `wan_status`, `wan_uptime_seconds`: whether, and for how long, the WAN is connected.
- `bytes_down`, `bytes_up`: what the whole house has moved. `counter_bits`: 32 if the counters begin again at 2^32.
- `address`: a digest of the external address, made with the key in the variable `ROUTER_KEY`, so that a change can be
  told. Without a key there is none.
- `problems`: why answers are missing, in words.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import NoReturn, override

from speedtest.router import discovery, questions
from speedtest.router.questions import KnownServices, RouterFields, RouterService
from speedtest.router.web import Host, UnusableAnswer

SECONDS = 12.0
WIDE = 64
KEY = "ROUTER_KEY"
_MOST_PROBLEMS = 5


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Ask, print and exit."""
    parser = _Parser(prog="python -m speedtest.router", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("address")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="the most for all questions")
    parser.add_argument("--known", type=_known, help="where the services are, as an earlier run printed it")
    asked = parser.parse_args(arguments)
    problems: list[str] = []
    found = _ask(Host(asked.address, asked.seconds), asked.known, problems)
    problems = list(dict.fromkeys(problems))[:_MOST_PROBLEMS]
    sys.stdout.write(json.dumps(found | ({"problems": problems} if problems else {})) + "\n")
    sys.exit(0 if found else 1)


class _Parser(argparse.ArgumentParser):
    @override
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{message}\n")
        sys.exit(os.EX_USAGE)


def _known(text: str) -> KnownServices:
    try:
        common, connections, *rest = json.loads(text)
        services = tuple(RouterService(*each) for each in connections)
        return KnownServices(RouterService(*common) if common else None, services, *rest)
    except TypeError as error:
        raise ValueError(text) from error


def _ask(host: Host, known: KnownServices | None, problems: list[str]) -> RouterFields:
    """Ask the known services, else those of the first description whose services answer."""
    if known:
        return _of(host, known, problems)
    for place in discovery.places(host, problems):
        if not host.left:
            problems.append("the router took too long")
            break
        try:
            known = questions.services(host, place)
        except UnusableAnswer as why:
            problems.append(str(why))
            continue
        except OSError as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or error
            problems.append(f"{host.address}:{place.port}{place.path}: {why}")
            continue
        if found := _of(host, known, problems):
            return found
    return {}


def _of(host: Host, known: KnownServices, problems: list[str]) -> RouterFields:
    at = time.monotonic()
    key = os.environ.get(KEY, "").encode()
    fields = questions.ask(host, known, key, problems)
    if not key:
        fields.pop("address", None)
    known = known._replace(wide=known.wide and fields.get("counter_bits") == WIDE)
    return {"known": known, "name": known.name, "at": at} | fields if fields else {}
