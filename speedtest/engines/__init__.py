"""The speed-test programs that SpeedSnake can run: every module here that defines `ENGINE` is one engine."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from speedtest.engines.engine import Engine
from speedtest.measurement import Failure, Measurement


def _engines() -> Iterator[Engine]:
    for found in pkgutil.iter_modules(__path__):
        engine = getattr(importlib.import_module(f"{__name__}.{found.name}"), "ENGINE", None)
        if isinstance(engine, Engine):
            yield engine


ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in sorted(_engines(), key=lambda engine: (engine.auto or 1000, engine.name))
}
"""Every engine by name. Those that `auto` looks for come first, in that order."""

AUTO = "auto"


def items(chosen: Sequence[str]) -> list[str]:
    """Return the items of `SPEEDTEST_ENGINE` in the order in which they are tried in a slot.

    `auto` is the first program found, and after it the fallbacks.
    """
    return [AUTO, *(engine.name for engine in ENGINES.values() if engine.fallback)] if AUTO in chosen else [*chosen]


def asked_for(name: str) -> list[Engine]:
    """Return the engines that an item stands for, in order of preference: the first one found measures."""
    if name != AUTO:
        return [ENGINES[name]]
    return [engine for engine in ENGINES.values() if engine.auto and not engine.fallback]


def derive(timestamp: datetime, row: Mapping[str, str]) -> Measurement | None:
    """Return the common columns of a row that holds only a program's fields; None if no engine recognises them.

    The original program kept such rows, even of false results: those come back as failed.
    """
    for engine in ENGINES.values():
        try:
            measurement = engine.derive(row)
        except Failure as failure:
            return Measurement(
                timestamp=timestamp,
                status="failed",
                engine=engine.name,
                error_kind=failure.kind,
                error=failure.words,
            )
        if measurement:
            return measurement
    return None
