"""`python -m speedtest.handlers.loop --check`: what the daemon would start with, for a person to read."""

import os
import sys
from typing import NoReturn

import msgspec

from speedtest import programs
from speedtest.data import probe
from speedtest.environment import Settings
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.terminal import exits, startup


def check(settings: Settings, *, as_json: bool = False) -> NoReturn:
    """Print the settings, the program and the state of each folder; exit 0, 69 without a program, 78 for a folder."""
    startup.warn_of_unknown_variables()
    folders = {"RESULT_DIR": settings.result_dir, "UPLOAD_DIR": settings.upload_dir, "LOG_DIR": settings.log_dir}
    refused = {name: probe.refusal(folder) for name, folder in folders.items()}
    found = list(programs.find_all(settings, os.environ, Stop()).values())
    written = {name.upper(): _as_written(value) for name, value in msgspec.structs.asdict(settings).items()}
    (_say_json if as_json else _say)(written, refused, found)
    if refused["RESULT_DIR"] or refused["UPLOAD_DIR"]:
        exits.end(exits.MISCONFIGURED, "a folder cannot be written: mend it or set another one")
    if not found:
        exits.end(exits.NO_PROGRAM, startup.no_program(settings))
    sys.exit(exits.OK)


def _as_written(value: object) -> str | None:
    """Return a value as a person would set it, None where it is not set."""
    match value:
        case None | () | {} if not value:
            return None
        case tuple():
            return ",".join(map(str, value))
        case dict():
            return ",".join(f"{name}={item}" for name, item in value.items())
        case _:
            return str(value)


def _say(written: dict[str, str | None], refused: dict[str, OSError | None], programs: list[Program]) -> None:
    lines = [(name, value or "not set") for name, value in written.items()]
    lines += [(f"{name} writable", f"no: {why.strerror}" if why else "yes") for name, why in refused.items()]
    lines += [("program", f"{each.path} ({each.engine.name} {each.version})") for each in programs]
    for name, value in lines if programs else [*lines, ("program", "none")]:
        sys.stdout.write(f"{name:<34}{value}\n")


def _say_json(written: dict[str, str | None], refused: dict[str, OSError | None], programs: list[Program]) -> None:
    found = [{"engine": each.engine.name, "version": each.version, "path": str(each.path)} for each in programs]
    whole = {"settings": written, "writable": {name: not why for name, why in refused.items()}, "programs": found}
    sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")
