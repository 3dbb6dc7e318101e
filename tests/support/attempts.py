"""Make one attempt for a test: with the program at this path, these settings and this target."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from speedtest import environment, programs, speedtest
from speedtest.engines import ENGINES
from speedtest.engines.engine import Target
from speedtest.environment import Settings
from speedtest.measurement import Measurement
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SECOND = {"SPEEDTEST_SECONDS_PER_DIRECTION": "1"}


def settings(**variables: str) -> Settings:
    return environment.read(variables, ENGINES)


def find(path: Path, engine: str, surroundings: dict[str, str], **variables: str) -> tuple[Program, Settings]:
    chosen = settings(SPEEDTEST_ENGINE=engine, **variables)
    program = programs.find(chosen, {**surroundings, "PATH": str(path.parent)}, Stop())
    assert program
    return program, chosen


def attempt(
    path: Path,
    engine: str,
    where: Callable[[Target], Target] = lambda target: target,
    surroundings: dict[str, str] | None = None,
    **variables: str,
) -> Measurement:
    """Measure once with the program at `path`, against the settings' target or what `where` makes of it."""
    around = {"PATH": f"{path.parent}:{os.environ['PATH']}", "HOME": str(path.parent)} | (surroundings or {})
    program, chosen = find(path, engine, around, **variables)
    target = where(speedtest.target(program.engine, chosen, 0))
    row = speedtest.run(program, chosen, Slot(NOW), around, Stop(), where=target)
    assert row
    return row


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    return path
