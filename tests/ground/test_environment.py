"""Settings: the allowed values of each variable, and the message for each mistake."""

import os
import re
import socket
from pathlib import Path
from typing import Any

import certifi
import pytest
from daemon import run
from hypothesis import given, reject, strategies as st

from speedtest import environment
from speedtest.engines import ENGINES
from speedtest.environment import Mistakes
from speedtest.values import misspelt, names
from speedtest.variables import EVERYTHING, MEASURING, PAGE, variables

SECRETS = {variable.name for variable in variables(ENGINES) if variable.secret}
GOOD: dict[str, list[str]] = {
    "WATCH_SECONDS": ["0", "0.0", "1", "10", "2.5", "300"],
    "WATCH_TARGETS": ["1.1.1.1", "one.one.one.one, 9.9.9.9", "2620:fe::fe,fe80::1%eth0", "router"],
    "SPEEDTEST_WAIT_FOR_IDLE_MBPS": ["0.5", "20"],
    "SPEEDTEST_AFTER_OUTAGE": ["0", "1"],
    "ROUTER_ASK": ["0", "1"],
    "SPEEDTEST_SECOND_OPINION": ["ndt7"],
    "SLEEP_SECONDS": ["600", "0.5", "1e2", "31622400"],
    "SPEEDTEST_LOCATION_UUID": ["7f3c1c1e-8f7e-4c5c-9a31-0c8a9f0f5b11", "home", "a.b_c-D9", "x" * 64],
    "RESULT_DIR": ["./results", "/data/läufe", "with space"],
    "UPLOAD_DIR": ["./uploads"],
    "LOG_DIR": ["./logs"],
    "COMMIT_HASH": ["0123abc", "v1.2.3-4-gdeadbee", "x" * 100],
    "SPEEDTEST_ENGINE": ["auto", "ookla", "speedtest-cli", "ookla,speedtest-cli", "speedtest-cli, ookla"],
    "SPEEDTEST_SERVER": ["iperf3=h", "librespeed=/etc/servers.json,iperf3=[2001:db8::1]:5202", "iperf3=a:5201-5209+b"],
    "SPEEDTEST_SERVER_ID": ["1", "12345", "1,2", "12345, 67890"],
    "SPEEDTEST_INTERFACE": ["eth0", "wlan0.7", "192.0.2.7", "2001:db8::7", "fe80::1%eth0"],
    "SPEEDTEST_IP_VERSION": ["4", "6"],
    "SPEEDTEST_ARGUMENTS": ["iperf3=--window 4M", "ookla=--host 'a b',librespeed=--no-pre-allocate --concurrent=2"],
    "SPEEDTEST_CA_FILE": [certifi.where()],
    "SPEEDTEST_SECONDS_PER_DIRECTION": ["1", "59"],
    "SPEEDTEST_UDP_MBPS": ["10", "0.5", "1000"],
    "SPEEDTEST_TIMEOUT_SECONDS": ["120", "0.1", "3600"],
    "LOG_LEVEL": ["INFO", "debug", "Warning", "ERROR", "CRITICAL"],
    "TZ": ["UTC", "Europe/Berlin", ":Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12"],
    "SPEEDTEST_RETRIES": ["0", "1", "10"],
    "SPEEDTEST_CONFIRM_BELOW_MBPS": ["50,10", "0,0", "87.5, 0", "1000000,1000000"],
    "SLEEP_JITTER_SECONDS": ["0", "2.5", "5"],
    "SLEEP_ALIGN": ["0", "1"],
    "SAMPLING": ["fixed", "stratified", "Stratified"],
    "QUIET_HOURS": ["23:00-06:00,12:00-12:30", "00:00-23:59", "18:00-24:00", "23:00-06:00, 12:00-12:30"],
    "DATA_BUDGET_GB_PER_MONTH": ["500", "0.5", "1000000"],
    "DELIVER_TO": ["s3://bucket", "s3://bucket/a/b/", "gs://bucket/a", "az://container/a", "file:///mnt/nas/l%20a"],
    "DELIVER_ENDPOINT": ["https://s3.example.net", "http://127.0.0.1:8333/", "https://[2001:db8::1]:9000"],
    "DELIVER_REGION": ["eu-central-1", "auto"],
    "DELIVER_ACCESS_KEY": ["AKIAIOSFODNN7EXAMPLE", "account"],
    "DELIVER_SECRET_KEY": ["wJalr/K7MDENG+bPx=="],
    "DELIVER_KEEP_DAYS": ["1", "400", "36500"],
    "MQTT_URL": [
        "mqtt://broker",
        "mqtts://u:p%40ss@broker.example.net:8883/homeassistant",
        "mqtt://[2001:db8::7]:1883",
        "mqtt://192.0.2.7/",
    ],
    "INFLUX_URL": ["http://127.0.0.1:8086", "https://u:p@store.example.net/insert/0/influx", "http://[::1]:8428/"],
    "INFLUX_DATABASE": ["speedsnake", "my data"],
    "INFLUX_BUCKET": ["home", "a/b"],
    "INFLUX_ORG": ["me", "Föhn & Söhne"],
    "INFLUX_TOKEN": ["abc==", "with space"],
    "WEBHOOK_URL": ["https://example.net/hook/a-b?c=d&e", "http://u:p@192.0.2.7:1880", "http://nas?x"],
    "WEBHOOK_SECRET": ["secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    "PUBLISH_CA_FILE": [certifi.where()],
    "STAMP_URL": ["http://tsa.example/tsr", "https://tsa.example:8443/stamp?x=1", "http://[::1]:80/"],
    "ALERT_URLS": ["json://h/x", "mailto://u:p@h?to=a,b, tgram://1:x/2", "ntfy://topic  ntfy://other"],
    "PING_URL": ["https://hc-ping.com/u-u-i-d", "http://127.0.0.1:8000/ping/?rid=1"],
    "ALERT_AFTER_SECONDS": ["0", "60", "86400"],
    "ALERT_BELOW_MBPS": ["100,20", "0,5"],
    "ALERT_BELOW_PERCENT": ["80", "0.5", "100"],
    "ALERT_BELOW_USUAL_PERCENT": ["70", "0.5", "100"],
    "ALERT_ABOVE_LATENCY_MS": ["50", "60000"],
    "ALERT_ABOVE_BUFFERBLOAT_MS": ["50", "0.5"],
    "ALERT_ABOVE_LOSS_PERCENT": ["1", "0.5"],
    "ALERT_TESTS": ["3,4", "1,1", "20, 20"],
    "ALERT_QUIET": ["0", "1"],
    "ALERT_DIGEST": ["daily 08:00", "Monday 23:59", "sunday  00:00"],
    "PLAN_DOWNLOAD_MBPS": ["250", "0.5"],
    "PLAN_UPLOAD_MBPS": ["40"],
    "CONTRACT_FILE": ["contract.toml"],
    "EXPECT_ISP": ["Telekom", "Föhn & Söhne, Internet; A1", "x" * 100],
    "PAGE_HOST": ["127.0.0.1", "::", "192.0.2.7", "all", "ALL"],
    "PAGE_PORT": ["0", "8600", "65535"],
    "PAGE_PASSWORD": ["secret", "with space", "ü"],
    "PAGE_ALLOWED_HOSTS": ["speed.example.net", "a, B.example.net.", "*.example.net", "xn--bcher-kva.example"],
    "PAGE_FRAME_ANCESTORS": ["https://home.example.net:8123", "self, http://nas.local/", "http://[::1]:80,self"],
}
BAD: dict[str, list[str]] = {
    "WATCH_SECONDS": ["0.5", "301", "-1", "ten", "nan", " ", "-0.0001"],
    "WATCH_TARGETS": [
        " ",
        "1.1.1",
        "1.1.1.1,,9.9.9.9",
        "https://1.1.1.1",
        "1.1.1.1:443",
        "a b",
        "127.0.0.1",
        "localhost",
        "::1",
        "224.0.0.1",
    ],
    "SPEEDTEST_WAIT_FOR_IDLE_MBPS": ["0", "-1", "fast", "1e9"],
    "SPEEDTEST_AFTER_OUTAGE": ["2", "yes"],
    "ROUTER_ASK": ["2", "yes", "10.0.0.1"],
    "SPEEDTEST_SECOND_OPINION": ["NDT7", "http", "ndt7,ndt7", "1"],
    "SLEEP_SECONDS": ["0", "-1", "1e-320", "nan", "inf", "ten", "10s", "1,5", "1e99", " "],
    "SPEEDTEST_LOCATION_UUID": [".hidden", "..", "a/b", "a b", "x" * 65, "ö", "a\nb", "a=b"],
    "RESULT_DIR": [],
    "UPLOAD_DIR": [],
    "LOG_DIR": [],
    "COMMIT_HASH": ["x" * 101, "a\nb", "\x1b[31m"],
    "SPEEDTEST_ENGINE": [
        "Ookla",
        "fast",
        "auto,ookla",
        "speedtest_cli",
        "ookla,",
        "ookla,ookla",
        "ookla speedtest-cli",
    ],
    "SPEEDTEST_SERVER": ["\x1b", "x" * 501, "iperf3=a,iperf3=b"],
    "SPEEDTEST_SERVER_ID": ["0", "-1", "abc", "1 2", "1.5", "--help", "٣", "12345678901", "1,", "1,,2", "1;2"],
    "SPEEDTEST_INTERFACE": ["--help", "a b", "eth0;ls", "x" * 65],
    "SPEEDTEST_IP_VERSION": ["5", "v4", "46", "4 "],
    "SPEEDTEST_ARGUMENTS": ["--window 4M", "iperf=-w 4M", "iperf3=", "iperf3=-w 4M,iperf3=-w 5M", "iperf3"],
    "SPEEDTEST_CA_FILE": ["no/such/file", "/", "/dev/null"],
    "SPEEDTEST_SECONDS_PER_DIRECTION": ["0", "301", "1.5", "-1"],
    "SPEEDTEST_UDP_MBPS": ["0", "-1", "1001", "10M"],
    "SPEEDTEST_TIMEOUT_SECONDS": ["0", "-5", "3601", "soon", "nan"],
    "LOG_LEVEL": ["LOUD", "10", "INFO "],
    "TZ": ["Mars/Olympus", "CET-1CEST", "../etc/passwd", "/etc/localtime", "europe berlin"],
    "SPEEDTEST_RETRIES": ["-1", "11", "1.5", "once", "٣"],
    "SPEEDTEST_CONFIRM_BELOW_MBPS": ["50", "50,10,5", "50;10", "-1,10", "nan,10", "50,", "fast,slow", "1e7,1"],
    "SLEEP_JITTER_SECONDS": ["-1", "nan", "inf", "some", "1e99"],
    "SLEEP_ALIGN": ["2", "yes", "true", "01"],
    "SAMPLING": ["random", "1", "stratified ", " "],
    "QUIET_HOURS": ["23-6", "23:00", "6:00-7:00", "24:00-06:00", "12:60-13:00", "12:00-24:01", "12:00-12:00", ","],
    "DATA_BUDGET_GB_PER_MONTH": ["0", "-1", "500GB", "1000001", "nan", "inf"],
    "DELIVER_TO": [
        *("bucket", "ftp://a/b", "s3://", "s3:///a", "s3://key:secret@bucket/a", "s3://bucket/../a"),
        *("s3://bucket/a?b=c", "s3://bucket/a#b", "file://host/a", "file:relative", "file:///a/../b", "s3://bu cket/"),
    ],
    "DELIVER_ENDPOINT": ["s3.example.net", "ftp://a", "https://a/path", "https://u:p@a", "https://a:port", "https://"],
    "DELIVER_REGION": ["eu central", "x" * 41, "../a"],
    "DELIVER_ACCESS_KEY": ["a\nb", "x" * 4097],
    "DELIVER_SECRET_KEY": ["a\nb", "x" * 4097],
    "DELIVER_KEEP_DAYS": ["0", "-1", "1.5", "36501", "all"],
    "MQTT_URL": [
        *("broker", "http://broker", "tcp://broker", "mqtt://", "mqtt://broker:0", "mqtt://broker:65536", "mqtt://a b"),
        *("mqtt://broker/#", "mqtt://broker/a+b", "mqtt://u:p@ss@broker", "mqtt://broker?x=1", "mqtt://broker\n"),
    ],
    "INFLUX_URL": ["127.0.0.1:8086", "udp://store", "http://", "http://store?db=x", "http://store#x", "http://a:99999"],
    "INFLUX_DATABASE": [" ", "a\nb", "x" * 201],
    "INFLUX_BUCKET": [" ", "a\nb", "x" * 201],
    "INFLUX_ORG": [" ", "\x07"],
    "INFLUX_TOKEN": ["a\nb", "x" * 4097],
    "WEBHOOK_URL": [
        "example.net/hook",
        "ftp://example.net",
        "https://",
        "https://a/#x",
        "https://a/ b",
        "https://ä.de",
    ],
    "WEBHOOK_SECRET": ["a\nb", "x" * 4097],
    "PUBLISH_CA_FILE": ["no/such/file", "/", "/dev/null"],
    "STAMP_URL": [
        "tsa.example",
        "ftp://tsa.example",
        "http://",
        "http://u:p@tsa.example",
        "http://a/#b",
        "http://a:x/",
    ],
    "ALERT_URLS": ["topic", "json://a topic", "://h", "json://", "a\nb"],
    "PING_URL": ["hc-ping.com/u", "ftp://h/x", "https://", "https://a b", "https://user:word@h/x"],
    "ALERT_AFTER_SECONDS": ["-1", "86401", "soon"],
    "ALERT_BELOW_MBPS": ["100", "100;20", "-1,5"],
    "ALERT_BELOW_PERCENT": ["0", "101", "80%"],
    "ALERT_BELOW_USUAL_PERCENT": ["0", "101", "70%"],
    "ALERT_ABOVE_LATENCY_MS": ["0", "-5", "60001", "50ms"],
    "ALERT_ABOVE_BUFFERBLOAT_MS": ["0", "50ms"],
    "ALERT_ABOVE_LOSS_PERCENT": ["0", "101"],
    "ALERT_TESTS": ["4,3", "3", "0,4", "3,21", "3 of 4", "3,4,5"],
    "ALERT_QUIET": ["2", "yes"],
    "ALERT_DIGEST": ["daily", "08:00", "daily 24:00", "mon 08:00", "daily 8:00", "monthly 08:00"],
    "PLAN_DOWNLOAD_MBPS": ["0", "-1", "fast"],
    "PLAN_UPLOAD_MBPS": ["0", "-1", "fast"],
    "CONTRACT_FILE": [],
    "EXPECT_ISP": ["x", ";", "Telekom;", "--", "a\nb", "\x1b[31m", "x" * 101, ";".join(["Telekom"] * 11)],
    "PAGE_HOST": ["localhost", "1.2.3", "nas.local"],
    "PAGE_PORT": ["-1", "65536", "http"],
    "PAGE_PASSWORD": ["a\nb", "\x07", "x" * 4097],
    "PAGE_ALLOWED_HOSTS": ["*", "a.example:80", "https://a.example", "a,,b", "a b", "-a", "*.*.example", "a..b"],
    "PAGE_FRAME_ANCESTORS": ["a.example", "https://a.example/x", "https://a; script-src *", "*", "'self'", "https://"],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, text) for name, texts in table.items() for text in texts]


