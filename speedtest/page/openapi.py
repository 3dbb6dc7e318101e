"""`/openapi.json`: the API's routes, their parameters and their answers, generated from the types."""

import importlib.metadata
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from speedtest.figures.one_test import OneTest
from speedtest.figures.state import Result
from speedtest.figures.types import Comparison, Summary
from speedtest.page.parameters import DEFAULT_LIMIT
from speedtest.page.queries import MOST_RESULTS, Now
from speedtest.values.period import EXAMPLES


class Results(msgspec.Struct, frozen=True):
    """Rows in time order."""

    location: str
    results: list[Result]
    next: str | None
    """The query for the rows that follow, null if there are none."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and what to do."""

    error: str


class Locations(msgspec.Struct, frozen=True):
    """The locations that have rows, the one with the newest rows first."""

    locations: list[str]
    next: str | None
    """The query for the locations that follow, null if there are none."""


_TYPES = (Results, Summary, Comparison, OneTest, Locations, Now, Problem)
_WITH_OR_WITHOUT: list[dict[str, list[str]]] = [{}, {"password": []}]
_LOCATION = {
    "name": "location",
    "in": "query",
    "description": "The location of the line. Default: the one with the newest rows.",
    "schema": {"type": "string"},
}
_ISP = {
    "name": "isp",
    "in": "query",
    "description": "Only the tests that name this provider. Failed tests name none, so uptime and outages are unknown.",
    "schema": {"type": "string"},
}
_MARKED = {
    "name": "marked",
    "in": "query",
    "description": "1: marked tests (over Wi-Fi, beside other traffic) are held against the plan too.",
    "schema": {"type": "string", "enum": ["0", "1"], "default": "0"},
}
_AT = {
    "name": "at",
    "in": "query",
    "description": "The `timestamp` of the row. Default: that of the last test.",
    "schema": {"type": "string", "format": "date-time"},
}
_VERSUS = tuple(
    {"name": f"versus_{name}", "in": "query", "description": words, "schema": {"type": "string"}}
    for name, words in (
        ("since", "Start of the other period. Default: the period of the same length right before."),
        ("until", "End of the other period, which is not included."),
        ("location", "The other location. Default: the same."),
    )
)
_ABOUT = (
    "The measurements, read-only. Units: Mbit/s (10^6 bit/s), ms, percent. Answers are in UTC. /metrics has the same "
    "for Prometheus; where speedtest_metrics_complete is 0, locations that the page has not read yet are missing."
)
_TIMES = f"Write {EXAMPLES}. The zone of the line is that of its newest row."
_UNTIL = {
    "name": "until",
    "in": "query",
    "description": f"Stop before this time; a day is left out itself. Default: now. {_TIMES}",
    "schema": {"type": "string"},
}
_LIMIT = {
    "name": "limit",
    "in": "query",
    "description": "The largest number of rows or locations to return.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_RESULTS, "default": DEFAULT_LIMIT},
}
_CURSOR = {
    "name": "cursor",
    "in": "query",
    "description": "Continue where an earlier answer ended. Copy it from that answer's `next`.",
    "schema": {"type": "string"},
}


@cache
def document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    schemas = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")[1]
    api = {
        "openapi": "3.1.0",
        "info": {
            "title": "SpeedSnake",
            "version": importlib.metadata.version("speedsnake"),
            "description": _ABOUT,
        },
        "paths": {
            "/api/results": _route(
                Results, "Rows in time order", _since("24h"), _UNTIL, _LOCATION, _ISP, _LIMIT, _CURSOR
            ),
            "/api/summary": _route(
                Summary, "The figures of a line over a period", _since("30d"), _UNTIL, _LOCATION, _ISP, _MARKED
            ),
            "/api/compare": _route(
                Comparison,
                "How a line, over a period, differs from another, or from itself over another period",
                *(_since("30d"), _UNTIL, _LOCATION, _MARKED, *_VERSUS),
            ),
            "/api/test": _route(
                OneTest, "One test, with its marks, its grades and its speeds over time", _LOCATION, _AT
            ),
            "/api/locations": _route(Locations, "The locations that have rows", _LIMIT, _CURSOR),
            "/api/now": _route(Now, "The current state of every line and of the daemon"),
        },
        "components": {"schemas": schemas, "securitySchemes": {"password": {"type": "http", "scheme": "basic"}}},
        "security": _WITH_OR_WITHOUT,
    }
    return msgspec.json.encode(api)


def _since(usual: str) -> dict[str, Any]:
    return {
        "name": "since",
        "in": "query",
        "description": f"Start at this time (included). {_TIMES}",
        "schema": {"type": "string", "default": usual},
    }


def _route(answer: type, meaning: str, *parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "summary": meaning,
            "parameters": list(parameters),
            "responses": {
                "200": _response(answer, meaning),
                "400": _response(Problem, "A parameter is wrong. The error says what is allowed."),
                "404": _response(Problem, "The location has no rows."),
                "503": _response(Problem, "A file or folder cannot be read."),
            },
        }
    }


def _response(answer: type, meaning: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{answer.__name__}"}
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}
