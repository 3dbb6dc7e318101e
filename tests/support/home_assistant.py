"""Home Assistant's schema of MQTT device discovery, as its documentation of 2026 describes it, in JSON Schema.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, …/sensor.mqtt/, …/binary_sensor.mqtt/, and
the device classes of https://www.home-assistant.io/integrations/sensor/#device-class. Only what a sensor and a binary
sensor may have. An unknown key is refused here, although Home Assistant drops it.
"""

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_TOPIC = {"type": "string", "pattern": "^[^#+\\0]+$"}
_TEMPLATE = {"type": "string", "pattern": r"\{\{.*\}\}"}
_SECONDS = {"type": "integer", "minimum": 1}
_AVAILABILITY = {
    "availability_topic": _TOPIC,
    "availability_template": _TEMPLATE,
    "payload_available": _TEXT,
    "payload_not_available": _TEXT,
}
_COMMON = _AVAILABILITY | {
    "platform": _TEXT,
    "name": _TEXT,
    "unique_id": _TEXT,
    "default_entity_id": _TEXT,
    "state_topic": _TOPIC,
    "value_template": _TEMPLATE,
    "json_attributes_topic": _TOPIC,
    "json_attributes_template": _TEMPLATE,
    "enabled_by_default": {"type": "boolean"},
    "entity_category": {"const": "diagnostic"},
    "expire_after": _SECONDS,
    "force_update": {"type": "boolean"},
    "icon": {"type": "string", "pattern": "^mdi:[a-z0-9-]+$"},
    "qos": {"enum": [0, 1, 2]},
}
UNITS = {
    "data_rate": ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "GB/s", "KiB/s", "MiB/s", "GiB/s"],
    "duration": ["d", "h", "min", "s", "ms", "μs"],
}
"""The units that a device class allows; `timestamp` and `enum` allow none."""
_SENSOR: dict[str, Any] = {
    "type": "object",
    "required": ["platform", "unique_id", "value_template"],
    "additionalProperties": False,
    "properties": _COMMON
    | {
        "platform": {"const": "sensor"},
        "device_class": {"enum": [*UNITS, "timestamp", "enum"]},
        "state_class": {"enum": ["measurement", "total", "total_increasing"]},
        "unit_of_measurement": _TEXT,
        "suggested_display_precision": {"type": "integer", "minimum": 0},
        "last_reset_value_template": _TEMPLATE,
        "options": {"type": "array", "items": _TEXT, "minItems": 1},
    },
    "allOf": [
        {
            "if": {"required": ["device_class"], "properties": {"device_class": {"const": name}}},
            "then": {"required": ["unit_of_measurement"], "properties": {"unit_of_measurement": {"enum": units}}},
        }
        for name, units in UNITS.items()
    ]
    + [
        {
            "if": {"required": ["device_class"], "properties": {"device_class": {"enum": ["timestamp", "enum"]}}},
            "then": {"properties": {"unit_of_measurement": False, "state_class": False}},
        },
        {
            "if": {"required": ["options"]},
            "then": {"required": ["device_class"], "properties": {"device_class": {"const": "enum"}}},
        },
    ],
}
_BINARY_SENSOR: dict[str, Any] = {
    "type": "object",
    "required": ["platform", "unique_id"],
    "additionalProperties": False,
    "properties": _COMMON
    | {
        "platform": {"const": "binary_sensor"},
        "device_class": {"enum": ["connectivity", "problem", "running"]},
        "off_delay": _SECONDS,
        "payload_on": _TEXT,
        "payload_off": _TEXT,
    },
}
DEVICE_DISCOVERY: dict[str, Any] = {
    "type": "object",
    "required": ["device", "origin", "components"],
    "additionalProperties": False,
    "properties": _AVAILABILITY
    | {
        "device": {
            "type": "object",
            "anyOf": [{"required": ["identifiers"]}, {"required": ["connections"]}],
            "additionalProperties": False,
            "properties": {
                "identifiers": {"type": "array", "items": _TEXT, "minItems": 1},
                "connections": {"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 2}},
                **dict.fromkeys(
                    ("name", "manufacturer", "model", "model_id", "serial_number", "sw_version", "hw_version"), _TEXT
                ),
                **dict.fromkeys(("via_device", "suggested_area", "configuration_url"), _TEXT),
            },
        },
        "origin": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": dict.fromkeys(("name", "sw_version", "support_url"), _TEXT),
        },
        "components": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"oneOf": [_SENSOR, _BINARY_SENSOR]},
        },
        "state_topic": _TOPIC,
        "command_topic": _TOPIC,
        "qos": {"enum": [0, 1, 2]},
        "encoding": _TEXT,
    },
}
CONFIG_TOPIC = r"(?P<prefix>[^#+]+)/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config"