def test_every_variable_is_tried_here() -> None:
    known = {variable.name for variable in variables(ENGINES)}
    assert known == set(GOOD) == set(BAD)


def test_a_share_of_the_plan_needs_a_plan() -> None:
    with pytest.raises(Mistakes, match="PLAN_DOWNLOAD_MBPS"):
        environment.read({"ALERT_BELOW_PERCENT": "80"}, ENGINES)
    plan = {"ALERT_BELOW_PERCENT": "80", "PLAN_UPLOAD_MBPS": "40"}
    assert environment.read(plan, ENGINES).alert_below_percent == 80


def test_every_line_of_a_file_of_channels_counts_but_comments(tmp_path: Path) -> None:
    (tmp_path / "channels").write_text("# at home\njson://a/b\n\n  mailto://u:p@c \n")
    found = environment.read({"ALERT_URLS_FILE": str(tmp_path / "channels")}, ENGINES)
    assert found.alert_urls == ("json://a/b", "mailto://u:p@c")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2620:FE:0:0::FE", ("2620:fe::fe",)),
        ("2620:fe::fe,2620:00fe::00fe", ("2620:fe::fe",)),
        ("FE80::1%1", (f"fe80::1%{socket.if_indextoname(1)}",)),
        ("fe80::1%999999999999", ("fe80::1%999999999999",)),
        ("One.One.One.One.", ("one.one.one.one",)),
    ],
)
def test_targets_are_written_as_their_answers_will_be(written: str, read: tuple[str, ...]) -> None:
    assert environment.read({"WATCH_TARGETS": written}, ENGINES).watch_targets == read


