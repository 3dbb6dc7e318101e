"""The speed-test programs that SpeedSnake can drive: every module here that has an `ENGINE` is one."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
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
"""Every engine by its name; those that `auto` looks for come first, in its order."""

AUTO = "auto"


def asked_for(name: str) -> list[Engine]:
    """Return the engines that one item of `SPEEDTEST_ENGINE` stands for, the preferred one first."""
    return [ENGINES[name]] if name != AUTO else [engine for engine in ENGINES.values() if engine.auto]


def derive(timestamp: datetime, row: Mapping[str, str]) -> Measurement | None:
    """Return the common columns of a row that has a program's flattened fields only; None if no engine knows them.

    The original program kept such rows, false results among them: those come back as failed.
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
