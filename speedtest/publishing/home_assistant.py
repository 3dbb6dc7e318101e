"""What Home Assistant is told over MQTT: the device with its entities, and their state.

The device is announced as https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload describes (since
2024.12): one retained message to `PREFIX/device/NODE/config` with all entities. All read one retained JSON object,
`speedsnake/NODE/state`; a figure that is not known is null there, and `unknown` in Home Assistant. After `away` seconds
without a message an entity becomes unavailable (`expire_after`), and so does it when `speedsnake/NODE/availability`
says `offline`.
"""

import re
from datetime import datetime
from typing import Any

from speedtest.data.files import digest
from speedtest.data.watch_state import WatchState
from speedtest.publishing.latest import LastOutage, LastTest, Latest
from speedtest.version import VERSION

PREFIX = "homeassistant"
ONLINE, OFFLINE = "online", "offline"
_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")
_HOME = "https://github.com/thekhoo/speedsnake"

type Payload = dict[str, Any]


def node(location: str) -> str:
    """Return the name of a line in topics. Home Assistant allows letters, figures, `_` and `-` there."""
    plain = _ALLOWED.sub("_", location)
    return f"speedsnake_{plain}" if plain == location else f"speedsnake_{plain}_{digest(location.encode())[:6]}"


def config_topic(location: str, prefix: str) -> str:
    """Return the topic that announces the device."""
    return f"{prefix}/device/{node(location)}/config"


def state_topic(location: str) -> str:
    """Return the topic of the state."""
    return f"speedsnake/{node(location)}/state"


def availability_topic(location: str) -> str:
    """Return the topic that says whether the state is kept up to date."""
    return f"speedsnake/{node(location)}/availability"


def device(location: str, *, watched: bool, away: float) -> Payload:
    """Return the announcement of the device. Without a watch there are no entities of the line itself."""
    entities = _OF_TESTS | (_OF_WATCH if watched else {}) | _OF_OUTAGES
    return {
        "device": {
            "identifiers": [node(location)],
            "name": f"SpeedSnake {location}",
            "manufacturer": "SpeedSnake",
            "model": "Internet-speed monitor",
            "sw_version": VERSION,
        },
        "origin": {"name": "SpeedSnake", "sw_version": VERSION, "support_url": _HOME},
        "availability_topic": availability_topic(location),
        "state_topic": state_topic(location),
        "qos": 1,
        "components": {
            name: entity | {"unique_id": f"{node(location)}_{name}", "expire_after": round(away)}
            for name, entity in entities.items()
        },
    }


def state(latest: Latest, seen: WatchState | None) -> Payload:
    """Return the state that the entities read."""
    return _of(latest.test, _TEST) | _of(latest.outage, _OUTAGE) | _line(seen)


_TEST = {
    "download_mbps": "download_mbps",
    "upload_mbps": "upload_mbps",
    "latency_ms": "latency_ms",
    "jitter_ms": "jitter_ms",
    "packet_loss_percent": "packet_loss_percent",
    "test": "status",
    "test_error": "error",
    "tested_at": "timestamp",
    "engine": "engine",
    "server": "server_name",
}
_OUTAGE = {
    "outage_started_at": "timestamp",
    "outage_seconds": "duration_seconds",
    "outage_place": "error_kind",
}


def _of(known: LastTest | LastOutage | None, names: dict[str, str]) -> Payload:
    return {name: _plain(getattr(known, field, None)) for name, field in names.items()}


def _line(seen: WatchState | None) -> Payload:
    loss = seen.loss_ratio if seen else None
    return {
        "line": seen.state if seen and seen.state != "unknown" else None,
        "line_since": _plain(seen.since) if seen else None,
        "line_place": seen.place if seen else None,
        "line_latency_ms": _rounded(seen.latency_ms) if seen else None,
        "line_loss_percent": _rounded(None if loss is None else 100 * loss),
    }


def _plain(value: datetime | float | str | None) -> float | str | None:
    return value.isoformat() if isinstance(value, datetime) else value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _figure(name: str, field: str, unit: str, device_class: str | None, icon: str) -> Payload:
    """Return a sensor of a measured figure."""
    return {
        "platform": "sensor",
        "name": name,
        "state_class": "measurement",
        "unit_of_measurement": unit,
        "value_template": f"{{{{ value_json.{field} }}}}",
        "suggested_display_precision": 1,
        "icon": icon,
    } | ({"device_class": device_class} if device_class else {})


def _instant_of(name: str, field: str) -> Payload:
    """Return a sensor of an instant."""
    return {
        "platform": "sensor",
        "name": name,
        "device_class": "timestamp",
        "value_template": f"{{{{ value_json.{field} }}}}",
    }


_OF_TESTS: Payload = {
    "download": _figure("Download", "download_mbps", "Mbit/s", "data_rate", "mdi:download"),
    "upload": _figure("Upload", "upload_mbps", "Mbit/s", "data_rate", "mdi:upload"),
    "latency": _figure("Latency", "latency_ms", "ms", "duration", "mdi:timer-outline"),
    "jitter": _figure("Jitter", "jitter_ms", "ms", "duration", "mdi:sine-wave"),
    "packet_loss": _figure("Packet loss", "packet_loss_percent", "%", None, "mdi:package-variant-remove"),
    "tested_at": _instant_of("Last test", "tested_at"),
    "test": {
        "platform": "sensor",
        "name": "Result of the last test",
        "device_class": "enum",
        "options": ["ok", "failed"],
        "value_template": "{{ value_json.test }}",
        "icon": "mdi:speedometer",
    },
}
_OF_WATCH: Payload = {
    "line": {
        "platform": "binary_sensor",
        "name": "Line",
        "device_class": "connectivity",
        "value_template": "{{ {'up': 'ON', 'down': 'OFF'}.get(value_json.line) }}",
    },
    "line_latency": _figure("Latency of the line", "line_latency_ms", "ms", "duration", "mdi:timer-outline"),
    "line_loss": _figure("Loss on the line", "line_loss_percent", "%", None, "mdi:package-variant-remove"),
}
_OF_OUTAGES: Payload = {
    "outage_started_at": _instant_of("Last outage", "outage_started_at"),
    "outage_length": _figure("Length of the last outage", "outage_seconds", "s", "duration", "mdi:timer-off-outline"),
}
