"""Settings: every environment variable, its type, its default and what is allowed. An empty value counts as unset."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from speedtest.values import hours, targets
from speedtest.values.hours import Hours
from speedtest.values.targets import Engines

SHORTEST_INTERVAL_SECONDS = 0.001
LONGEST_INTERVAL_SECONDS = 366 * 24 * 3600
LONGEST_TEST_SECONDS = 3600
LONGEST_DIRECTION_SECONDS = 300
MOST_UDP_MBPS = 1000
MOST_RETRIES = 10
MOST_MBPS = 1_000_000
MOST_GIGABYTES = 1_000_000
LARGEST_PORT = 65535
_ADDRESS = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,64}")
_ZONE_ROOTS = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")
_ZONE_LINK = Path("/etc/localtime")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force, checked. Field names are the variables' names in lower case."""

    sleep_seconds: float
    speedtest_location_uuid: str
    result_dir: Path
    upload_dir: Path
    log_dir: Path
    commit_hash: str | None
    speedtest_engine: tuple[str, ...]
    speedtest_server: dict[str, str]
    speedtest_server_id: tuple[str, ...]
    speedtest_interface: str | None
    speedtest_seconds_per_direction: int | None
    speedtest_udp_mbps: float | None
    speedtest_timeout_seconds: float
    log_level: str
    tz: str | None
    speedtest_retries: int
    speedtest_confirm_below_mbps: tuple[float, float] | None
    """Download and upload, Mbit/s."""
    sleep_jitter_seconds: float
    quiet_hours: Hours | None
    data_budget_gb_per_month: float | None


class Mistakes(Exception):
    """Variables whose values are not allowed: one line for each, naming the variable, the value and what is allowed."""

    def __init__(self, lines: list[str]) -> None:
        """Take the lines to show."""
        self.lines = lines
        super().__init__("\n".join(lines))


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: its default as a person would write it, what is allowed, and how its text is read."""

    name: str
    default: str | None
    allowed: str
    read: Callable[[str], Any]
    """Return the value; raise ValueError for a text that is not allowed."""


def is_address(text: str) -> bool:
    """Say whether a location can be a folder's name: 1-64 of A-Z a-z 0-9 . _ -, the first no dot."""
    return _ADDRESS.fullmatch(text) is not None


