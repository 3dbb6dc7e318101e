"""The one table of environment variables: each with its default, what is allowed, how it is read, and who reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from speedtest.values import hosts, hours, names, numbers, receivers, secrets, stores, targets, urls
from speedtest.values.targets import Engines

SHORTEST_INTERVAL_SECONDS = 0.001
LONGEST_INTERVAL_SECONDS = 366 * 24 * 3600
SECONDS_PER_DAY = 24 * 3600
LONGEST_TEST_SECONDS = 3600
LONGEST_DIRECTION_SECONDS = 300
LONGEST_COMMIT = 100
MOST_UDP_MBPS = 1000
MOST_RETRIES = 10
MOST_MBPS = 1_000_000
MOST_GIGABYTES = 1_000_000
SHORTEST_WATCH_SECONDS, LONGEST_WATCH_SECONDS = 1, 300
LARGEST_PORT = 65535

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

MOST_DAYS = 36_500

type Part = Literal["all", "measuring", "delivery", "plan", "page"]
MEASURING: frozenset[Part] = frozenset({"all", "measuring", "delivery"})
DELIVERY: frozenset[Part] = frozenset({"all", "delivery"})
REPORT: frozenset[Part] = frozenset({"all", "measuring", "delivery", "plan"})
PAGE: frozenset[Part] = frozenset({"all", "plan", "page"})
EVERYTHING: frozenset[Part] = REPORT | PAGE


class Variable(msgspec.Struct, frozen=True):
    """One environment variable: its default as a person would write it, its allowed values, and its reader."""

    name: str
    default: str | None
    allowed: str
    read: Callable[[str], Any]
    """Return the value. Raises ValueError if the text is not allowed."""
    secret: bool = False
    """True if the value is never shown and may be in the file that `NAME_FILE` names."""
    part: Part = "measuring"
    """Who reads it. A mistake in a variable that a command does not read does not stop that command."""


def variables(engines: Engines) -> tuple[Variable, ...]:
    """Return every variable: first those that all commands read, last those that only the report and the page read."""
    folder = "the path of a folder"
    speed = f"a number of Mbit/s above 0, at most {MOST_MBPS}"
    named = f"1 to {receivers.LONGEST_NAME} printable characters"
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
            part="all",
        ),
        Variable("RESULT_DIR", "./results", folder, Path, part="all"),
        Variable("UPLOAD_DIR", "./uploads", folder, Path, part="all"),
        Variable("LOG_DIR", "./logs", folder, Path, part="all"),
        Variable(
            "COMMIT_HASH",
            None,
            f"at most {LONGEST_COMMIT} printable characters",
            names.printable(LONGEST_COMMIT),
            part="all",
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
        Variable("SPEEDTEST_IP_VERSION", None, "4 or 6", targets.ip_version),
        Variable("SPEEDTEST_ARGUMENTS", None, targets.ALLOWED_ARGUMENTS, targets.arguments(engines)),
        Variable(
            "SPEEDTEST_CA_FILE",
            None,
            "the path of a file of certificates in PEM that can be read",
            targets.certificates,
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
        Variable("LOG_LEVEL", "INFO", f"one of {', '.join(_LEVELS)}", names.one_of(_LEVELS), part="all"),
        Variable("TZ", None, "a zone of the IANA database, such as Europe/Berlin or UTC", names.zone, part="all"),
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
        Variable("SLEEP_ALIGN", "0", "0 or 1", numbers.switch),
        Variable(
            "WATCH_SECONDS",
            "10",
            f"0 (off) or a number of seconds from {SHORTEST_WATCH_SECONDS} to {LONGEST_WATCH_SECONDS}",
            numbers.number_or_0(SHORTEST_WATCH_SECONDS, LONGEST_WATCH_SECONDS),
        ),
        Variable(
            "WATCH_TARGETS",
            "1.1.1.1,8.8.8.8,9.9.9.9",
            f"1 to {hosts.MOST_TARGETS} addresses or host names of other machines, separated by commas",
            hosts.targets,
        ),
        Variable(
            "SPEEDTEST_WAIT_FOR_IDLE_MBPS",
            None,
            speed,
            numbers.number(MOST_MBPS, above_0=True),
        ),
        Variable("SPEEDTEST_AFTER_OUTAGE", "1", "0 or 1", numbers.switch),
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
        Variable("DELIVER_TO", None, stores.ALLOWED, stores.store, part="delivery"),
        Variable("DELIVER_ENDPOINT", None, stores.ALLOWED_ENDPOINT, stores.endpoint, part="delivery"),
        Variable("DELIVER_REGION", None, stores.ALLOWED_REGION, stores.region, part="delivery"),
        Variable("DELIVER_ACCESS_KEY", None, secrets.ALLOWED, secrets.secret, secret=True, part="delivery"),
        Variable("DELIVER_SECRET_KEY", None, secrets.ALLOWED, secrets.secret, secret=True, part="delivery"),
        Variable(
            "DELIVER_KEEP_DAYS",
            None,
            f"a whole number of days from 1 to {MOST_DAYS}",
            numbers.whole(1, MOST_DAYS),
            part="delivery",
        ),
        Variable("MQTT_URL", None, receivers.ALLOWED_BROKER, receivers.broker, secret=True),
        Variable("INFLUX_URL", None, receivers.ALLOWED_STORE, receivers.store, secret=True),
        Variable("INFLUX_DATABASE", "speedsnake", named, receivers.name),
        Variable("INFLUX_BUCKET", None, named, receivers.name),
        Variable("INFLUX_ORG", None, named, receivers.name),
        Variable("INFLUX_TOKEN", None, secrets.ALLOWED, secrets.secret, secret=True),
        Variable("WEBHOOK_URL", None, receivers.ALLOWED_HOOK, receivers.hook, secret=True),
        Variable("WEBHOOK_SECRET", None, secrets.ALLOWED, secrets.secret, secret=True),
        Variable(
            "PUBLISH_CA_FILE",
            None,
            "the path of a file of certificates in PEM that can be read",
            targets.certificates,
        ),
        Variable(
            "STAMP_URL",
            None,
            "the URL (http or https) of a time-stamp authority that speaks RFC 3161",
            urls.service,
        ),
        Variable("PLAN_DOWNLOAD_MBPS", None, speed, numbers.number(MOST_MBPS, above_0=True), part="plan"),
        Variable("PLAN_UPLOAD_MBPS", None, speed, numbers.number(MOST_MBPS, above_0=True), part="plan"),
        Variable("CONTRACT_FILE", None, "the path of a file", Path, part="plan"),
        Variable("PAGE_HOST", "127.0.0.1", "this machine's address, or all (IPv4, IPv6)", hosts.address, part="page"),
        Variable(
            "PAGE_PORT",
            "8600",
            f"a port from 0 (any free port) to {LARGEST_PORT}",
            numbers.whole(0, LARGEST_PORT),
            part="page",
        ),
        Variable(
            "PAGE_PASSWORD",
            None,
            secrets.ALLOWED,
            secrets.secret,
            secret=True,
            part="page",
        ),
        Variable(
            "PAGE_ALLOWED_HOSTS",
            None,
            "host names without ports, separated by commas, such as speed.example.net,*.home.example.net",
            hosts.allowed,
            part="page",
        ),
        Variable(
            "PAGE_FRAME_ANCESTORS",
            None,
            "origins, separated by commas, such as https://home.example.net:8123; self is the page's own",
            hosts.origins,
            part="page",
        ),
    )
