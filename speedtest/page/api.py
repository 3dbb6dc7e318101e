"""The routes for other programs: JSON, metrics, health."""

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from speedtest.figures.questions import Wanted
from speedtest.page import metrics, openapi, parameters
from speedtest.page.openapi import Locations, Problem, Results
from speedtest.page.queries import Queries, ResultPage


def routes(answers: Queries) -> list[Route]:
    """Return the routes of the JSON API."""

    async def results(request: Request) -> Response:
        given = request.query_params
        parameters.only(given, ("since", "until", "location", "isp", "limit", "cursor"))
        since, skip = parameters.cursor(given)
        question = parameters.question(given, await answers.locations(), "24h")
        if since:
            question = msgspec.structs.replace(question, since=since)
        page = await answers.results(question, parameters.number(given, "limit", parameters.DEFAULT_LIMIT), skip)
        return as_json(Results(question.location, page.rows, _next(request, page, question.location)))

    async def summary(request: Request) -> Response:
        parameters.only(request.query_params, ("since", "until", "location", "isp", "marked"))
        return as_json(
            await answers.summary(parameters.question(request.query_params, await answers.locations(), "30d"))
        )

    async def compare(request: Request) -> Response:
        given, known = request.query_params, await answers.locations()
        versus = ("versus_since", "versus_until", "versus_location")
        parameters.only(given, ("since", "until", "location", "marked", *versus))
        since, until, location = (given.get(name) or None for name in versus)
        other = parameters.location({"location": location}, known) if location else None
        return as_json(await answers.compare(parameters.question(given, known, "30d"), Wanted(other, since, until)))

    async def test(request: Request) -> Response:
        wanted = parameters.one_test(request.query_params, await answers.locations(), ("location", "at"))
        found = await answers.test(wanted.location, wanted.at)
        return as_json(found) if found else problem(parameters.NO_TEST, HTTPStatus.NOT_FOUND)

    async def locations(request: Request) -> Response:
        given = request.query_params
        parameters.only(given, ("limit", "cursor"))
        limit, skip = parameters.number(given, "limit", parameters.DEFAULT_LIMIT), parameters.skipped(given)
        found = await answers.locations()
        more = parameters.query(dict(given) | {"cursor": str(skip + limit)}) if len(found) > skip + limit else None
        return as_json(Locations(found[skip : skip + limit], more))

    async def now(request: Request) -> Response:
        parameters.only(request.query_params, ())
        return as_json(await answers.now())

    async def described(_: Request) -> Response:
        return Response(openapi.document(), media_type="application/json")

    return [
        Route("/api/results", results),
        Route("/api/summary", summary),
        Route("/api/compare", compare),
        Route("/api/test", test),
        Route("/api/locations", locations),
        Route("/api/now", now),
        Route("/openapi.json", described),
    ]


def routes_of_monitoring(answers: Queries) -> list[Route]:
    """Return the routes for monitoring: Prometheus metrics and the health check."""

    async def scraped(_: Request) -> Response:
        return Response(await answers.metrics(), media_type=metrics.CONTENT_TYPE_LATEST)

    async def healthy(_: Request) -> Response:
        try:
            await answers.readable()
        except OSError as error:
            why = f"the rows in RESULT_DIR or UPLOAD_DIR cannot be read: {error.strerror}\n"  # no path: anybody may ask
            return PlainTextResponse(why, HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok\n")

    return [Route("/metrics", scraped), Route("/healthz", healthy)]


def as_json(answer: msgspec.Struct, status: int = HTTPStatus.OK) -> Response:
    """Return an answer as JSON."""
    return Response(msgspec.json.encode(answer), status, media_type="application/json")


def problem(why: str, status: int) -> Response:
    """Return an error message as JSON."""
    return as_json(Problem(why), status)


def _next(request: Request, page: ResultPage, location: str) -> str | None:
    """Return the query for the rows that follow, None if there are none."""
    if not page.more:
        return None
    last = page.rows[-1].timestamp
    same = sum(row.timestamp == last for row in page.rows)
    since, skipped = parameters.cursor(request.query_params)
    if since and page.rows[0].timestamp == last and since == last.isoformat():
        same += skipped
    kept = {name: value for name, value in request.query_params.items() if name not in ("since", "cursor")}
    return parameters.query(kept | {"location": location, "cursor": f"{last.isoformat()}~{same}"})