def test_more_than_ten_targets_are_refused() -> None:
    ten = ",".join(f"192.0.2.{number}" for number in range(10))
    assert len(environment.read({"WATCH_TARGETS": ten}, ENGINES).watch_targets) == 10
    with pytest.raises(environment.Mistakes, match="1 to 10 addresses or host names of other machines"):
        environment.read({"WATCH_TARGETS": f"{ten},192.0.2.10"}, ENGINES)


@pytest.mark.parametrize(("name", "text"), cases(GOOD))
def test_a_good_value_is_taken(name: str, text: str) -> None:
    environment.read({"PLAN_DOWNLOAD_MBPS": "250", name: text}, ENGINES, EVERYTHING)


@pytest.mark.parametrize(("name", "text"), cases(BAD))
def test_a_bad_value_is_named_with_what_is_allowed(name: str, text: str) -> None:
    with pytest.raises(Mistakes) as caught:
        environment.read({name: text}, ENGINES, EVERYTHING)
    allowed = {variable.name: variable.allowed for variable in variables(ENGINES)}
    shown = f"{name}: its value" if name in SECRETS else f"{name}={text!r}"
    assert caught.value.lines == [f"{shown} is not allowed: it must be {allowed[name]}"]


def test_a_jitter_longer_than_the_interval_is_refused_with_both() -> None:
    with pytest.raises(Mistakes) as caught:
        environment.read({"SLEEP_SECONDS": "600", "SLEEP_JITTER_SECONDS": "601"}, ENGINES)
    assert caught.value.lines == [
        "SLEEP_JITTER_SECONDS=601 is not allowed: it must be at most SLEEP_SECONDS, which is 600"
    ]


