"""InfluxDB's line protocol: one point on a line, `measurement,tag=value field=value timestamp`, UTF-8.

As https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ describes it: in tags a comma, an equals sign
and a space have a backslash before them; text in fields stands in double quotes, and there a double quote and a
backslash have one; integers end with `i`. Line ends are allowed nowhere. Versions differ in how they read a backslash
in a tag, so a tag never has one: it becomes a slash.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

type FieldValue = str | float | int | bool

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_IN_TAG = re.compile(r"([,= ])")
_IN_TEXT = re.compile(r'(["\\])')
LARGEST = 2**63 - 1


def point(measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue], nanoseconds: int) -> str:
    """Return a point as a line, without its end. Tags and fields without a value are left out; a field must be left."""
    key = ",".join([measurement, *(f"{name}={_tag(value)}" for name, value in sorted(tags.items()) if _plain(value))])
    pairs = ",".join(f"{name}={text}" for name, value in fields.items() if (text := _field(value)))
    return f"{key} {pairs} {nanoseconds}"


def nanoseconds(when: datetime) -> int:
    """Return an instant in nanoseconds since 1970."""
    return (when - _EPOCH) // _MICROSECOND * 1000


def _plain(value: str) -> str:
    """Return text without line ends and other control characters, and without spaces around it."""
    return _CONTROL.sub(" ", value).strip()


def _tag(value: str) -> str:
    return _IN_TAG.sub(r"\\\1", _plain(value).replace("\\", "/"))


def _field(value: FieldValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return '"' + _IN_TEXT.sub(r"\\\1", _CONTROL.sub(" ", value)) + '"'
