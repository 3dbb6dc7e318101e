"""The speed-test programs that SpeedSnake can drive: one module each, listed here."""

from collections.abc import Mapping
from datetime import datetime

from speedtest.engines import ookla, speedtest_cli
from speedtest.engines.output import Engine
from speedtest.measurement import Failure, Measurement

ENGINES: dict[str, Engine] = {module.ENGINE.name: module.ENGINE for module in (ookla, speedtest_cli)}
"""Every engine by its name, in the order in which `auto` prefers them."""


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