def test_an_empty_value_is_an_unset_one() -> None:
    empty = dict.fromkeys(GOOD, "")
    assert environment.read(empty, ENGINES) == environment.read({}, ENGINES)


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = environment.read({}, ENGINES)
    assert settings.sleep_seconds == 5
    assert settings.speedtest_location_uuid == "unknown-location"
    assert (settings.result_dir, settings.upload_dir, settings.log_dir) == (
        Path("results"),
        Path("uploads"),
        Path("logs"),
    )
    assert (settings.speedtest_engine, settings.speedtest_timeout_seconds) == (("auto",), 120)
    assert (settings.commit_hash, settings.speedtest_server_id, settings.log_level) == (None, (), "INFO")


def test_a_value_is_read_as_what_it_means() -> None:
    settings = environment.read({"LOG_LEVEL": "debug", "TZ": ":Europe/Berlin", "SLEEP_SECONDS": "1e2"}, ENGINES)
    assert (settings.log_level, settings.tz, settings.sleep_seconds) == ("DEBUG", "Europe/Berlin", 100)


def test_an_unknown_variable_is_told_with_the_nearest_known_one() -> None:
    lines = environment.unknown({"SPEEDTEST_LOCATION_UID": "x", "SPEEDTEST_SERVERS": "1", "HOME": "/"}, ENGINES)
    assert lines == [
        "SPEEDTEST_LOCATION_UID is not a variable of SpeedSnake and is ignored; did you mean SPEEDTEST_LOCATION_UUID?",
        "SPEEDTEST_SERVERS is not a variable of SpeedSnake and is ignored; did you mean SPEEDTEST_SERVER?",
    ]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({"PUID": "1000", "PGID": "100"}, ("PUID and PGID", '`user: "1000:100"`')),
        ({"PUID": "1000"}, ("PUID of other images is not used", '`user: "1000:PGID"`')),
        ({"PGID": "100"}, ("PGID of other images is not used", "`--user PUID:100`")),
    ],
)
def test_the_user_variables_of_other_images_are_told_with_what_to_use(
    given: dict[str, str], chosen: tuple[str, ...]
) -> None:
    (line,) = environment.unknown(given, ENGINES)
    assert all(words in line for words in chosen)
    assert environment.unknown({"PUID": "", "PGID": ""}, ENGINES) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("QUIET_HOUR", "QUIET_HOURS"),
        ("SLEEP_SECOND", "SLEEP_SECONDS"),
        ("SLEPE_SECONDS", "SLEEP_SECONDS"),
        ("RESULTS_DIR", "RESULT_DIR"),
        ("LOGDIR", "LOG_DIR"),
        ("PAGE_PASSWORD_FIEL", "PAGE_PASSWORD_FILE"),
        ("DATA_BUDGET_GB_PER_MONTHS", "DATA_BUDGET_GB_PER_MONTH"),
        ("TZZ", "TZ"),
        ("sleep_seconds", "SLEEP_SECONDS"),
        ("PAGE_ORT", "PAGE_PORT"),
    ],
)
def test_a_name_that_is_one_or_two_edits_from_one_of_ours_is_told(name: str, near: str) -> None:
    assert environment.unknown({name: "1"}, ENGINES) == [
        f"{name} is not a variable of SpeedSnake and is ignored; did you mean {near}?"
    ]


