"""Settings: every environment variable, its type, its default and its allowed values. An empty value counts as unset.

`variables` is the table of all variables. `read` checks them all and returns `Settings`; `value` reads a single one;
`explain` shows each value and where it comes from. A secret may also be in a file that `NAME_FILE` names.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from speedtest.values import hosts, hours, names, numbers, secrets, targets
from speedtest.values.hours import Hours
from speedtest.values.targets import Engines

SHORTEST_INTERVAL_SECONDS = 0.001
LONGEST_INTERVAL_SECONDS = 366 * 24 * 3600
LONGEST_TEST_SECONDS = 3600
LONGEST_DIRECTION_SECONDS = 300
LONGEST_COMMIT = 100
LONGEST_SECRET = 4096
MOST_UDP_MBPS = 1000
MOST_RETRIES = 10
MOST_MBPS = 1_000_000
MOST_GIGABYTES = 1_000_000
LARGEST_PORT = 65535

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_PREFIX = "SPEEDTEST_"
_SHORT_NAME = 6
"""A shorter name resembles too many others, so only names one edit away count as misspelt, not two."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The checked values of all variables. Field names are the variables' names in lower case."""

    sleep_seconds: float
    speedtest_location_uuid: str
    result_dir: Path
    upload_dir: Path
    log_dir: Path
    commit_hash: str | None
    speedtest_engine: tuple[str, ...]
    speedtest_server: dict[str, str]
    """By engine."""
    speedtest_server_id: tuple[str, ...]
    speedtest_interface: str | None
    speedtest_seconds_per_direction: int | None
    speedtest_udp_mbps: float | None
    speedtest_timeout_seconds: float
    log_level: str
    tz: str | None
    """The machine's zone if the variable is not set; None if that is unknown too."""
    speedtest_retries: int
    speedtest_confirm_below_mbps: tuple[float, float] | None
    """Download and upload, Mbit/s."""
    sleep_jitter_seconds: float
    quiet_hours: Hours | None
    data_budget_gb_per_month: float | None
    plan_download_mbps: float | None
    plan_upload_mbps: float | None
    page_host: str
    page_port: int
    page_password: str | None
    page_allowed_hosts: tuple[str, ...]
    page_frame_ancestors: tuple[str, ...]


class Mistakes(Exception):
    """Some values are not allowed. `lines` has one line for each, with the variable, the value and what is allowed."""

    def __init__(self, lines: list[str]) -> None:
        """Take the lines to show."""
        self.lines = lines
        super().__init__("\n".join(lines))


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: its default as a person would write it, its allowed values, and its reader."""

    name: str
    default: str | None
    allowed: str
    read: Callable[[str], Any]
    """Return the value. Raises ValueError if the text is not allowed."""
    secret: bool = False
    """True if the value is never shown and may be in the file that `NAME_FILE` names."""
    for_views: bool = False
    """True if only the report and the page read it."""


type Origin = Literal["default", "environment", "file"]


class Explained(msgspec.Struct, frozen=True):
    """One variable with its current value."""

    name: str
    value: str | None
    """As a person would set it; null if it is not set, `hidden` for a secret."""
    default: str | None
    origin: Origin


def read(environment: Mapping[str, str], engines: Engines) -> Settings:
    """Check every variable and return the settings; `engines` are those that `SPEEDTEST_ENGINE` may name.

    Raises Mistakes with all mistakes, not only the first.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in variables(engines):
        try:
            values[variable.name.lower()] = _value(variable, environment)
        except ValueError as error:
            wrong.append(str(error))
    if wrong := wrong or _wrong_together(values):
        raise Mistakes(wrong)
    try:
        servers = targets.settle(values["speedtest_server"], values["speedtest_engine"], engines)
    except ValueError as error:
        raise Mistakes([str(error)]) from error
    values["speedtest_server"] = servers
    for name in ("speedtest_server_id", "page_allowed_hosts", "page_frame_ancestors"):
        values[name] = values[name] or ()
    values["tz"] = values["tz"] or names.machine_zone()
    return Settings(**values)


