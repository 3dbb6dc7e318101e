"""The page for a browser: the current state in large type, and the sections of the report. No script, no cookie.

The browser refreshes it (header `Refresh`) when the daemon's next result should be there. If nothing is new, the answer
is 304 and the reader's scroll position stays.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from speedtest.figures import calendar, grades
from speedtest.figures.one_test import OneTest
from speedtest.figures.state import Condition, DaemonState, LineState
from speedtest.figures.types import Summary
from speedtest.page import parameters
from speedtest.page.parameters import OneTestParameters, PageParameters
from speedtest.page.queries import Queries
from speedtest.report import drawing, words

TEMPLATES = Path(__file__).parent / "templates"
_TEST_SECONDS = 45
"""Most tests have a result this long after they began."""
_MOST_CHOICES = 200
_SHORTEST_REFRESH, _LONGEST_REFRESH = 60, 3600

_VERDICTS: dict[Condition, tuple[str, str]] = {
    "up": ("Up", "good"),
    "down": ("Down", "bad"),
    "test-failed": ("Test failed", "unknown"),
    "late": ("Unknown", "unknown"),
    "not-seen": ("Not seen from here", "unknown"),
    "no-test": ("No test yet", "unknown"),
}
"""The words and the CSS class of each condition."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is above the figures: the current state of one line."""

    line: LineState | None
    daemon: DaemonState | None
    zone: ZoneInfo

    @property
    def verdict(self) -> tuple[str, str]:
        """Return the state in words, and its CSS class."""
        return ("No results yet", "unknown") if self.line is None else _VERDICTS[self.line.condition]


def routes(answers: Queries) -> list[Route]:
    """Return the routes of the page, its style sheet and its icon."""
    style = _Fixed("text/css", str(drawing.style()) + _text("page.css"))
    icon = _Fixed("image/svg+xml", _text("icon.svg"))

    async def page(request: Request) -> Response:
        locations = await answers.locations()
        shown = parameters.shown(request.query_params, locations)
        now = await answers.line(shown.location)
        line = next(iter(now.lines), None)
        head = Head(line=line, daemon=now.daemon, zone=_zone(line))
        body = _page(shown, head, locations, *await answers.drawn(shown.asked))
        headers = {"Cache-Control": "private, no-cache"}
        if shown.refresh == "on":
            headers["Refresh"] = str(refresh_seconds(now.daemon, datetime.now(UTC)))
        return unless_known(request, body, "text/html", headers)

    async def test(request: Request) -> Response:
        wanted = parameters.one_test(request.query_params, await answers.locations(), ("location", "at", "theme"))
        found = await answers.test(wanted.location, wanted.at)
        if found is None:
            return problem(parameters.NO_TEST, HTTPStatus.NOT_FOUND)
        body = _test(wanted, found)
        return unless_known(request, body, "text/html", {"Cache-Control": "private, no-cache"})

    return [Route("/", page), Route("/test", test), Route("/style.css", style.answer), Route("/icon.svg", icon.answer)]


def problem(why: str, status: int) -> Response:
    """Return an error message as a page."""
    title = HTTPStatus(status).phrase
    body = drawing.templates(TEMPLATES).get_template("problem.html").render(title=title, why=why)
    return Response(body, status, media_type="text/html")


def refresh_seconds(daemon: DaemonState | None, now: datetime) -> int:
    """Return the seconds until the next result should be there, or a minute if no daemon says when."""
    seconds = (daemon.next_due - now).total_seconds() + _TEST_SECONDS if daemon else 0
    return round(min(max(seconds, _SHORTEST_REFRESH), _LONGEST_REFRESH))


def unless_known(request: Request, body: str, media_type: str, headers: dict[str, str]) -> Response:
    """Return a body, or 304 if the client already has it."""
    tag = f'"{hashlib.blake2b(body.encode(), digest_size=16).hexdigest()}"'
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers | {"ETag": tag})
    return Response(body, media_type=media_type, headers=headers | {"ETag": tag})


def _page(shown: PageParameters, head: Head, locations: Sequence[str], summary: Summary, sections: Markup) -> str:
    return (
        drawing.templates(TEMPLATES)
        .get_template("page.html")
        .render(
            shown=shown,
            head=head,
            summary=summary,
            sections=sections,
            locations=_choices(locations),
            all_locations=len(locations),
            ranges=parameters.RANGES,
            themes=parameters.THEMES,
            refreshes=parameters.REFRESH,
        )
    )


def _test(wanted: OneTestParameters, found: OneTest) -> str:
    here = {"location": wanted.location, "at": f"{found.result.timestamp:%Y-%m-%dT%H:%M:%S.%fZ}"}
    theme = {} if wanted.theme == "auto" else {"theme": wanted.theme}
    return (
        drawing.templates(TEMPLATES)
        .get_template("test.html")
        .render(
            test=found,
            location=wanted.location,
            theme=wanted.theme,
            zone=calendar.zone(found.result.timezone),
            curves=drawing.curves(found),
            scale=grades.SCALE,
            back=parameters.query({"location": wanted.location, **theme}),
            this=parameters.query(here),
        )
    )


def _zone(line: LineState | None) -> ZoneInfo:
    """Return the zone of a line's newest row, this machine's if there is no line."""
    return calendar.zone(line.zone if line else None)


def _choices(locations: Sequence[str]) -> list[tuple[str, str]]:
    """Return the locations to choose from. A longer list is no help: its names are typed."""
    return [(name, words.harmless(name)) for name in locations] if len(locations) <= _MOST_CHOICES else []


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


class _Fixed:
    """A file that does not change while the page runs."""

    def __init__(self, media_type: str, body: str) -> None:
        self._media_type, self._body = media_type, body

    async def answer(self, request: Request) -> Response:
        return unless_known(request, self._body, self._media_type, {"Cache-Control": "private, no-cache"})