def test_names_that_other_programs_use_are_not_told() -> None:
    others = (
        "PATH HOME _ TERM LANG LC_ALL PS1 PWD OLDPWD SHLVL LOGNAME USER PAGER EDITOR TMPDIR HOSTNAME UV_PYTHON Z"
        " OLD_DIR BASE_PORT XZ"
    )
    assert environment.unknown(dict.fromkeys(others.split(), "1"), ENGINES) == []


@given(st.text(alphabet="ABC_", max_size=6), st.text(alphabet="ABC_", max_size=6))
def test_edits_are_a_distance(one: str, two: str) -> None:
    assert (misspelt.edits(one, two) == 0) == (one == two)
    assert misspelt.edits(one, two) == misspelt.edits(two, one)
    assert abs(len(one) - len(two)) <= misspelt.edits(one, two) <= max(len(one), len(two))


def test_a_secret_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\nnot this\n")
    variables = {"PAGE_PASSWORD_FILE": str(tmp_path / "secret"), "SLEEP_SECONDS": "600"}
    settings = environment.read(variables, ENGINES, EVERYTHING)
    assert settings.page_password == "open sesame"  # noqa: S105 (only this test's)
    explained = {each.name: each for each in environment.explain(settings, variables, ENGINES)}
    assert (explained["PAGE_PASSWORD"].value, explained["PAGE_PASSWORD"].origin) == ("hidden", "file")
    assert (explained["SLEEP_SECONDS"].value, explained["SLEEP_SECONDS"].default) == ("600", "5")
    assert (explained["SLEEP_SECONDS"].origin, explained["LOG_LEVEL"].origin) == ("environment", "default")