def value(name: str, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 (its type is the variable's)
    """Return the value of one variable. It must not be about engines. Raises Mistakes."""
    variable = next(variable for variable in variables({}) if variable.name == name)
    try:
        return _value(variable, environment)
    except ValueError as error:
        raise Mistakes([str(error)]) from error


def explain(settings: Settings, environment: Mapping[str, str], engines: Engines) -> list[Explained]:
    """Return each variable with its current value, its default and where the value comes from."""
    return [
        Explained(
            variable.name,
            _hidden(written) if variable.secret else written,
            variable.default,
            _origin(variable, environment),
        )
        for variable in variables(engines)
        for written in [_as_written(getattr(settings, variable.name.lower()))]
    ]


def unknown(environment: Mapping[str, str], engines: Engines) -> list[str]:
    """Return a line of warning for each variable that looks like a misspelt one of ours.

    That is every unknown `SPEEDTEST_*`, and every name that is one or two edits away from one of ours.
    """
    known = [name for variable in variables(engines) for name in _names(variable)]
    lines: list[str] = []
    for name in sorted(set(environment) - set(known)):
        if name.startswith(_PREFIX):
            near = names.nearest(name, known)
        elif not (near := next((each for each in known if _is_near(name, each)), "")):
            continue
        lines.append(f"{name} is not a variable of SpeedSnake and is ignored; did you mean {near}?")
    return lines


def _names(variable: Variable) -> tuple[str, ...]:
    return (variable.name, f"{variable.name}_FILE") if variable.secret else (variable.name,)


def _is_near(name: str, known: str) -> bool:
    most = 1 if len(known) < _SHORT_NAME else 2
    return abs(len(name) - len(known)) <= most and len(name) > most and names.edits(name, known) <= most


def _value(variable: Variable, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 (its type is the variable's)
    """Return a variable's value. Raises ValueError with the complete message."""
    text = environment.get(variable.name) or None
    if _origin(variable, environment) == "file":
        if text is not None:
            both = f"{variable.name} and {variable.name}_FILE are both set"
            raise ValueError(f"{both}: set only one of them, preferably the file")
        text = secrets.first_line(variable.name, Path(environment[f"{variable.name}_FILE"]))
    text = variable.default if text is None else text
    try:
        return None if text is None else variable.read(text)
    except ValueError:
        shown = "its value" if variable.secret else f"{variable.name}={text!r}"
        named = f"{variable.name}: {shown}" if variable.secret else shown
        raise ValueError(f"{named} is not allowed: it must be {variable.allowed}") from None


def _origin(variable: Variable, environment: Mapping[str, str]) -> Origin:
    if variable.secret and environment.get(f"{variable.name}_FILE"):
        return "file"
    return "environment" if environment.get(variable.name) else "default"


def _wrong_together(values: Mapping[str, Any]) -> list[str]:
    """Return a line for each variable whose value does not fit the value of another."""
    wrong: list[str] = []
    jitter, interval = values["sleep_jitter_seconds"], values["sleep_seconds"]
    if jitter > interval:
        wrong.append(
            f"SLEEP_JITTER_SECONDS={jitter:g} is not allowed: it must be at most SLEEP_SECONDS, which is {interval:g}"
        )
    seconds, limit = values["speedtest_seconds_per_direction"], values["speedtest_timeout_seconds"]
    if seconds and seconds * 2 >= limit:
        wrong.append(
            f"SPEEDTEST_SECONDS_PER_DIRECTION={seconds} is not allowed with SPEEDTEST_TIMEOUT_SECONDS={limit:g}: "
            "both directions must fit into that time"
        )
    return wrong


def _as_written(value: object) -> str | None:
    """Return a value as a person would set it, None if it is not set."""
    match value:
        case None | () | {} if not value:
            return None
        case tuple():
            return ",".join(f"{item:.15g}" if isinstance(item, float) else str(item) for item in value)
        case dict():
            return ",".join(f"{name}={item}" for name, item in value.items())
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


def _hidden(written: str | None) -> str | None:
    return None if written is None else "hidden"


def variables(engines: Engines) -> tuple[Variable, ...]:
    """Return every variable: first those that all commands read, last those that only the report and the page read."""
    folder = "the path of a folder"
    speed = f"a number of Mbit/s above 0, at most {MOST_MBPS}"
    return (
        Variable(
            "SLEEP_SECONDS",
            "5",
            f"a number of seconds from {SHORTEST_INTERVAL_SECONDS} to {LONGEST_INTERVAL_SECONDS}",
            numbers.number(LONGEST_INTERVAL_SECONDS, least=SHORTEST_INTERVAL_SECONDS),
        ),
        Variable(
            "SPEEDTEST_LOCATION_UUID",
            "unknown-location",
            "1 to 64 characters of A-Z a-z 0-9 . _ -, not starting with a dot (best a UUID4)",
            names.location,
        ),
        Variable("RESULT_DIR", "./results", folder, Path),
        Variable("UPLOAD_DIR", "./uploads", folder, Path),
        Variable("LOG_DIR", "./logs", folder, Path),
        Variable(
            "COMMIT_HASH", None, f"at most {LONGEST_COMMIT} printable characters", names.printable(LONGEST_COMMIT)
        ),
        Variable(
            "SPEEDTEST_ENGINE",
            "auto",
            f"auto, or one or more of {', '.join(engines)}, separated by commas",
            targets.engines(engines),
        ),
        Variable("SPEEDTEST_SERVER", None, targets.ALLOWED_SERVERS, targets.servers),
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
            numbers.whole(1, LONGEST_DIRECTION_SECONDS),
        ),
        Variable(
            "SPEEDTEST_UDP_MBPS",
            None,
            f"a number of Mbit/s above 0, at most {MOST_UDP_MBPS}",
            numbers.number(MOST_UDP_MBPS, above_0=True),
        ),
        Variable(
            "SPEEDTEST_TIMEOUT_SECONDS",
            "120",
            f"a number of seconds above 0, at most {LONGEST_TEST_SECONDS}",
            numbers.number(LONGEST_TEST_SECONDS, above_0=True),
        ),
        Variable("LOG_LEVEL", "INFO", f"one of {', '.join(_LEVELS)}", names.one_of(_LEVELS)),
        Variable("TZ", None, "a zone of the IANA database, such as Europe/Berlin or UTC", names.zone),
        Variable("SPEEDTEST_RETRIES", "1", f"a whole number from 0 to {MOST_RETRIES}", numbers.whole(0, MOST_RETRIES)),
        Variable(
            "SPEEDTEST_CONFIRM_BELOW_MBPS",
            None,
            f"two numbers of Mbit/s from 0 to {MOST_MBPS}, DOWNLOAD,UPLOAD, such as 50,10",
            numbers.pair(MOST_MBPS),
        ),
        Variable(
            "SLEEP_JITTER_SECONDS",
            "0",
            "a number of seconds from 0 to SLEEP_SECONDS",
            numbers.number(LONGEST_INTERVAL_SECONDS),
        ),
        Variable(
            "QUIET_HOURS",
            None,
            "spans of the day, HH:MM-HH:MM, separated by commas, such as 23:00-06:00,12:00-12:30; not the whole day",
            hours.parse,
        ),
        Variable(
            "DATA_BUDGET_GB_PER_MONTH",
            None,
            f"a number of GB (10^9 bytes) above 0, at most {MOST_GIGABYTES}",
            numbers.number(MOST_GIGABYTES, above_0=True),
        ),
        Variable("PLAN_DOWNLOAD_MBPS", None, speed, numbers.number(MOST_MBPS, above_0=True), for_views=True),
        Variable("PLAN_UPLOAD_MBPS", None, speed, numbers.number(MOST_MBPS, above_0=True), for_views=True),
        Variable(
            "PAGE_HOST", "127.0.0.1", "this machine's address, or all (IPv4, IPv6)", hosts.address, for_views=True
        ),
        Variable(
            "PAGE_PORT",
            "8600",
            f"a port from 0 (any free port) to {LARGEST_PORT}",
            numbers.whole(0, LARGEST_PORT),
            for_views=True,
        ),
        Variable(
            "PAGE_PASSWORD",
            None,
            "text without control characters",
            names.printable(LONGEST_SECRET),
            secret=True,
            for_views=True,
        ),
        Variable(
            "PAGE_ALLOWED_HOSTS",
            None,
            "host names without ports, separated by commas, such as speed.example.net,*.home.example.net",
            hosts.allowed,
            for_views=True,
        ),
        Variable(
            "PAGE_FRAME_ANCESTORS",
            None,
            "origins, separated by commas, such as https://home.example.net:8123; self is the page's own",
            hosts.origins,
            for_views=True,
        ),
    )
