"""`python -m speedtest.handlers.loop --check`: what the daemon would start with, for a person to read."""

import os
import sys
from typing import NoReturn

import msgspec

from speedtest import speedtest
from speedtest.environment import Settings
from speedtest.handlers import start
from speedtest.process import Stop


def check(settings: Settings) -> NoReturn:
    """Print the settings, the program and the state of each folder; exit 0, 69 without a program, 78 for a folder."""
    for name, value in msgspec.structs.asdict(settings).items():
        _say(name.upper(), _as_written(value))
    start.warn_of_unknown_variables()
    folders = {"RESULT_DIR": settings.result_dir, "UPLOAD_DIR": settings.upload_dir, "LOG_DIR": settings.log_dir}
    refused = {name: start.refusal(folder) for name, folder in folders.items()}
    for name, why in refused.items():
        _say(f"{name} writable", f"no: {why.strerror}" if why else "yes")
    programs = speedtest.find_all(settings, os.environ, Stop())
    for program in programs.values():
        _say("program", f"{program.path} ({program.engine.name} {program.version})")
    if not programs:
        _say("program", "none")
    if refused["RESULT_DIR"] or refused["UPLOAD_DIR"]:
        start.end(start.MISCONFIGURED, "a folder cannot be written: mend it or set another one")
    if not programs:
        start.end(start.NO_PROGRAM, start.no_program(settings))
    sys.exit(start.OK)


def _as_written(value: object) -> str:
    """Return a value as a person would set it."""
    match value:
        case None | () | {} if not value:
            return "not set"
        case tuple():
            return ",".join(map(str, value))
        case dict():
            return ",".join(f"{name}={item}" for name, item in value.items())
        case _:
            return str(value)


def _say(name: str, value: str) -> None:
    sys.stdout.write(f"{name:<34}{value}\n")