def test_every_variable_is_a_field_of_the_settings_and_is_explained() -> None:
    every = [variable.name for variable in variables(ENGINES)]
    assert sorted(name.lower() for name in every) == sorted(environment.Settings.__struct_fields__)
    assert [each.name for each in environment.explain(environment.read({}, ENGINES), {}, ENGINES)] == every


@given(st.fixed_dictionaries({}, optional={name: st.sampled_from(texts) for name, texts in GOOD.items()}))
def test_what_is_explained_can_be_set_again_and_means_the_same(variables: dict[str, str]) -> None:
    try:
        settings = environment.read(variables, ENGINES, EVERYTHING)
    except Mistakes:  # values that do not fit together
        reject()
    explained = environment.explain(settings, variables, ENGINES)
    again = {each.name: each.value for each in explained if each.value and each.name not in SECRETS}
    again |= {name: text for name, text in variables.items() if name in SECRETS}
    assert environment.read(again, ENGINES, EVERYTHING) == settings


@pytest.mark.parametrize(
    ("variables", "servers"),
    [
        ({"SPEEDTEST_ENGINE": "iperf3", "SPEEDTEST_SERVER": "h:7"}, {"iperf3": "h:7"}),
        ({"SPEEDTEST_ENGINE": "ookla,iperf3", "SPEEDTEST_SERVER": "h"}, {"iperf3": "h"}),
        ({"SPEEDTEST_ENGINE": "librespeed"}, {}),
        ({"SPEEDTEST_SERVER": "http=https://h:8601/x/"}, {"http": "https://h:8601/x/"}),
        ({"SPEEDTEST_ENGINE": "http", "SPEEDTEST_SERVER": "http://[::1]:1"}, {"http": "http://[::1]:1"}),
        (
            {"SPEEDTEST_ENGINE": "librespeed", "SPEEDTEST_SERVER": "https://h/list?a=b,c=d"},
            {"librespeed": "https://h/list?a=b,c=d"},
        ),
        (
            {
                "SPEEDTEST_ENGINE": "iperf3,librespeed",
                "SPEEDTEST_SERVER": "librespeed=https://h/?a=b,c,iperf3=[2001:db8::1]:7",
            },
            {"librespeed": "https://h/?a=b,c", "iperf3": "[2001:db8::1]:7"},
        ),
    ],
)
def test_a_server_is_given_to_the_engine_that_it_is_for(variables: dict[str, str], servers: dict[str, str]) -> None:
    assert environment.read(variables, ENGINES).speedtest_server == servers