def read(environment: Mapping[str, str], engines: Engines) -> Settings:
    """Check every variable and return the settings; `engines` is what `SPEEDTEST_ENGINE` may ask for beside `auto`.

    Raises Mistakes with all that is wrong, not only the first.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in variables(engines):
        try:
            values[variable.name.lower()] = _value(variable, environment)
        except ValueError as error:
            wrong.append(str(error))
    if values.get("sleep_jitter_seconds", 0) > values.get("sleep_seconds", math.inf):
        wrong.append(_longer_than_interval(values))
    if wrong or (wrong := targets.settle(values, engines)):
        raise Mistakes(wrong)
    values["speedtest_server_id"] = values["speedtest_server_id"] or ()
    values["tz"] = values["tz"] or machine_zone()
    return Settings(**values)


def _longer_than_interval(values: Mapping[str, Any]) -> str:
    jitter, interval = values["sleep_jitter_seconds"], values["sleep_seconds"]
    return f"SLEEP_JITTER_SECONDS={jitter:g} is not allowed: it must be at most SLEEP_SECONDS, which is {interval:g}"


def value(name: str, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 (its type is the variable's)
    """Return the value of one variable that does not concern engines. Raises Mistakes."""
    variable = next(variable for variable in (*variables({}), *variables_of_views()) if variable.name == name)
    try:
        return _value(variable, environment)
    except ValueError as error:
        raise Mistakes([str(error)]) from error


def _value(variable: Variable, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 (the same)
    text = environment.get(variable.name) or variable.default
    try:
        return None if text is None else variable.read(text)
    except ValueError:
        raise ValueError(f"{variable.name}={text!r} is not allowed: it must be {variable.allowed}") from None


def variables(engines: Engines) -> tuple[Variable, ...]:
    """List every variable."""
    folder = "the path of a folder"
    return (
        Variable(
            "SLEEP_SECONDS",
            "5",
            f"a number of seconds from {SHORTEST_INTERVAL_SECONDS} to {LONGEST_INTERVAL_SECONDS}",
            _interval,
        ),
        Variable(
            "SPEEDTEST_LOCATION_UUID",
            "unknown-location",
            "1 to 64 of A-Z a-z 0-9 . _ - and not start with a dot (a UUID4 is best)",
            _address,
        ),
        Variable("RESULT_DIR", "./results", folder, Path),
        Variable("UPLOAD_DIR", "./uploads", folder, Path),
        Variable("LOG_DIR", "./logs", folder, Path),
        Variable("COMMIT_HASH", None, "at most 100 printable characters", _commit),
        Variable(
            "SPEEDTEST_ENGINE",
            "auto",
            f"auto, or one or several of {', '.join(engines)}, separated by commas",
            targets.engines(engines),
        ),
        Variable(
            "SPEEDTEST_SERVER",
            None,
            "a server, or ENGINE=SERVER for each engine that takes one, separated by commas",
            targets.servers(engines),
        ),
        Variable(
            "SPEEDTEST_SERVER_ID",
            None,
            "a server's number, such as 12345, or several, separated by commas",
            targets.server_ids,
        ),
        Variable(
            "SPEEDTEST_INTERFACE",
            None,
            "the name of a network interface, such as eth0, or its address",
            targets.interface,
        ),
        Variable(
            "SPEEDTEST_SECONDS_PER_DIRECTION",
            None,
            f"a whole number of seconds from 1 to {LONGEST_DIRECTION_SECONDS}",
            _direction,
        ),
        Variable("SPEEDTEST_UDP_MBPS", None, f"a number of Mbit/s above 0, at most {MOST_UDP_MBPS}", _udp),
        Variable(
            "SPEEDTEST_TIMEOUT_SECONDS",
            "120",
            f"a number of seconds above 0, at most {LONGEST_TEST_SECONDS}",
            _timeout,
        ),
        Variable(
            "LOG_LEVEL",
            "INFO",
            "one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
            lambda text: _one_of(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))(text.upper()),
        ),
        Variable("TZ", None, "a zone of the IANA database, such as Europe/Berlin or UTC", _zone),
        Variable("SPEEDTEST_RETRIES", "1", f"a whole number from 0 to {MOST_RETRIES}", _retries),
        Variable(
            "SPEEDTEST_CONFIRM_BELOW_MBPS",
            None,
            f"two numbers of Mbit/s from 0 to {MOST_MBPS}, DOWNLOAD,UPLOAD, such as 50,10",
            _speeds,
        ),
        Variable("SLEEP_JITTER_SECONDS", "0", "a number of seconds from 0 to SLEEP_SECONDS", _jitter),
        Variable(
            "QUIET_HOURS",
            None,
            "spans of the day, HH:MM-HH:MM, parted by commas, such as 23:00-06:00,12:00-12:30, that leave some of it",
            hours.parse,
        ),
        Variable(
            "DATA_BUDGET_GB_PER_MONTH",
            None,
            f"a number of GB (10^9 bytes) above 0, at most {MOST_GIGABYTES}",
            lambda text: _positive(text, MOST_GIGABYTES),
        ),
    )


def variables_of_views() -> tuple[Variable, ...]:
    """List the variables that only the report and the page read."""
    speed = f"a number of Mbit/s above 0, at most {MOST_MBPS}"
    return (
        Variable("PLAN_DOWNLOAD_MBPS", None, speed, lambda text: _positive(text, MOST_MBPS)),
        Variable("PLAN_UPLOAD_MBPS", None, speed, lambda text: _positive(text, MOST_MBPS)),
        Variable("PAGE_HOST", "127.0.0.1", "an address of this machine, such as 127.0.0.1 or ::", _host),
        Variable("PAGE_PORT", "8600", "a port from 0 (any that is free) to 65535", _port),
        Variable("PAGE_PASSWORD", None, "a text without control characters", _password),
        Variable("PAGE_PASSWORD_FILE", None, "the path of a file", Path),
    )


def unknown(environment: Mapping[str, str], engines: Engines) -> list[str]:
    """Return a line of warning for each `SPEEDTEST_*` variable that means nothing here, with the nearest known one."""
    known = [variable.name for variable in variables(engines)]
    strangers = sorted(name for name in environment if name.startswith("SPEEDTEST_") and name not in known)
    if not strangers:
        return []
    import difflib  # noqa: PLC0415 (a daemon without a mistake in its variables never needs it)

    lines: list[str] = []
    for name in strangers:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        lines.append(f"{name} is no variable of SpeedSnake and is ignored; did you mean {nearest[0]}?")
    return lines


def machine_zone() -> str | None:
    """Return the IANA name of the machine's own zone, None where its files do not tell."""
    try:
        target = str(_ZONE_LINK.readlink())
    except OSError:
        return None if _ZONE_LINK.exists() else "UTC"
    _, found, name = target.partition("zoneinfo/")
    return name if found else None


def _from_0(text: str, most: float) -> float:
    value = float(text)
    if not (math.isfinite(value) and 0 <= value <= most):
        raise ValueError(text)
    return value


def _positive(text: str, most: float) -> float:
    if not (value := _from_0(text, most)):
        raise ValueError(text)
    return value


def _interval(text: str) -> float:
    seconds = _positive(text, LONGEST_INTERVAL_SECONDS)
    if seconds < SHORTEST_INTERVAL_SECONDS:
        raise ValueError(text)
    return seconds


def _timeout(text: str) -> float:
    return _positive(text, LONGEST_TEST_SECONDS)


def _direction(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= LONGEST_DIRECTION_SECONDS):
        raise ValueError(text)
    return int(text)


def _udp(text: str) -> float:
    return _positive(text, MOST_UDP_MBPS)


def _jitter(text: str) -> float:
    return _from_0(text, LONGEST_INTERVAL_SECONDS)


def _retries(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_RETRIES):
        raise ValueError(text)
    return int(text)


def _speeds(text: str) -> tuple[float, float]:
    download, upload = (_from_0(part, MOST_MBPS) for part in text.split(","))
    return download, upload


def _host(text: str) -> str:
    import ipaddress  # noqa: PLC0415 (the daemon serves no page)

    return str(ipaddress.ip_address(text))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_PORT):
        raise ValueError(text)
    return int(text)


def _password(text: str) -> str:
    if not text.isprintable():
        raise ValueError(text)
    return text


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError(text)
    return text


def _commit(text: str) -> str:
    if len(text) > 100 or not text.isprintable():  # noqa: PLR2004 (as said in what is allowed)
        raise ValueError(text)
    return text


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def choose(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return choose


def _zone(text: str) -> str:
    """Look for the zone's file; on a machine without a zone database take every well-formed name."""
    name = text.removeprefix(":")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", name):
        raise ValueError(text)
    roots = [root for root in _ZONE_ROOTS if Path(root, "UTC").exists()]
    if roots and not any(Path(root, name).is_file() for root in roots):
        raise ValueError(text)
    return name
