"""The state of a line on a real mosquitto, and what Home Assistant makes of it."""

import json
import re
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, override

import jsonschema
import pytest
import trustme
from daemon import run, until
from home_assistant import CONFIG_TOPIC, DEVICE_DISCOVERY
from jinja2 import Environment
from msgspec.structs import replace
from publishing import publish, publish_by, settings_of
from receivers import free_port, mosquitto, program, retained
from samples import HOME, failed, keep, measured, utc

from speedtest.data import watch_state
from speedtest.data.watch_state import LineOutage, WatchState
from speedtest.publishing.mqtt import Mqtt

NODE = f"speedsnake_{HOME}"
STATE, AVAILABILITY = f"speedsnake/{NODE}/state", f"speedsnake/{NODE}/availability"
CONFIG = f"homeassistant/device/{NODE}/config"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as port:
        yield port


def seen(state: watch_state.SeenState = "up", **more: Any) -> WatchState:  # noqa: ANN401 (fields of any type)
    """Return what a watch sees now."""
    now = datetime.now(UTC)
    found = WatchState(seen=now, interval_seconds=10, state=state, since=now, location=HOME, latency_ms=11.256)
    return replace(found, loss_ratio=0.0125, **more)


def shown(folder: Path, port: int, **variables: str) -> dict[str, dict[str, Any]]:
    """Visit a broker and return what it retains, JSON decoded."""
    settings = settings_of(folder, MQTT_URL=f"mqtt://127.0.0.1:{port}", **variables)
    assert publish_by(settings, "mqtt").well
    found = retained(port)
    return {topic: json.loads(text) if text.startswith("{") else {"is": text} for topic, text in found.items()}


