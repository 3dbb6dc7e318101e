"""The line protocol is read back by a reader that is written from its documentation alone."""

import math
import re
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from samples import utc

from speedtest.publishing import line_protocol
from speedtest.publishing.line_protocol import FieldValue, point

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def split_at(text: str, mark: str, *, quotes: bool = False) -> list[str]:
    """Split at a mark that has no backslash before it and, with `quotes`, stands in no double quotes."""
    parts, is_quoted, at = [""], False, 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            parts[-1] += text[at : at + 2]
            at += 2
            continue
        is_quoted ^= quotes and text[at] == '"'
        if text[at] == mark and not is_quoted:
            parts.append("")
        else:
            parts[-1] += text[at]
        at += 1
    return parts


def unescaped(text: str, marks: str) -> str:
    return re.sub(rf"\\([{re.escape(marks)}])", r"\1", text)


def value(text: str) -> FieldValue:
    if text.startswith('"'):
        return unescaped(text[1:-1], '"\\')
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


def read(line: str) -> tuple[str, dict[str, str], dict[str, FieldValue], int]:
    """Read a point: measurement, tags, fields, nanoseconds."""
    key = split_at(line, " ")[0]
    fields, when = split_at(line[len(key) + 1 :], " ", quotes=True)
    measurement, *tags = split_at(key, ",")
    pairs = [each.partition("=") for each in split_at(fields, ",", quotes=True)]
    return (
        measurement,
        {name: unescaped(text, ",= ") for name, _, text in (tag.partition("=") for tag in tags)},
        {name: value(text) for name, _, text in pairs},
        int(when),
    )


def plain(text: str) -> str:
    return CONTROL.sub(" ", text)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text(' ,="\\/\n\ra', max_size=12)
FIELDS = TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(["location", "engine", "server"]), TEXTS),
    st.dictionaries(st.sampled_from(["ok", "download_mbps", "error", "exit_code"]), FIELDS, min_size=1),
    st.integers(-(2**63), 2**63 - 1),
)
def test_a_point_is_read_back_as_it_was_written(tags: dict[str, str], fields: dict[str, FieldValue], when: int) -> None:
    line = point("speedtest", tags, fields, when)
    assert not CONTROL.search(line)
    kept = {name: text for name, tag in tags.items() if (text := plain(tag).strip().replace("\\", "/"))}
    told = {name: plain(field) if isinstance(field, str) else field for name, field in fields.items()}
    assert read(line) == ("speedtest", kept, told, when)
    assert [*map(type, read(line)[2].values())] == [*map(type, told.values())]


def test_a_figure_that_is_none_is_left_out() -> None:
    assert point("m", {}, {"a": math.inf, "b": math.nan, "c": 1.5}, 0) == "m c=1.5 0"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (utc(1970, 1, 1), 0),
        (utc(2026, 11, 27) + timedelta(microseconds=1), 1795737600000001000),
        (utc(1969, 12, 31, 23, 59, 59), -(10**9)),
    ],
)
def test_an_instant_is_written_exactly(when: datetime, expected: int) -> None:
    assert line_protocol.nanoseconds(when) == expected
