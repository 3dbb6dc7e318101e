"""Settings: every environment variable, its type, its default and its allowed values. An empty value counts as unset.

`variables` is the table of all variables. `read` checks them all and returns `Settings`; `value` reads a single one;
`explain` shows each value and where it comes from. A secret may also be in a file that `NAME_FILE` names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from speedtest.values import hosts, names, secrets, targets, written
from speedtest.values.hours import Hours
from speedtest.values.misspelt import misspelt, nearest
from speedtest.values.targets import Engines
from speedtest.variables import MEASURING, SECONDS_PER_DAY, Part, Variable, variables

_PREFIX = "SPEEDTEST_"
_USER_OF_OTHERS = ("PUID", "PGID")


type ReceiverName = Literal["mqtt", "influx", "webhook"]


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
    speedtest_ip_version: int | None
    speedtest_arguments: dict[str, tuple[str, ...]]
    """By engine."""
    speedtest_ca_file: Path | None
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
    sleep_align: bool
    """Whether slots are at multiples of the interval since local midnight, and not since the start."""
    watch_seconds: float
    """0: the line is not watched."""
    watch_targets: tuple[str, ...]
    speedtest_wait_for_idle_mbps: float | None
    speedtest_after_outage: bool
    quiet_hours: Hours | None
    data_budget_gb_per_month: float | None
    deliver_to: str | None
    """The URL of a store; None: nothing is delivered."""
    deliver_endpoint: str | None
    deliver_region: str | None
    deliver_access_key: str | None
    deliver_secret_key: str | None
    deliver_keep_days: int | None
    """None: files that were delivered stay here too."""
    mqtt_url: str | None
    influx_url: str | None
    influx_database: str
    influx_bucket: str | None
    influx_org: str | None
    influx_token: str | None
    webhook_url: str | None
    webhook_secret: str | None
    publish_ca_file: Path | None
    stamp_url: str | None
    plan_download_mbps: float | None
    plan_upload_mbps: float | None
    contract_file: Path | None
    page_host: str
    page_port: int
    page_password: str | None
    page_allowed_hosts: tuple[str, ...]
    page_frame_ancestors: tuple[str, ...]

    @property
    def receivers(self) -> dict[ReceiverName, str]:
        """The addresses of those that get numbers, by name: only what is set."""
        urls: dict[ReceiverName, str | None] = {
            "mqtt": self.mqtt_url,
            "influx": self.influx_url,
            "webhook": self.webhook_url,
        }
        return {name: url for name, url in urls.items() if url}


class Mistakes(Exception):
    """Some values are not allowed. `lines` has one line for each, with the variable, the value and what is allowed."""

    def __init__(self, lines: list[str]) -> None:
        """Take the lines to show."""
        self.lines = lines
        super().__init__("\n".join(lines))


type Origin = Literal["default", "environment", "file"]


class Explained(msgspec.Struct, frozen=True):
    """One variable with its current value."""

    name: str
    value: str | None
    """As a person would set it; null if it is not set, `hidden` for a secret."""
    default: str | None
    origin: Origin


def read(environment: Mapping[str, str], engines: Engines, parts: frozenset[Part] = MEASURING) -> Settings:
    """Return the settings. The variables of these parts are checked; a wrong one of another part has its default.

    `engines` are those that `SPEEDTEST_ENGINE` may name. Raises Mistakes with all mistakes, not only the first.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in variables(engines):
        is_read = variable.part in parts
        try:
            values[variable.name.lower()] = _value(variable, environment if is_read or not variable.secret else {})
        except ValueError as error:
            if is_read:
                wrong.append(str(error))
            else:
                values[variable.name.lower()] = _value(variable, {})
    arguments = values["speedtest_arguments"] = values.get("speedtest_arguments") or {}
    server = values.pop("speedtest_server", None)
    values["speedtest_server"] = dict[str, str]()
    if "measuring" in parts:
        wrong += _wrong_together(values) + targets.refusals(arguments, engines)
        try:
            values["speedtest_server"] = targets.settle(server, values.get("speedtest_engine", ()), engines)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise Mistakes(wrong)
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
            "hidden" if variable.secret and text is not None else text,
            variable.default,
            _origin(variable, environment),
        )
        for variable in variables(engines)
        for text in [written.as_set(getattr(settings, variable.name.lower()))]
    ]


def unknown(environment: Mapping[str, str], engines: Engines) -> list[str]:
    """Return a line of warning for each variable that looks like a misspelt one of ours.

    That is every unknown `SPEEDTEST_*`, and every name that is one or two edits away from one of ours. The variables by
    which other images choose their user are told too.
    """
    known = [name for variable in variables(engines) for name in _names(variable)]
    others = sorted(set(environment) - set(known))
    meant = {name: nearest(name, known) for name in others if name.startswith(_PREFIX)}
    meant = misspelt(others, known) | meant
    ignored = "is not a variable of SpeedSnake and is ignored; did you mean"
    return [f"{name} {ignored} {meant[name]}?" for name in sorted(meant)] + _users_of_others(environment)


def _users_of_others(environment: Mapping[str, str]) -> list[str]:
    if not (given := [name for name in _USER_OF_OTHERS if environment.get(name)]):
        return []
    user = ":".join(environment.get(name) or name for name in _USER_OF_OTHERS)
    are = "is" if len(given) == 1 else "are"
    how = f'start the container with `--user {user}` or, in a compose file, with `user: "{user}"`'
    return [f"{' and '.join(given)} of other images {are} not used here: to choose the user, {how}"]


def _names(variable: Variable) -> tuple[str, ...]:
    return (variable.name, f"{variable.name}_FILE") if variable.secret else (variable.name,)


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
        shown = f"{variable.name}: its value" if variable.secret else f"{variable.name}={text!r}"
        raise ValueError(f"{shown} is not allowed: it must be {variable.allowed}") from None


def _origin(variable: Variable, environment: Mapping[str, str]) -> Origin:
    if variable.secret and environment.get(f"{variable.name}_FILE"):
        return "file"
    return "environment" if environment.get(variable.name) else "default"


def _wrong_together(values: Mapping[str, Any]) -> list[str]:
    """Return a line for each variable whose value does not fit the value of another; one that is wrong fits all."""
    wrong: list[str] = []
    jitter, interval = values.get("sleep_jitter_seconds", 0), values.get("sleep_seconds")
    if interval and jitter > interval:
        wrong.append(
            f"SLEEP_JITTER_SECONDS={jitter:g} is not allowed: it must be at most SLEEP_SECONDS, which is {interval:g}"
        )
    if interval and values.get("sleep_align") and not 1 <= interval <= SECONDS_PER_DAY:
        wrong.append(f"SLEEP_ALIGN=1 is not allowed with SLEEP_SECONDS={interval:g}: it must be from 1 to a day")
    interface, version = values.get("speedtest_interface") or "", values.get("speedtest_ip_version")
    if version and (kind := hosts.version_of(interface)) and kind != version:
        wrong.append(
            f"SPEEDTEST_IP_VERSION={version} is not allowed with SPEEDTEST_INTERFACE={interface}, an IPv{kind} address"
        )
    seconds, limit = values.get("speedtest_seconds_per_direction"), values.get("speedtest_timeout_seconds")
    if seconds and limit and seconds * 2 >= limit:
        wrong.append(
            f"SPEEDTEST_SECONDS_PER_DIRECTION={seconds} is not allowed with SPEEDTEST_TIMEOUT_SECONDS={limit:g}: "
            "both directions must fit into that time"
        )
    return wrong
