"""The page as an application: its routes behind the guard, and its errors, as a page or as JSON."""

from http import HTTPStatus

import pyarrow as pa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from speedtest.data.parquet import Damaged
from speedtest.logging import Events
from speedtest.page import api, html
from speedtest.page.guard import Guard
from speedtest.page.headers import SecurityHeaders
from speedtest.page.queries import Queries
from speedtest.values.period import Unclear

events = Events(__name__)


def application(
    answers: Queries,
    password: str | None,
    allowed_hosts: tuple[str, ...] = (),
    frame_ancestors: tuple[str, ...] = (),
) -> Starlette:
    """Return the application. It asks for the password if there is one."""
    return Starlette(
        routes=[*html.routes(answers), *api.routes(answers), *api.routes_of_monitoring(answers)],
        middleware=[
            Middleware(SecurityHeaders, frame_ancestors=frame_ancestors),
            Middleware(Guard, password=password, allowed_hosts=allowed_hosts),
        ],
        exception_handlers={
            HTTPException: _mistaken,
            Unclear: _unclear,
            Damaged: _unreadable,
            OSError: _unreadable,
            pa.ArrowException: _unreadable,
        },
    )


async def _mistaken(request: Request, error: Exception) -> Response:
    """Answer with an error that Starlette or `parameters` raised."""
    if not isinstance(error, HTTPException):
        raise TypeError(type(error))
    why = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and why == HTTPStatus.NOT_FOUND.phrase:
        why = "there is nothing at this address; try /, /api/results, /api/summary, /openapi.json or /metrics"
    return _problem(request, why, error.status_code)


async def _unclear(request: Request, error: Exception) -> Response:
    return _problem(request, str(error), HTTPStatus.BAD_REQUEST)


async def _unreadable(request: Request, error: Exception) -> Response:
    """Answer with the file or folder that cannot be read. The next request tries again."""
    events.error("page_unreadable", "could not answer %s: %s", request.url.path, error)
    return _problem(request, f"the rows cannot be read: {error}", HTTPStatus.SERVICE_UNAVAILABLE)


def _problem(request: Request, why: str, status: int) -> Response:
    form = html if request.url.path in ("/", "/test") else api
    return form.problem(why, status)