IPERF3 = "the host or host:port of your iperf3 server, host:port-port, or several joined by +"
URL = (
    "the URL (http://… or https://…) of a server that speaks Cloudflare's requests, or of a LibreSpeed backend's folder"
)
LIST = "the URL (http://… or https://…) or the file name of a list of servers in JSON"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"SPEEDTEST_ENGINE": "iperf3"}, f"'' is not allowed for iperf3: it must be {IPERF3}"),
        (
            {"SPEEDTEST_ENGINE": "iperf3", "SPEEDTEST_SERVER": "-h"},
            f"'-h' is not allowed for iperf3: it must be {IPERF3}",
        ),
        (
            {"SPEEDTEST_ENGINE": "ookla,librespeed", "SPEEDTEST_SERVER": "ftp://h"},
            f"'ftp://h' is not allowed for librespeed: it must be {LIST}",
        ),
        (
            {"SPEEDTEST_ENGINE": "iperf3,librespeed", "SPEEDTEST_SERVER": "h"},
            "'h' is not allowed: name the engine of each server: iperf3=SERVER,librespeed=SERVER",
        ),
        (
            {"SPEEDTEST_SERVER": "h"},
            "'h' is not allowed: name the engine of each server: http=SERVER,librespeed=SERVER",
        ),
        (
            {"SPEEDTEST_ENGINE": "http", "SPEEDTEST_SERVER": "h"},
            f"'h' is not allowed for http: it must be {URL}",
        ),
        (
            {"SPEEDTEST_ENGINE": "ookla", "SPEEDTEST_SERVER": "h"},
            "'h' is not allowed: no engine in SPEEDTEST_ENGINE takes a server; use SPEEDTEST_SERVER_ID to choose one",
        ),
    ],
)
def test_a_server_that_an_engine_cannot_take_or_misses_is_a_mistake(variables: dict[str, str], line: str) -> None:
    with pytest.raises(Mistakes) as caught:
        environment.read(variables, ENGINES)
    assert caught.value.lines == [f"SPEEDTEST_SERVER={line}"]