def entities(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the state of each entity, as Home Assistant renders its template."""
    device, state = found[CONFIG], found[device_state(found)]
    return {
        name: Environment(autoescape=False).from_string(entity["value_template"]).render(value_json=state)  # noqa: S701 (Home Assistant escapes nothing)
        for name, entity in device["components"].items()
    }


def device_state(found: dict[str, dict[str, Any]]) -> str:
    return str(found[CONFIG]["state_topic"])


@pytest.mark.slow
def test_home_assistant_finds_the_line_with_its_figures(tmp_path: Path, broker: int) -> None:
    row = measured(datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5))
    keep([row], tmp_path / "results")
    outage = LineOutage(
        id="1",
        place="beyond-router",
        started_at=utc(2026, 11, 26),
        seconds=61.54,
        words="",
        exact_seconds=10,
        started_elapsed=0,
    )
    watch_state.write(seen(recent=[outage]), tmp_path / "results")
    found = shown(tmp_path, broker)
    assert found.keys() == {CONFIG, STATE, AVAILABILITY}
    assert re.fullmatch(CONFIG_TOPIC, CONFIG)
    jsonschema.validate(found[CONFIG], DEVICE_DISCOVERY)
    names = [entity["unique_id"] for entity in found[CONFIG]["components"].values()]
    assert len(set(names)) == len(names)
    assert found[AVAILABILITY] == {"is": "online"}
    assert entities(found) == {
        "download": str(row.download_mbps),
        "upload": str(row.upload_mbps),
        "latency": str(row.latency_ms),
        "jitter": str(row.jitter_ms),
        "packet_loss": str(row.packet_loss_percent),
        "test": "ok",
        "tested_at": row.timestamp.isoformat(),
        "line": "ON",
        "line_latency": "11.26",
        "line_loss": "1.25",
        "outage_started_at": "2026-11-26T00:00:00+00:00",
        "outage_length": "61.5",
    }


@pytest.mark.slow
def test_what_is_not_known_is_unknown_and_the_last_test_outlives_its_conversion(tmp_path: Path, broker: int) -> None:
    keep([failed(utc(2026, 11, 25))], tmp_path / "results")
    watch_state.write(seen("down", place="router"), tmp_path / "results")
    found = entities(shown(tmp_path, broker))
    assert (found["line"], found["test"], found["download"], found["outage_length"]) == (
        "OFF",
        "failed",
        "None",
        "None",
    )
    assert run(tmp_path, "convert").returncode == 0
    (tmp_path / "results" / watch_state.FILE_NAME).unlink()
    found = entities(shown(tmp_path, broker))
    assert (found["line"], found["test"]) == ("None", "failed")
    assert "line" not in entities(shown(tmp_path, broker, WATCH_SECONDS="0"))


def test_a_location_with_a_dot_has_a_topic_that_home_assistant_allows(tmp_path: Path, broker: int) -> None:
    (tmp_path / "results").mkdir()
    publish(tmp_path, "mqtt", MQTT_URL=f"mqtt://127.0.0.1:{broker}/my/prefix", SPEEDTEST_LOCATION_UUID="a.b")
    topics = [topic for topic in retained(broker) if topic.endswith("/config")]
    assert any(topic.startswith("my/prefix/device/speedsnake_a_b_") for topic in topics)
    assert all(re.fullmatch(CONFIG_TOPIC, topic) for topic in topics)


def heard(port: int, topic: str) -> subprocess.Popen[str]:
    """Listen for messages that come from now on, until the first `offline`."""
    command = [program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-W", "30"]
    return subprocess.Popen([*command, "-F", "%U %r %p"], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_broker_itself_says_offline_if_nobody_comes_back_in_time(tmp_path: Path, broker: int) -> None:
    (tmp_path / "results").mkdir()
    settings = settings_of(tmp_path, SPEEDTEST_LOCATION_UUID="gone")
    url = f"mqtt://127.0.0.1:{broker}"
    availability = "speedsnake/speedsnake_gone/availability"
    with heard(broker, availability) as listener:
        assert listener.stdout
        assert Mqtt(settings, url, away=3).publish().verdict == "taken"
        told = [listener.stdout.readline().split()]
        for _ in range(2):  # whoever comes back in time is not offline
            assert Mqtt(settings, url, away=3).publish().verdict == "taken"
            told.append(listener.stdout.readline().split())
        assert [words[-1] for words in told] == ["online"] * 3
        last = listener.stdout.readline().split()
        listener.terminate()
    assert last[-1] == "offline"
    assert float(last[0]) - float(told[-1][0]) > 2
    assert until(lambda: retained(broker).get(availability)) == "offline"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")  # paho leaves that of a bad handshake open
def test_tls_and_password_are_used_and_what_is_wrong_with_them_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    passwords = tmp_path / "passwords"
    subprocess.run([program("mosquitto_passwd"), "-b", "-c", passwords, "ha", "p@ss"], check=True, capture_output=True)
    (tmp_path / "rights").write_text("user ha\ntopic write speedsnake/#\n")
    lines = [
        "listener {port} 127.0.0.1",
        *(f"certfile {tmp_path}/server.pem", f"keyfile {tmp_path}/server.pem"),
        *(f"password_file {passwords}", "allow_anonymous false"),
    ]
    trust = {"PUBLISH_CA_FILE": str(tmp_path / "ca.pem")}
    with mosquitto(tmp_path / "broker", *lines) as port:
        good = f"mqtts://ha:p%40ss@localhost:{port}"
        assert publish(tmp_path, "mqtt", MQTT_URL=good, **trust).well
        well, said = publish(tmp_path, "mqtt", MQTT_URL=good)
        assert (well, "PUBLISH_CA_FILE" in said) == (False, True)
        well, said = publish(tmp_path, "mqtt", test=True, MQTT_URL=good.replace("p%40ss", "wrong"), **trust)
        assert (well, "user and password in MQTT_URL" in said, "wrong" in said) == (False, True, False)
    with mosquitto(tmp_path / "strict", *lines, f"acl_file {tmp_path}/rights") as port:
        well, said = publish(tmp_path, "mqtt", MQTT_URL=f"mqtts://ha:p%40ss@localhost:{port}", **trust)
        assert (well, "what this user may do" in said) == (False, True)


def test_a_broker_that_is_not_there_or_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    well, said = publish(tmp_path, "mqtt", MQTT_URL=f"mqtt://127.0.0.1:{free_port()}")
    assert (well, "refused" in said) == (False, True)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        well, said = publish(tmp_path, "mqtt", MQTT_URL=f"mqtt://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    assert (well, "is it an MQTT broker" in said) == (False, True)


class Version3(socketserver.BaseRequestHandler):
    """A broker of MQTT 3.1.1: it refuses other versions as 3.2.2.3 says, and takes every message."""

    took: ClassVar[list[bytes]] = []

    @override
    def handle(self) -> None:
        while head := self.request.recv(1):
            size, shift = 0, 0
            while True:
                (byte,) = self.request.recv(1)
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            body = self.request.recv(size, socket.MSG_WAITALL) if size else b""
            match head[0] >> 4:
                case 1 if body[6:7] != b"\x04":  # CONNECT
                    self.request.sendall(b"\x20\x02\x00\x01")
                    return
                case 1:
                    self.request.sendall(b"\x20\x02\x00\x00")
                case 3:  # PUBLISH: the topic, then the number of the packet
                    (length,) = struct.unpack("!H", body[:2])
                    self.took.append(body[2 : 2 + length])
                    self.request.sendall(b"\x40\x02" + body[2 + length : 4 + length])
                case _:
                    return


def test_a_broker_of_version_3_gets_the_state_too(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Version3) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        assert publish(tmp_path, "mqtt", MQTT_URL=f"mqtt://127.0.0.1:{server.server_address[1]}").well
        server.shutdown()
    assert [topic.decode() for topic in Version3.took] == [CONFIG, STATE, AVAILABILITY]
