"""The parameters of a request, checked. An error says what is allowed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec
from starlette.exceptions import HTTPException

from speedtest.page.asked import Query
from speedtest.page.queries import MOST_RESULTS
from speedtest.values import period

RANGES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "1y": "1 year", "all": "all"}
THEMES = {"auto": "system setting", "light": "light", "dark": "dark"}
REFRESH = {"on": "on", "off": "off"}
DEFAULT_RANGE = "30d"
DEFAULT_LIMIT = 1000
NO_TEST = "this location has no row at that time: copy `timestamp` of a row of /api/results as `at`"
_LAST_DAY = "9999-12-29"
"""The last day that can be asked for in every zone."""
_DAY = timedelta(days=1)
_LONGEST_VALUE = 100
_NAMED = 5
_MOST_SKIPPED = 1_000_000


class PageParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What the page is asked to show. `range` is None if a first or last day is given."""

    location: str
    range: str | None
    first: str
    last: str
    theme: str
    refresh: str
    marked: bool = False
    """Whether marked tests are held against the plan too."""

    @property
    def asked(self) -> Query:
        """The question. Its days are those of the line's zone, as everywhere; the last day is included."""
        if self.range:
            return Query(self.location, None if self.range == "all" else self.range, marked=self.marked)
        end = str(date.fromisoformat(min(self.last, _LAST_DAY)) + _DAY) if self.last else None
        return Query(self.location, self.first or None, end, marked=self.marked)

    def link(self, **other: str) -> str:
        """Return the query of this page with some parameters changed. Default values are left out."""
        here = {"range": self.range or "", "from": self.first, "to": self.last, "location": self.location}
        here |= {"theme": self.theme, "refresh": self.refresh, "marked": "1" if self.marked else "0"} | other
        usual = {"theme": "auto", "refresh": "on", "marked": "0", "from": "", "to": "", "range": ""}
        return query({name: value for name, value in here.items() if value != usual.get(name)})

    def of_test(self, at: datetime) -> str:
        """Return the query of the view of one test of this location."""
        return query({"location": self.location, "at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", **self._theme()})

    def _theme(self) -> dict[str, str]:
        return {} if self.theme == "auto" else {"theme": self.theme}


class OneTestParameters(msgspec.Struct, frozen=True):
    """Which test is asked for: that of a location at an instant, else its last one."""

    location: str
    at: datetime | None
    theme: str


def one_test(parameters: Mapping[str, str], locations: Sequence[str], known: Sequence[str]) -> OneTestParameters:
    """Return which test is asked for. Raises HTTPException 400 for a wrong parameter, 404 for an unknown location."""
    only(parameters, known)
    text = parameters.get("at") or ""
    return OneTestParameters(
        location(parameters, locations),
        period.instant(text, datetime.now(UTC), UTC) if text else None,
        _one_of(parameters, "theme", THEMES, "auto"),
    )


def query(parameters: Mapping[str, str]) -> str:
    """Return a query string without a path, so that the page works in any folder of a proxy."""
    return f"?{urlencode(parameters)}"


def shown(parameters: Mapping[str, str], locations: Sequence[str]) -> PageParameters:
    """Return what the page shows. Raises HTTPException 400 for a wrong parameter, 404 for a location without rows."""
    only(parameters, ("range", "from", "to", "location", "theme", "refresh", "marked"))
    first, last = (_day(parameters, name) for name in ("from", "to"))
    named = _one_of(parameters, "range", RANGES, "")
    if first and last and last < first:
        raise wrong(f"from={first} is after to={last}: the period would be empty")
    if first and date.fromisoformat(first) > datetime.now(UTC).date() + _DAY:
        raise wrong(f"from={first} is in the future: choose a day before tomorrow")
    return PageParameters(
        location=location(parameters, locations),
        range=None if first or last else named or DEFAULT_RANGE,
        first=first,
        last=last,
        theme=_one_of(parameters, "theme", THEMES, "auto"),
        refresh=_one_of(parameters, "refresh", REFRESH, "on"),
        marked=_is_on(parameters, "marked"),
    )


def question(parameters: Mapping[str, str], locations: Sequence[str], since: str) -> Query:
    """Return what an API route is asked. `since` is the default start, if the request has no end either."""
    until = parameters.get("until") or None
    begun = parameters.get("since") or (None if until else since)
    return Query(
        location(parameters, locations), begun, until, parameters.get("isp") or None, _is_on(parameters, "marked")
    )


def _is_on(parameters: Mapping[str, str], name: str) -> bool:
    """Return whether a parameter is 1. Raises HTTPException 400 if it is neither 0 nor 1."""
    return _one_of(parameters, name, {"0": "no", "1": "yes"}, "0") == "1"


def location(parameters: Mapping[str, str], locations: Sequence[str]) -> str:
    """Return the named location, else the one with the newest rows, else "" (there are no rows).

    Raises HTTPException 404 for a location without rows.
    """
    name = parameters.get("location")
    if not name:
        return locations[0] if locations else ""
    if name not in locations:
        known = ", ".join(locations[:_NAMED]) or "none yet"
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"location={name[:_LONGEST_VALUE]} has no rows; locations with rows: {known}"
        )
    return name


def number(parameters: Mapping[str, str], name: str, usual: int, most: int = MOST_RESULTS) -> int:
    """Return a whole number from 1 to `most`. Raises HTTPException 400."""
    text = parameters.get(name) or str(usual)
    if not (text.isascii() and text.isdigit() and len(text) < len(str(most)) + 1 and 1 <= int(text) <= most):
        raise wrong(f"{name}={text[:_LONGEST_VALUE]} must be a whole number from 1 to {most}")
    return int(text)


def cursor(parameters: Mapping[str, str]) -> tuple[str | None, int]:
    """Return where an answer continues: an instant, and how many of its rows to skip. Raises HTTPException 400."""
    text = parameters.get("cursor") or ""
    since, _, skip = text.partition("~")
    if text and not (since and skip.isascii() and skip.isdigit() and len(skip) < len(str(_MOST_SKIPPED))):
        raise wrong("cursor must be copied from `next` of an earlier answer")
    return since or None, int(skip or 0)


def skipped(parameters: Mapping[str, str]) -> int:
    """Return how many locations an answer skips. Raises HTTPException 400."""
    text = parameters.get("cursor") or "0"
    if not (text.isascii() and text.isdigit() and len(text) < len(str(_MOST_SKIPPED))):
        raise wrong("cursor must be copied from `next` of an earlier answer")
    return int(text)


def only(parameters: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise HTTPException 400 if a parameter is not known here."""
    if unknown := sorted(set(parameters) - set(known)):
        allowed = f"allowed are {', '.join(known)}" if known else "it has no parameters"
        raise wrong(f"{unknown[0][:_LONGEST_VALUE]} is not a parameter of this address; {allowed}")


def wrong(why: str) -> HTTPException:
    """Return the error for a wrong request."""
    return HTTPException(HTTPStatus.BAD_REQUEST, why)


def _one_of(parameters: Mapping[str, str], name: str, allowed: Mapping[str, str], usual: str) -> str:
    value = parameters.get(name) or usual
    if value and value not in allowed:
        raise wrong(f"{name}={value[:_LONGEST_VALUE]} must be one of {', '.join(allowed)}")
    return value


def _day(parameters: Mapping[str, str], name: str) -> str:
    text = parameters.get(name) or ""
    try:
        return str(date.fromisoformat(text)) if text else ""
    except ValueError:
        raise wrong(f"{name}={text[:_LONGEST_VALUE]} must be a day, such as 2026-01-31") from None