def test_both_directions_must_fit_in_the_time_of_a_test() -> None:
    variables = {"SPEEDTEST_SECONDS_PER_DIRECTION": "300", "SPEEDTEST_TIMEOUT_SECONDS": "600"}
    with pytest.raises(Mistakes, match="both directions must fit"):
        environment.read(variables, ENGINES)
    assert environment.read(variables | {"SPEEDTEST_TIMEOUT_SECONDS": "601"}, ENGINES)


def test_iperf3_without_a_server_ends_the_daemon_with_the_code_of_a_mistake(tmp_path: Path) -> None:
    ended = run(tmp_path, "loop", SPEEDTEST_ENGINE="iperf3")
    assert (ended.returncode, ended.stderr.count("\n")) == (78, 1)
    assert IPERF3 in ended.stderr


@pytest.mark.parametrize("handler", ["loop", "convert", "healthcheck"])
def test_every_mistake_is_a_line_and_all_are_told_at_once(tmp_path: Path, handler: str) -> None:
    wrong: dict[str, Any] = {name: texts[0] for name, texts in BAD.items() if texts}
    ended = run(tmp_path, handler, **wrong)
    assert ended.returncode == 78
    lines = ended.stderr.splitlines()
    assert [re.split("[=:]", line, maxsplit=1)[0] for line in lines] == [
        v.name for v in variables({}) if v.name in wrong and v.part in MEASURING
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["tools"]


@pytest.mark.parametrize(
    ("target", "zone"),
    [
        ("/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("/var/db/timezone/zoneinfo/Asia/Kolkata", "Asia/Kolkata"),
        ("/elsewhere/a-zone", None),
    ],
)
def test_the_zone_is_the_machines_where_none_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, zone: str | None
) -> None:
    (tmp_path / "localtime").symlink_to(target)
    monkeypatch.setattr(names, "_ZONE_LINK", tmp_path / "localtime")
    assert environment.read({}, ENGINES).tz == zone
    assert environment.read({"TZ": "UTC"}, ENGINES).tz == "UTC"


def test_a_machine_without_a_zone_is_in_utc_and_one_whose_file_is_a_copy_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_ZONE_LINK", tmp_path / "localtime")
    assert names.machine_zone() == "UTC"
    (tmp_path / "localtime").write_bytes(b"TZif")
    assert names.machine_zone() is None


def test_even_a_far_name_is_told_with_the_nearest_known_one() -> None:
    (line,) = environment.unknown({"SPEEDTEST_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQ": "1"}, ENGINES)
    assert "did you mean SPEEDTEST_" in line


@pytest.mark.parametrize("handler", ["convert", "healthcheck", "status", "export"])
def test_a_mistake_in_a_variable_of_the_page_or_the_report_stops_no_other_command(tmp_path: Path, handler: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    wrong = {"PAGE_PORT": "abc", "PAGE_HOST": "here", "PLAN_DOWNLOAD_MBPS": "fast"}
    ended = run(tmp_path, handler, PAGE_PASSWORD_FILE=str(tmp_path / "pipe"), **wrong)
    assert ended.returncode in (0, 1)  # unhealthy: no daemon has run


def test_a_mistake_in_a_variable_of_the_daemon_does_not_stop_the_page() -> None:
    wrong = {"SPEEDTEST_ENGINE": "iperf3", "SLEEP_SECONDS": "never", "SPEEDTEST_SERVER": "x", "PAGE_PORT": "0"}
    assert environment.read(wrong, ENGINES, PAGE).page_port == 0
    with pytest.raises(Mistakes):
        environment.read(wrong, ENGINES)


def test_mistakes_of_one_variable_and_of_two_together_are_told_at_once() -> None:
    with pytest.raises(Mistakes) as caught:
        environment.read({"SLEEP_JITTER_SECONDS": "10", "SLEEP_SECONDS": "5", "LOG_LEVEL": "x"}, ENGINES)
    assert [line.partition("=")[0] for line in caught.value.lines] == ["LOG_LEVEL", "SLEEP_JITTER_SECONDS"]
