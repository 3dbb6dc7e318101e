"""Hours of the day, written `23:00-06:00,12:00-12:30`. The start of a span is included, its end is not."""

import re

import msgspec

MINUTES_PER_DAY = 24 * 60
_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


class Hours(msgspec.Struct, frozen=True):
    """Spans of the day in minutes since midnight. A span whose end is not after its start continues past midnight."""

    spans: tuple[tuple[int, int], ...]

    def covers(self, minute: int) -> bool:
        """Return whether a minute of the day, 0 to 1439, is in one of the spans."""
        return any(
            start <= minute < end if start < end else minute >= start or minute < end for start, end in self.spans
        )

    @property
    def minutes(self) -> int:
        """Return how many minutes of a day the spans cover."""
        return sum(map(self.covers, range(MINUTES_PER_DAY)))

    def __str__(self) -> str:
        """Return the hours in their written form."""
        return ",".join(f"{_clock(start)}-{_clock(end)}" for start, end in self.spans)


def parse(text: str) -> Hours:
    """Read hours. Raises ValueError for other text, an empty span, and spans that cover the whole day."""
    hours = Hours(tuple(_span(part.strip()) for part in text.split(",")))
    if hours.minutes == MINUTES_PER_DAY:
        raise ValueError(text)
    return hours


def _span(text: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValueError(text)
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end or end > MINUTES_PER_DAY:
        raise ValueError(text)
    return start, end


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
